package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"vxgw/internal/lab"
)

// stage is a scenario while it stands.
type stage struct {
	*screen
	opts     Options
	quiet    bool // without link-local addresses, whose greetings would tell the VTEPs of one another before the first ping
	lab      *lab.Lab
	nodes    []*vtep
	underlay *lab.Switch
	tap      *lab.Capture // on the switch's end of node1's cable: it sees what AF_XDP sends and takes, node1's end does not
	replies  int          // echo replies that tap must have seen by now
	checks   []check
}

// play builds a scenario, acts it and prints the checks. The error says that there was no stage to act on; what goes
// wrong later is a check that failed. When ctx ends it stops where it is.
func (st *stage) play(ctx context.Context, sc scenario) error {
	st.title(sc.title)
	st.line("%s\n", sc.story)
	if err := st.build(sc.nodes); err != nil {
		return err
	}
	if err := st.listen(); err != nil {
		return err
	}
	for _, l := range picture(st.nodes) {
		st.line("%s", l)
	}
	acting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := st.run(acting, cancel, sc); err != nil {
		st.check("the scenario goes to its end", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	if !st.opts.Keep {
		st.stopAll()
	}
	st.report()
	if st.opts.Keep {
		st.sayKept()
	}
	return nil
}

// build makes the nodes, their containers, the underlay and the kernel's devices.
func (st *stage) build(nodes []vtep) error {
	underlay, err := st.lab.Switch("underlay")
	if err != nil {
		return err
	}
	st.underlay = underlay
	for i := range nodes {
		v := &nodes[i]
		v.program = st.opts.Program
		if v.host, err = st.lab.Host(v.name); err != nil {
			return err
		}
		if err := st.greet(v.host); err != nil {
			return err
		}
		if err := underlay.Connect(lab.SwitchPort{Host: v.host, Link: wire}); err != nil {
			return err
		}
		if err := v.host.AddAddress(wire, v.outer.String()+underlayBits); err != nil {
			return err
		}
		if err := v.makeContainers(); err != nil {
			return err
		}
		for _, c := range v.containers {
			if err := st.greet(c.host); err != nil {
				return err
			}
		}
		st.nodes = append(st.nodes, v)
		if v.gw {
			continue
		}
		if err := v.makeDevice(); err != nil {
			return err
		}
	}
	return nil
}

// listen starts to record what passes on node1's cable.
func (st *stage) listen() (err error) {
	ours := func(f lab.Frame) bool { _, ok := decode(f.Data); return ok }
	st.tap, err = st.underlay.Capture(st.underlay.PortName(st.nodes[0].host, wire), ours)
	return err
}

// greet gives a host link-local addresses, as it has them outside of a lab, unless nobody shall speak by itself.
func (st *stage) greet(h *lab.Host) error {
	if st.quiet {
		return nil
	}
	err := h.LinkLocal()
	if errors.Is(err, fs.ErrNotExist) { // no IPv6 in this kernel
		return nil
	}
	return err
}

// run starts the gateways, acts, and looks at what they learned and counted. A gw that ends cancels it.
func (st *stage) run(ctx context.Context, cancel context.CancelCauseFunc, sc scenario) error {
	st.section("Commands")
	if err := st.start(cancel); err != nil {
		return err
	}
	st.section("Bound (gw status)")
	if err := st.bound(ctx); err != nil {
		return err
	}
	if err := sc.act(ctx, st); err != nil {
		return err
	}
	if err := st.tables(ctx); err != nil {
		return err
	}
	return st.verdicts(ctx)
}

// start says how the VTEPs are made, and starts the gateways.
func (st *stage) start(cancel context.CancelCauseFunc) error {
	for _, v := range st.nodes {
		for _, c := range v.commands() {
			st.line("%s# %s", v.name, c)
		}
		if !v.gw {
			continue
		}
		err := v.start(func(how error) {
			if how == nil {
				how = errors.New("exit status 0")
			}
			cancel(fmt.Errorf("gw on %s ended: %w", v.name, how))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check notes how a claim fared.
func (st *stage) check(what string, err error) { st.checks = append(st.checks, check{what, err}) }

// stopAll ends the gateways as Ctrl-C would.
func (st *stage) stopAll() {
	for _, v := range st.nodes {
		if v.ended != nil {
			st.check(v.name+": gw stops on SIGINT and removes what it made", v.stop())
		}
	}
}

// report prints the checks, and the logs where one failed.
func (st *stage) report() {
	st.section("Checks")
	failed := false
	for _, c := range st.checks {
		st.result(c)
		failed = failed || c.err != nil
	}
	for _, v := range st.nodes {
		if failed && v.log != nil {
			st.section("Log of gw on " + v.name)
			for _, l := range v.tail(20) {
				st.line("%s", l)
			}
		}
	}
}

// sayKept tells how to look around in what stays.
func (st *stage) sayKept() {
	st.section("Kept: look around, and remove it with gw demo --remove (the next gw demo does it too)")
	for i, v := range st.nodes {
		in := "ip netns exec " + v.host.NSName() + " "
		others := st.nodes[(i+1)%len(st.nodes)].ends()
		for _, e := range v.ends() {
			st.line("ip netns exec %s ping %s", e.host.NSName(), others[0].inner)
		}
		if v.gw {
			st.line("%s%s status", in, v.program)
			st.line("%s%s fdb show", in, v.program)
		} else {
			st.line("%sbridge fdb show dev %s", in, v.device())
		}
	}
	st.line("ip netns exec %s tcpdump -n -i %s", st.underlay.NSName(), st.underlay.PortName(st.nodes[0].host, wire))
	st.line("(tcpdump on the nodes themselves does not see what AF_XDP takes and sends)")
}

// close removes all of the scenario, and the files of a gw that could not remove them itself.
func (st *stage) close() error {
	spaces, err := hold(st.lab.Name() + "-")
	defer release(spaces)
	errs := []error{err, st.lab.Close()}
	for _, ns := range spaces {
		errs = append(errs, ns.removeFiles())
	}
	for _, v := range st.nodes {
		if v.log != nil {
			errs = append(errs, v.log.Close())
		}
	}
	return errors.Join(errs...)
}
