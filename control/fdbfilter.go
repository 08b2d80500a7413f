package control

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// FDBFilter chooses entries in the words of bridge(8); what is not set chooses all.
type FDBFilter struct {
	Br     string     `json:"br,omitempty"`           // a VNI by its name, with its ports
	Dev    string     `json:"dev,omitempty"`          // the dev of an entry
	Brport string     `json:"brport,omitempty"`       // a port
	Dst    netip.Addr `json:"dst,omitzero"`           // a VTEP
	Port   *uint16    `json:"port,omitempty"`         // UDP port of packets to Dst
	VNI    *uint32    `json:"vni,omitempty"`          // in their headers
	SrcVNI *uint32    `json:"src_vni,omitempty"`      // of the bridge domain
	VLAN   *uint16    `json:"vlan,omitempty"`         // of a trunk
	Via    string     `json:"via,omitempty"`          // as entries of the flood list have it
	Self   bool       `json:"self,omitempty"`         // entries of the tunnel
	Master bool       `json:"master,omitempty"`       // entries of ports
	State  string     `json:"state,omitempty"`        // permanent, static or dynamic, or no before one of them
	Extern string     `json:"extern_learn,omitempty"` // extern_learn or noextern_learn
}

// Check refuses what no entry could match by mistake.
func (f *FDBFilter) Check() error {
	f.Dst = f.Dst.Unmap().WithZone("") // the underlay is the only link
	switch strings.TrimPrefix(f.State, "no") {
	case "", "permanent", "static", "dynamic":
	default:
		return fmt.Errorf("state %q is unknown (permanent, static, dynamic, or one of them with no before it)", f.State)
	}
	if f.Extern != "" && f.Extern != "extern_learn" && f.Extern != "noextern_learn" {
		return fmt.Errorf("%q is unknown (extern_learn or noextern_learn)", f.Extern)
	}
	if (f.Dst.IsValid() || f.Port != nil || f.Via != "") && f.Master && !f.Self {
		return errors.New("dst, port and via do not go with master (entries of ports have none)")
	}
	return nil
}

// Match says whether f chooses e, an entry of a gateway that sends to the UDP port dstport
// unless the entry says otherwise.
func (f *FDBFilter) Match(e *FDBEntry, dstport uint16) bool {
	domain := e.Master
	if domain == "" {
		domain = e.Ifname
	}
	atPort := e.Master != ""
	switch {
	case f.Br != "" && f.Br != domain, f.Dev != "" && f.Dev != e.Ifname:
	case f.Brport != "" && (f.Brport != e.Ifname || !atPort):
	case f.Dst.IsValid() && f.Dst.String() != e.Dst:
	case f.Port != nil && (e.Dst == "" || *f.Port != cmp.Or(e.Port, dstport)):
	case f.VNI != nil && *f.VNI != e.VNI, f.SrcVNI != nil && *f.SrcVNI != e.Domain():
	case f.VLAN != nil && *f.VLAN != e.VLAN:
	case f.Via != "" && f.Via != e.Via:
	case f.Self != f.Master && f.Master != atPort:
	case !is(f.State, shown(e.State)):
	case f.Extern != "" && slices.Contains(e.Flags, "extern_learn") != (f.Extern == "extern_learn"):
	default:
		return true
	}
	return false
}

// shown is a state with a word for the one that entries have none for.
func shown(state string) string {
	if state == "" {
		return "dynamic"
	}
	return state
}

// is says whether a state is the wanted one, or not the one behind a "no". As the kernel has it,
// permanent entries are static ones too where they are ruled out, so nostatic is dynamic.
func is(want, state string) bool {
	if want == "nostatic" {
		return state == "dynamic"
	}
	if not, ok := strings.CutPrefix(want, "no"); ok {
		return not != state
	}
	return want == "" || want == state
}
