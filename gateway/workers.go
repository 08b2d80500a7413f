package gateway

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/config"
)

// startWorkers lets frames flow.
func (g *Gateway) startWorkers() error {
	cpu, err := g.pickCPU()
	if err != nil {
		return err
	}
	w, err := g.plane.AddWorker(cpu)
	if err != nil {
		return err
	}
	// One more for the runtime and one for the control side, so that the runtime
	// does not take the P from a worker that sits in sendto().
	if procs := len(g.plane.Workers()) + 2; runtime.GOMAXPROCS(0) < procs {
		runtime.GOMAXPROCS(procs)
	}
	if err := g.followPorts(); err != nil {
		w.Close()
		return err
	}
	g.publish()
	moved := g.run(fmt.Sprintf("worker %d", w.ID), w.Run)
	sent := g.run(fmt.Sprintf("slow path of worker %d", w.ID), func() error { w.Slow.Run(g.raw, g.want); return nil })
	g.onClose(func() error {
		w.Stop()
		<-moved
		w.Slow.Stop()
		<-sent
		w.Close()
		return nil
	})
	return nil
}

// run calls f on a goroutine of its own and reports its error. The channel is
// closed when f has returned.
func (g *Gateway) run(name string, f func() error) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(); err != nil {
			g.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	return ended
}

// pickCPU chooses among the CPUs that this process may use. Gateways on different
// interfaces start at different ones; CPU 0 comes last, since it has the most
// other work.
func (g *Gateway) pickCPU() (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, fmt.Errorf("ask for the CPUs to use: %w", err)
	}
	var cpus []int
	for cpu := len(set)*64 - 1; cpu >= 0; cpu-- {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus[g.wire.info.Index%len(cpus)], nil
}

// followPorts subscribes to what happens to interfaces.
func (g *Gateway) followPorts() error {
	g.steward.ports = make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	err := netlink.LinkSubscribeWithOptions(g.steward.ports, done, netlink.LinkSubscribeOptions{
		ListExisting: true, // what changed since the ports were opened, and their carrier
		ErrorCallback: func(err error) {
			select {
			case <-done:
			default:
				g.log.Warn("lost sight of interface changes", "err", err)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("follow interface changes: %w", err)
	}
	g.onClose(func() error { close(done); return nil })
	return nil
}

// portChanged takes over a port's new state and reports whether it differs.
func (g *Gateway) portChanged(u netlink.LinkUpdate) bool {
	for _, p := range g.ports {
		if p.info.Index != int(u.Index) {
			continue
		}
		if u.Header.Type == unix.RTM_DELLINK && !p.gone.Swap(true) {
			g.log.Warn("the port is gone: it was removed, or moved to another network namespace", "port", p.label(), "cure", "start gw again")
		}
		up := !p.gone.Load() && carries(u.Flags)
		mtu := u.Attrs().MTU
		if up == p.up && mtu == p.mtu {
			return false
		}
		g.log.Info("port changed", "port", p.label(), "up", up, "mtu", mtu)
		p.up, p.mtu = up, mtu
		return true
	}
	return false
}

// carries reports whether a port with these flags takes frames: it is up, has a
// carrier, and waits for nobody's leave (IEEE 802.1X). IFF_RUNNING says the same
// later, by a work queue (net/core/link_watch.c), and what is sent meanwhile, such
// as the answer to a first ARP request, would be dropped: it comes again after a
// second. Sending past the queueing discipline needs no more than this
// (net/core/dev.c, __dev_direct_xmit).
func carries(flags uint32) bool {
	const need = unix.IFF_UP | unix.IFF_LOWER_UP
	return flags&(need|unix.IFF_DORMANT) == need
}

// age takes the next step through the FDB.
func (g *Gateway) age(now uint32) {
	budget := int(g.plane.FDB.Stats().Buckets)/ageSteps + 1
	g.plane.FDB.AgeStep(budget, now, func(index uint16) uint32 {
		if int(index) >= len(g.domains) {
			return 0
		}
		return seconds(g.domains[index].cfg.Ageing)
	})
}

// seconds rounds an ageing time up, so that none becomes "never".
func seconds(d config.Duration) uint32 { return uint32((d + 1e9 - 1) / 1e9) }
