package control

import (
	"fmt"
	"strings"
)

// FDBEntry is one entry of the MAC table with the keys of `bridge -j fdb show`,
// and some of ours: vni always, src_vni where that is not the bridge domain's, age and frozen.
type FDBEntry struct {
	MAC    string   `json:"mac"`
	Ifname string   `json:"ifname"`
	Dst    string   `json:"dst,omitempty"`
	VLAN   uint16   `json:"vlan,omitempty"` // of a trunk, by which it is reached
	Port   uint16   `json:"port,omitempty"` // UDP port of packets to Dst, where it is not the gateway's
	Via    string   `json:"viaIf,omitempty"`
	Flags  []string `json:"flags"`
	Master string   `json:"master,omitempty"`
	State  string   `json:"state"`
	VNI    uint32   `json:"vni"`               // in the headers of packets to Dst
	SrcVNI uint32   `json:"src_vni,omitempty"` // of the bridge domain, where VNI is another
	Age    *float64 `json:"age,omitempty"`     // seconds since it was last seen; learned entries only
	// Frozen says that it has moved too often and stays where it is.
	Frozen bool `json:"frozen,omitempty"`
}

// Domain is the VNI of the bridge domain that the entry is of.
func (e *FDBEntry) Domain() uint32 {
	if e.SrcVNI != 0 {
		return e.SrcVNI
	}
	return e.VNI
}

// String prints the entry as bridge(8) does, in its order.
func (e FDBEntry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", e.MAC, e.Ifname)
	if e.Dst != "" {
		fmt.Fprintf(&b, " dst %s", e.Dst)
	}
	if e.VLAN != 0 {
		fmt.Fprintf(&b, " vlan %d", e.VLAN)
	}
	if e.Port != 0 {
		fmt.Fprintf(&b, " port %d", e.Port)
	}
	if e.SrcVNI != 0 {
		fmt.Fprintf(&b, " vni %d", e.VNI)
	}
	if e.Via != "" {
		fmt.Fprintf(&b, " via %s", e.Via)
	}
	for _, f := range e.Flags {
		fmt.Fprintf(&b, " %s", f)
	}
	if e.Master != "" {
		fmt.Fprintf(&b, " master %s", e.Master)
	}
	if e.State != "" {
		fmt.Fprintf(&b, " %s", e.State)
	}
	if e.Frozen {
		b.WriteString(" frozen")
	}
	return b.String()
}
