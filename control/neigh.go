package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Neighbour is one entry of a neighbour table with the keys of `ip -j neigh show`, where router and extern_learn stand with null,
// and three of ours: vni, vlan and age.
type Neighbour struct {
	Dst    netip.Addr `json:"dst"`
	Dev    string     `json:"dev"`
	LLAddr string     `json:"lladdr"`
	Router bool       `json:"router,omitempty"`
	Extern bool       `json:"extern_learn,omitempty"`
	State  []string   `json:"state"`
	VNI    uint32     `json:"vni"`
	VLAN   uint16     `json:"vlan,omitempty"`
	Age    *float64   `json:"age,omitempty"` // seconds since it was last seen; learned entries only
}

// The states of ip-neighbour(8) that there are.
const (
	NeighPermanent = "PERMANENT" // of the file or gw neigh
	NeighNoARP     = "NOARP"     // of a control plane
	NeighReachable = "REACHABLE" // seen, and answered for
	NeighStale     = "STALE"     // seen, but not answered for before it has said whether it is a router
)

// String prints the entry as ip-neighbour(8) does.
func (n Neighbour) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", n.Dst, n.Dev)
	if n.VLAN != 0 {
		fmt.Fprintf(&b, " vlan %d", n.VLAN)
	}
	fmt.Fprintf(&b, " lladdr %s", n.LLAddr)
	if n.Router {
		b.WriteString(" router")
	}
	if n.Extern {
		b.WriteString(" extern_learn")
	}
	for _, s := range n.State {
		b.WriteString(" " + s)
	}
	return b.String()
}

// NeighChange is an entry as the verbs add, replace and del take it.
type NeighChange struct {
	Dst    netip.Addr `json:"dst"`                    // the neighbour
	Dev    string     `json:"dev"`                    // a VNI's name, or its device's
	LLAddr string     `json:"lladdr,omitempty"`       // its MAC address, for all but the verb del
	VLAN   uint16     `json:"vlan,omitempty"`         // of the tag that its frames have, 1-4094
	State  string     `json:"state,omitempty"`        // PERMANENT, the default, NOARP, the same, or REACHABLE, which ages and moves
	Router bool       `json:"router,omitempty"`       // advertisements say that it is one
	Extern bool       `json:"extern_learn,omitempty"` // a control plane's
}

// Check refuses what no gateway could carry out. Whether a host can have the address is for the gateway to judge.
func (c *NeighChange) Check(verb string) error {
	c.Dst = c.Dst.Unmap()
	switch {
	case verb != "add" && verb != "replace" && verb != "del":
		return fmt.Errorf("verb %q is unknown (add, replace, del or flush)", verb)
	case !c.Dst.IsValid():
		return errors.New("which address? (ADDRESS lladdr MAC dev DEV)")
	case c.Dev == "":
		return errors.New("dev is missing (name a VNI, like gw42)")
	case c.VLAN > 4094:
		return fmt.Errorf("vlan %d is out of range (give 1-4094)", c.VLAN)
	case verb == "del":
		return nil
	case c.LLAddr == "":
		return errors.New("lladdr is missing (give the MAC address)")
	}
	mac, err := net.ParseMAC(c.LLAddr)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || slices.Max(mac) == 0 {
		return fmt.Errorf("lladdr %q is not a unicast MAC address (give one like 02:57:a7:1c:00:01)", c.LLAddr)
	}
	switch c.State {
	case "", NeighPermanent, NeighNoARP, NeighReachable:
		return nil
	}
	return fmt.Errorf("nud %s is unknown (give permanent, noarp or reachable)", strings.ToLower(c.State))
}

// NeighFilter chooses entries; what is not set chooses all.
type NeighFilter struct {
	To     netip.Prefix `json:"to,omitzero"`      // in this network
	Dev    string       `json:"dev,omitempty"`    // of this VNI
	VLAN   uint16       `json:"vlan,omitempty"`   // with this tag
	State  string       `json:"state,omitempty"`  // PERMANENT, NOARP, REACHABLE, STALE or ALL
	LLAddr string       `json:"lladdr,omitempty"` // at this MAC address
}

// Match says whether f chooses n, whatever its dev, which the gateway has looked at.
func (f *NeighFilter) Match(n *Neighbour) bool {
	return (!f.To.IsValid() || f.To.Contains(n.Dst)) && (f.VLAN == 0 || f.VLAN == n.VLAN) &&
		(f.State == "" || f.State == "ALL" || slices.Contains(n.State, f.State)) && (f.LLAddr == "" || f.LLAddr == n.LLAddr)
}

// NeighStats is what happened to a VNI's neighbours.
type NeighStats struct {
	Entries    int               `json:"entries"`
	Most       uint32            `json:"maxneigh"`   // learned ones, 0: no limit
	Answered   uint64            `json:"answered"`   // questions, on behalf of hosts behind tunnels
	Suppressed uint64            `json:"suppressed"` // frames that were kept from tunnels without an answer
	Learned    uint64            `json:"learned"`
	Moved      uint64            `json:"moved"` // to another MAC address
	Aged       uint64            `json:"aged"`
	Refused    map[string]uint64 `json:"refused"` // what was seen and not believed: static, limit, room, forged
}

// Full says whether the limit has been reached, and something refused for it.
func (s *NeighStats) Full() bool {
	return s != nil && s.Most > 0 && s.Entries >= int(s.Most) && s.Refused["limit"] > 0
}
