package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// seen is a packet that the tap has recorded.
type seen struct {
	packet
	at time.Time
}

// bound waits for the gateways and prints how they are bound to their interfaces.
func (st *stage) bound(ctx context.Context) error {
	for _, v := range st.nodes {
		if !v.gw {
			continue
		}
		s, err := v.ready(ctx)
		if err != nil {
			return fmt.Errorf("wait for gw on %s: %w", v.name, err)
		}
		st.line("%s  gw %s, pid %d", v.name, s.Version, s.PID)
		st.bind(s.Underlay.Interface, "underlay "+s.Underlay.Local)
		modes := []string{wire + " " + mode(s.Underlay.Interface)}
		for _, p := range s.Ports {
			st.bind(p.Interface, "port, the other end of "+p.Device)
			modes = append(modes, p.Name+" "+mode(p.Interface))
		}
		var problem error
		if len(s.Problems) > 0 {
			problem = errors.New(strings.Join(s.Problems, "; "))
		}
		st.check(v.name+": gw is ready: "+strings.Join(modes, ", "), problem)
	}
	return nil
}

// bind prints one interface of gw.
func (st *stage) bind(i control.Interface, role string) {
	st.line("       %-8s %-30s %-26s MTU %d", i.Name, role, mode(i), i.MTU)
	if i.Fallback != "" {
		st.wrapped("", "                ", i.Fallback)
	}
}

// mode says how XDP is attached and what its sockets do with frames.
func mode(i control.Interface) string {
	var how []string
	for _, q := range i.Queues {
		if !slices.Contains(how, q.Mode) {
			how = append(how, q.Mode)
		}
	}
	return fmt.Sprintf("%s XDP in %s mode", i.XDP, strings.Join(how, " and "))
}

// ping pings, prints it as ping(8) does, notes whether all was answered, and returns what passed the tap meanwhile. One
// of the two is node1. The error says that there is no use in going on.
func (st *stage) ping(ctx context.Context, from, to *vtep, why string, count, size int) ([]seen, error) {
	df, full := "", ""
	if size > 56 {
		df, full = fmt.Sprintf(" -M do -s %d", size), ", full frames"
	}
	st.section(fmt.Sprintf("Ping from %s to %s%s: %s", from.name, to.name, full, why))
	st.line("%s# ping -c %d%s %s", from.name, count, df, to.inner)
	st.line("PING %s %d(%d) bytes of data.", to.inner, size, size+28)
	before := len(st.tap.Frames())
	res, err := from.host.Ping(ctx, to.inner, lab.PingOptions{
		Count: count, Size: size, DontFragment: size > 56, Interval: 50 * time.Millisecond,
	})
	st.pingResult(to, size, res)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil && res.Received < res.Sent {
		err = errors.Join(append([]error{fmt.Errorf("%d of %d answered", res.Received, res.Sent)}, res.Errors...)...)
	}
	st.check(fmt.Sprintf("%s pings %s: %d of %d answered%s", from.name, to.name, count, count, full), err)
	st.replies += res.Received
	return st.since(ctx, before), nil
}

// pingResult prints the lines of the replies and the last one. Replies have numbers only where none is missing.
func (st *stage) pingResult(to *vtep, size int, res lab.PingResult) {
	for i, rtt := range res.RTTs {
		seq := ""
		if res.Received == res.Sent {
			seq = fmt.Sprintf(" icmp_seq=%d", i)
		}
		st.line("%d bytes from %s:%s time=%.3f ms", size+8, to.inner, seq, millis(rtt))
	}
	loss := 100.0
	if res.Sent > 0 {
		loss = float64(res.Sent-res.Received) * 100 / float64(res.Sent)
	}
	st.line("%d packets transmitted, %d received, %.0f%% packet loss", res.Sent, res.Received, loss)
	if len(res.RTTs) > 0 {
		var sum time.Duration
		for _, rtt := range res.RTTs {
			sum += rtt
		}
		st.line("rtt min/avg/max = %.3f/%.3f/%.3f ms", millis(slices.Min(res.RTTs)), millis(sum/time.Duration(len(res.RTTs))), millis(slices.Max(res.RTTs)))
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// since returns what the tap has recorded behind the first n frames, once the last reply is among it.
func (st *stage) since(ctx context.Context, n int) []seen {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
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

// fullFrames pings with the largest packets that the overlay takes whole.
func (st *stage) fullFrames(ctx context.Context, from, to *vtep) error {
	packets, err := st.ping(ctx, from, to, fmt.Sprintf("MTU %d, not to be fragmented", mtu), 3, mtu-28)
	if err != nil {
		return err
	}
	largest := 0
	for _, p := range packets {
		largest = max(largest, p.length)
	}
	st.line("Largest packet on the underlay: %d bytes", largest)
	if largest != mtu+50 {
		err = fmt.Errorf("the largest packet on the underlay has %d bytes, not %d", largest, mtu+50)
	}
	st.check("full frames fill the underlay's MTU and are not fragmented", err)
	return nil
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
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
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

// tables prints all FDBs, and checks that gw and those it spoke with have learned one another.
func (st *stage) tables(ctx context.Context) error {
	st.section("Learned")
	all := make([][]string, len(st.nodes))
	for i, v := range st.nodes {
		show := "gw fdb show"
		if !v.gw {
			show = "bridge fdb show dev " + v.device()
		}
		st.line("%s# %s", v.name, show)
		lines, err := v.table(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		for _, l := range lines {
			st.line("%s", l)
		}
		all[i] = lines
	}
	for i, v := range st.nodes[1:] {
		st.check(fmt.Sprintf("node1 learned where %s is", v.name), st.knows(all[0], st.nodes[0], v))
		st.check(fmt.Sprintf("%s learned where node1 is", v.name), st.knows(all[i+1], v, st.nodes[0]))
	}
	return nil
}

// knows checks that v, which has that table, has learned the address of peer's device.
func (st *stage) knows(table []string, v, peer *vtep) error {
	mac, err := peer.host.MAC(peer.device())
	if err != nil {
		return err
	}
	return v.learned(table, mac, peer.outer)
}

// verdicts prints what became of the frames that each gw received, and checks that it dropped none.
func (st *stage) verdicts(ctx context.Context) error {
	st.section("Frames by verdict (gw status)")
	for _, v := range st.nodes {
		if !v.gw {
			continue
		}
		s, err := v.client.Status(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		st.line("%s", v.name)
		st.check(v.name+": gw dropped no frame", st.count(s))
	}
	return nil
}

// count prints the verdicts of one gateway, in the order of the one list. The error names drops.
func (st *stage) count(s control.Status) error {
	total, drops := uint64(0), []string{}
	for i := range dataplane.VerdictCount {
		verdict := dataplane.Verdict(i)
		var n uint64
		for _, w := range s.Workers {
			n += w.Verdicts[verdict.String()]
		}
		if n == 0 {
			continue
		}
		total += n
		st.wrapped("", fmt.Sprintf("%6d  %-10s ", n, verdict), verdict.Sentence())
		if verdict.Drop() {
			drops = append(drops, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	if total == 0 {
		return errors.New("no frame was counted")
	}
	if len(drops) > 0 {
		return errors.New(strings.Join(drops, ", "))
	}
	return nil
}
