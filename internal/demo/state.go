package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vxgw/control"
	"vxgw/dataplane"
)

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
			role := "port, its other end is in a container"
			if p.Device != "" {
				role = "port, the other end of " + p.Device
			}
			st.bind(p.Interface, role)
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
	st.line("       %-8s %-38s %-26s MTU %d", i.Name, role, mode(i), i.MTU)
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
	first := st.nodes[0]
	for i, v := range st.nodes[1:] {
		st.knows(all[0], first, v)
		st.knows(all[i+1], v, first)
	}
	for _, c := range first.containers {
		st.check(fmt.Sprintf("%s learned that %s is behind %s", first.name, c.name, c.port), c.behindPort(all[0]))
	}
	return nil
}

// knows checks that v, which has that table, has learned where the first one at peer is.
func (st *stage) knows(table []string, v, peer *vtep) {
	e := peer.ends()[0]
	mac, err := e.mac()
	if err == nil {
		err = v.learned(table, mac, peer.outer)
	}
	st.check(fmt.Sprintf("%s learned where %s is", v.name, e.name), err)
}

// neighbour prints e's ARP entry for peer, and checks it: the VTEPs between them show no address of their own.
func (st *stage) neighbour(e, peer *end) {
	line, err := e.resolved(peer)
	st.section("In the container")
	st.line("%s# arp -n", e.name)
	st.line("%s", line)
	st.check(fmt.Sprintf("%s has %s's own MAC address", e.name, peer.name), err)
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
