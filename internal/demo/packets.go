package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"vxgw/internal/lab"
)

// seen is a packet that the tap has recorded.
type seen struct {
	packet
	at time.Time
}

// since returns what the tap has recorded behind the first n frames, once the last reply is among it.
func (st *stage) since(ctx context.Context, n int) []seen {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A reply that does not come is told by the checks that look at the packets.
	_, _ = st.tap.Wait(ctx, st.replies, func(f lab.Frame) bool { p, _ := decode(f.Data); return p.inner == echoReply })
	var out []seen
	for _, f := range st.tap.Frames()[n:] {
		if p, ok := decode(f.Data); ok && p.vxlan {
			out = append(out, seen{p, f.Time})
		}
	}
	return out
}

// packets prints packets as tcpdump does.
func (st *stage) packets(why string, all []seen) {
	st.section("On the underlay: " + why)
	for _, p := range all {
		st.line("%s %s", p.at.Format("15:04:05.000000"), p.outer)
		st.line("%s", p.content)
	}
}

// joined waits for the IGMP report of a node.
func (st *stage) joined(ctx context.Context, v *vtep) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	frames, err := st.tap.Wait(ctx, 1, func(f lab.Frame) bool {
		p, _ := decode(f.Data)
		return p.inner == igmpReport && p.src == v.outer
	})
	if err != nil {
		return fmt.Errorf("no IGMP report: %w", err)
	}
	st.section("On the underlay: node1 joins " + group)
	p, _ := decode(frames[0].Data)
	st.line("%s %s", frames[0].Time.Format("15:04:05.000000"), p.outer)
	return nil
}

// arpThere checks that the ARP request from src went to dst, and that its reply came to src.
func arpThere(all []seen, src, dst netip.Addr) error {
	request := slices.IndexFunc(all, func(p seen) bool { return p.inner == arpRequest && p.src == src && p.dst == dst })
	if request < 0 {
		return fmt.Errorf("no ARP request from %s to %s", src, dst)
	}
	if !slices.ContainsFunc(all[request:], func(p seen) bool { return p.inner == arpReply && p.dst == src }) {
		return fmt.Errorf("no ARP reply to %s", src)
	}
	return nil
}

// noneTo checks that there are packets of these kinds, and that none of them went to dst.
func noneTo(all []seen, dst netip.Addr, kinds ...kind) error {
	found := false
	for _, p := range all {
		if !slices.Contains(kinds, p.inner) {
			continue
		}
		if found = true; p.dst == dst {
			return fmt.Errorf("to %s: %s", dst, p.content)
		}
	}
	if !found {
		return errors.New("no such packet was seen")
	}
	return nil
}

// absent checks that no packet of these kinds between a and b was seen. What others say meanwhile is theirs: a kernel asks
// again some seconds after it has learned of somebody.
func absent(all []seen, a, b *end, kinds ...kind) error {
	for _, p := range all {
		if slices.Contains(kinds, p.inner) && (p.from == a.inner && p.to == b.inner || p.from == b.inner && p.to == a.inner) {
			return fmt.Errorf("on the underlay: %s", p.content)
		}
	}
	return nil
}

// onlyTTL1 checks the TTL of all packets to a group.
func onlyTTL1(all []seen, group netip.Addr) error {
	found := false
	for _, p := range all {
		if p.dst != group {
			continue
		}
		if found = true; p.ttl != 1 {
			return fmt.Errorf("a packet to %s has TTL %d", group, p.ttl)
		}
	}
	if !found {
		return fmt.Errorf("no packet to %s was seen", group)
	}
	return nil
}
