package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Errors of the FDB's verbs, wrapped with the entry.
var (
	ErrExists   = errors.New("the entry exists")
	ErrNotFound = errors.New("no such entry")
)

// FDBChange is an entry in the words of bridge(8), as the verbs add, append,
// replace, del and get take it.
type FDBChange struct {
	MAC    string     `json:"mac"`                    // unicast, or 00:00:00:00:00:00 for the flood list
	Dev    string     `json:"dev"`                    // a VNI's name, like gw42, or a port
	Dst    netip.Addr `json:"dst,omitzero"`           // the VTEP behind which it lives, or that is flooded to
	Via    string     `json:"via,omitempty"`          // the underlay, and no other interface
	VNI    *uint32    `json:"vni,omitempty"`          // in the headers of packets to Dst
	SrcVNI *uint32    `json:"src_vni,omitempty"`      // of the bridge domain
	VLAN   *uint16    `json:"vlan,omitempty"`         // of a trunk
	Port   *uint16    `json:"port,omitempty"`         // UDP
	Self   bool       `json:"self,omitempty"`         // an entry of the tunnel
	Master bool       `json:"master,omitempty"`       // an entry of a port
	State  string     `json:"state,omitempty"`        // permanent, static or dynamic
	Extern bool       `json:"extern_learn,omitempty"` // a control plane's
}

// ZeroMAC stands for the flood list, as it does for the kernel's vxlan device.
const ZeroMAC = "00:00:00:00:00:00"

// Flood says whether c is about a destination of the flood list.
func (c *FDBChange) Flood() bool { return c.MAC == ZeroMAC }

// Check refuses what no gateway could carry out, and writes the address as entries
// have it. The rest is for the gateway to judge, which knows its VNIs and ports.
func (c *FDBChange) Check(verb string) error {
	mac, err := net.ParseMAC(c.MAC)
	if err != nil || len(mac) != 6 {
		return fmt.Errorf("%q is not a MAC address (give one like 02:57:a7:1c:00:01)", c.MAC)
	}
	c.MAC, c.Dst = mac.String(), c.Dst.Unmap()
	if mac[0]&1 != 0 {
		return fmt.Errorf("%s is a multicast address (an entry has a unicast one; to flood to a VTEP, append %s)", c.MAC, ZeroMAC)
	}
	if c.Dev == "" {
		return errors.New("dev is missing (name a VNI, like gw42, or a port)")
	}
	switch c.State {
	case "", "permanent", "static", "dynamic":
	default:
		return fmt.Errorf("state %q is unknown (permanent, static or dynamic)", c.State)
	}
	switch {
	case !c.Dst.IsValid() && (c.Port != nil || c.VNI != nil):
		return errors.New("port and vni go with dst (they are those of packets to it)")
	case c.Port != nil && *c.Port == 0:
		return errors.New("port 0 is no UDP port (give 1-65535, or leave it out)")
	case c.VNI != nil && (*c.VNI == 0 || *c.VNI >= 1<<24):
		return fmt.Errorf("vni %d is out of range (give 1-16777215, or leave it out)", *c.VNI)
	}
	switch verb {
	case "add", "replace", "append":
	case "del", "get":
		return nil
	default:
		return fmt.Errorf("verb %q is unknown (add, append, replace, del, get or flush)", verb)
	}
	if c.Flood() {
		return c.checkFlood(verb)
	}
	switch {
	case verb == "append":
		return fmt.Errorf("%s is one host, which has one place (use add or replace; append is for %s)", c.MAC, ZeroMAC)
	case c.Dst.IsValid() && c.Master && !c.Self:
		return errors.New("dst does not go with master (leave out dst for a host behind a port, or master for one behind a VTEP)")
	case !c.Dst.IsValid() && c.Self && !c.Master:
		return errors.New("self needs dst (give the VTEP's address, or say master for a host behind a port)")
	case !c.Dst.IsValid() && c.State == "permanent" && !c.Extern:
		return errors.New("permanent does not go with a port (there it means an address of the bridge itself; say static)")
	}
	return nil
}

// checkFlood is Check for a new destination of the flood list.
func (c *FDBChange) checkFlood(verb string) error {
	switch {
	case verb == "replace":
		return fmt.Errorf("%s is a list (use append and del)", ZeroMAC)
	case !c.Dst.IsValid():
		return fmt.Errorf("dst is missing (%s is the list of VTEPs that get a copy of each flooded frame)", ZeroMAC)
	case c.Master && !c.Self:
		return fmt.Errorf("master does not go with %s (every port is flooded to)", ZeroMAC)
	case c.Extern:
		return fmt.Errorf("extern_learn does not go with %s (its entries are permanent)", ZeroMAC)
	case c.State == "static" || c.State == "dynamic":
		return fmt.Errorf("%s does not go with %s (its entries are permanent)", c.State, ZeroMAC)
	}
	return nil
}
