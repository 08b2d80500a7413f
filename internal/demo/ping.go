package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vxgw/internal/lab"
)

// ping pings, prints it as ping(8) does, notes whether all was answered, and returns what passed the tap meanwhile. One
// of the two is at node1. The error says that there is no use in going on.
func (st *stage) ping(ctx context.Context, from, to *end, why string, count, size int) ([]seen, error) {
	df, full := "", ""
	if size > 56 {
		df, full = fmt.Sprintf(" -M do -s %d", size), ", full frames"
	}
	st.section(fmt.Sprintf("Ping from %s to %s%s: %s", from.name, to.name, full, why))
	st.line("%s# ping -c %d%s %s", from.name, count, df, to.inner)
	st.line("PING %s %d(%d) bytes of data.", to.inner, size, size+28)
	before := len(st.tap.Frames())
	res, err := from.host.Ping(ctx, to.inner, lab.PingOptions{
		Count: count, Size: size, DontFragment: size > 56, Interval: 50 * time.Millisecond, Timeout: patience,
	})
	st.pingResult(to, size, res)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil && res.Received < res.Sent {
		err = errors.Join(append([]error{fmt.Errorf("%d of %d answered", res.Received, res.Sent)}, res.Errors...)...)
	}
	st.check(fmt.Sprintf("%s pings %s: %d of %d answered%s", from.name, to.name, count, count, full), err)
	if !st.local(from, to) {
		st.replies += res.Received
	}
	return st.since(ctx, before), nil
}

// local reports whether both are at one node, so that their frames have no need of the underlay.
func (st *stage) local(a, b *end) bool {
	return slices.ContainsFunc(st.nodes, func(v *vtep) bool { return slices.Contains(v.ends(), a) && slices.Contains(v.ends(), b) })
}

// pingResult prints the lines of the replies and the last one. Replies have numbers only where none is missing.
func (st *stage) pingResult(to *end, size int, res lab.PingResult) {
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

// fullFrames pings with the largest packets that the overlay takes whole.
func (st *stage) fullFrames(ctx context.Context, from, to *end) error {
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
