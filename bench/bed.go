package bench

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// The device under test stands between the port, where one end of the traffic is, and
// the underlay, where the other is. All contenders get the same links.
//
//	near                    dut                              far
//	nearLink ─────────────── port    contender    underlay ─────────────── underlay
//	generator, sink                                           generator, sink
const (
	nearLink = "gen0"
	portLink = "veth1"
	wireLink = "ens18" // at both ends
)

// bed is the three hosts.
type bed struct {
	near, dut, far *lab.Host
	jailed         bool
}

// newBed makes the links. Jailed, the kernel receives on all of them in threads, the
// device under test's on contenderCPU and the others' on generatorCPU; and no link
// promises segmentation, or else a veth would hand packets over without its threads
// (veth_skb_is_eligible_for_gro in drivers/net/veth.c).
func newBed(l *lab.Lab, jailed bool) (*bed, error) {
	b := &bed{jailed: jailed}
	for _, h := range []struct {
		name string
		host **lab.Host
	}{{"near", &b.near}, {"dut", &b.dut}, {"far", &b.far}} {
		var err error
		if *h.host, err = l.Host(h.name); err != nil {
			return nil, err
		}
	}
	underlay, remote := macBytes(underlayMAC), macBytes(remoteMAC)
	err := errors.Join(
		l.Veth(b.near, nearLink, b.dut, portLink, lab.VethOptions{}),
		l.Veth(b.dut, wireLink, b.far, wireLink, lab.VethOptions{MTU: 1600, AMAC: underlay[:], BMAC: remote[:]}),
		b.dut.AddAddress(wireLink, underlayAddr.String()+"/24"),
		b.far.AddAddress(wireLink, remoteAddr.String()+"/24"),
		b.dut.SetNeighbour(wireLink, remoteAddr, remote[:]),
		b.dut.AddRoute(remotesRoute()),
	)
	if err != nil || !jailed {
		return b, err
	}
	for _, end := range b.ends() {
		err = errors.Join(err, end.host.SetOffload(end.link, "tso", false))
	}
	err = errors.Join(err, b.near.SetOffload(nearLink, "rx-gro", true), b.far.SetOffload(wireLink, "rx-gro", true))
	return b, errors.Join(err, b.jail())
}

// remotesRoute leads to the remotes that are behind the first one.
func remotesRoute() lab.Route {
	return lab.Route{Dst: netip.MustParsePrefix(remotesNet), Via: remoteAddr}
}

// linkEnd is one end of a link, and on which CPU a jail has it receive.
type linkEnd struct {
	host *lab.Host
	link string
	cpu  int
}

func (b *bed) ends() []linkEnd {
	return []linkEnd{
		{b.near, nearLink, generatorCPU()}, {b.dut, portLink, contenderCPU()},
		{b.dut, wireLink, contenderCPU()}, {b.far, wireLink, generatorCPU()},
	}
}

// sinkPriority is the real-time priority of the threads that receive for the sinks. They share
// their CPU with the generator, which would not let go of it for milliseconds, and a veth holds
// 256 packets.
const sinkPriority = 10

// jail has the kernel receive in threads, and pins them. They come and go with XDP programs:
// call it whenever a contender has started.
func (b *bed) jail() error {
	if !b.jailed {
		return nil
	}
	for _, end := range b.ends() {
		err := end.host.SetThreaded(end.link, true)
		if errors.Is(err, unix.EOPNOTSUPP) {
			continue // nothing receives there by NAPI
		}
		if err != nil {
			return fmt.Errorf("jail: %w", err)
		}
		threads, err := end.host.NAPIThreads(end.link)
		if err != nil {
			return fmt.Errorf("jail: %w", err)
		}
		for _, t := range threads {
			err := pin(t, end.cpu)
			if err == nil && end.host != b.dut {
				err = unix.SchedSetAttr(t, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: sinkPriority}, 0)
			}
			if err != nil {
				return fmt.Errorf("jail the thread that receives on %s of %s: %w", end.link, end.host.Name(), err)
			}
		}
	}
	return nil
}

// generator prepares to send a schedule in a direction.
func (b *bed) generator(d Direction, schedule []entry, m Traffic, mark uint32) (*generator, error) {
	if d == Encap {
		return newGenerator(b.near, nearLink, d, schedule, m, mark)
	}
	return newGenerator(b.far, wireLink, d, schedule, m, mark)
}

// sink counts what comes through in a direction. A contender without tunnel changes nothing.
func (b *bed) sink(d Direction, tunnel bool, mark uint32) (*sink, error) {
	h, l := b.exit(d)
	return newSink(h, l, exitOffset(d, tunnel), mark)
}

// exit is where frames of a direction arrive.
func (b *bed) exit(d Direction) (*lab.Host, string) {
	if d == Encap {
		return b.far, wireLink
	}
	return b.near, nearLink
}
