package underlay

import (
	"net/netip"
	"strings"
	"testing"
)

// openFrom opens a mirror on u0 with the outer source that is asked for, if any.
func (h *host) openFrom(local netip.Addr) *Mirror {
	h.t.Helper()
	var m *Mirror
	index := h.index("u0")
	h.do(func() (err error) {
		m, err = Open(Config{Ifindex: index, Name: "u0", Local: local})
		return err
	})
	h.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			h.t.Errorf("close: %v", err)
		}
	})
	return m
}

// awaitSource waits for an outer source, "" for none, and for the way to a remote and to a group that follows from it.
func awaitSource(t *testing.T, m *Mirror, what, source, reason string) {
	t.Helper()
	state, want := Direct, netip.Addr{}
	if source == "" {
		state = NoRoute
	} else {
		want = netip.MustParseAddr(source)
	}
	await(t, m, what, func() bool { return m.Link().Sources.Four == want })
	for _, addr := range []string{"10.0.0.2", "239.1.1.1"} {
		p := awaitPath(t, m, addr, what, inState(state))
		if !strings.Contains(p.Reason, reason) || m.Link().NoSource != p.Reason {
			t.Errorf("%s: %s: reason %q, link %q, want %q", what, addr, p.Reason, m.Link().NoSource, reason)
		}
	}
}

func TestSourceFollowsInterface(t *testing.T) {
	us, _ := pair(t)
	m := us.openFrom(netip.Addr{})
	watch(t, m, "10.0.0.2", "239.1.1.1")
	awaitSource(t, m, "at first", "10.0.0.1", "")
	us.addr("u0", "10.0.0.8/24") // a secondary one, which goes with its primary
	us.addr("u0", "10.7.0.1/24")
	awaitSource(t, m, "with others", "10.0.0.1", "")
	us.delAddr("u0", "10.0.0.1/24")
	awaitSource(t, m, "the next one", "10.7.0.1", "")
	us.addr("u0", "10.0.0.1/24")
	awaitSource(t, m, "the first one again", "10.7.0.1", "") // what is in use stays
	us.delAddr("u0", "10.0.0.1/24")
	us.delAddr("u0", "10.7.0.1/24")
	awaitSource(t, m, "none", "", "u0 has no global IPv4 address (ip address add ADDRESS/LEN dev u0, or --local)")
	if marked := m.Managed(); len(marked) > 0 {
		t.Errorf("without a source, %v are still kept resolved", marked)
	}
	us.addr("u0", "10.0.0.9/24")
	awaitSource(t, m, "a new one", "10.0.0.9", "")
}

func TestSourceAskedFor(t *testing.T) {
	us, _ := pair(t)
	us.up("lo")
	us.addr("lo", "10.0.0.77/32")
	m := us.openFrom(netip.MustParseAddr("10.0.0.77"))
	watch(t, m, "10.0.0.2", "239.1.1.1")
	awaitSource(t, m, "on lo", "10.0.0.77", "")
	us.delAddr("lo", "10.0.0.77/32")
	awaitSource(t, m, "on none", "", "local address 10.0.0.77 is on no interface of this host (ip address add 10.0.0.77/LEN dev u0)")
	us.addr("u0", "10.0.0.77/24")
	awaitSource(t, m, "on the underlay", "10.0.0.77", "")
}
