package gateway

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/underlay"
)

// startWorkers lets frames flow.
func (g *Gateway) startWorkers() error {
	cpus, err := g.pickCPUs()
	if err != nil {
		return err
	}
	for _, cpu := range cpus {
		w, err := g.plane.AddWorker(cpu)
		if err != nil {
			return errors.Join(err, g.closeWorkers())
		}
		g.log.Debug("worker", "id", w.ID, "cpu", cpu)
	}
	g.onClose(g.closeWorkers)
	// One more for the runtime and one for the control side: workers keep theirs while they
	// send and nap, of which the runtime is not told.
	if procs := len(cpus) + 2; runtime.GOMAXPROCS(0) < procs {
		runtime.GOMAXPROCS(procs)
	}
	if err := g.followPorts(); err != nil {
		return err
	}
	g.onClose(func() error { close(g.unfollow); return nil })
	g.publish()
	for _, w := range g.plane.Workers() {
		if err := g.startWorker(w); err != nil {
			return err
		}
	}
	g.serving = true
	return nil
}

// startWorker has w and its slow path run.
func (g *Gateway) startWorker(w *dataplane.Worker) error {
	raw, err := underlay.OpenRaw(g.link.Index, g.link.Name)
	if err != nil {
		return err
	}
	sent := g.run(fmt.Sprintf("slow path of worker %d", w.ID), func() error { w.Slow.Run(raw, g.want); return nil })
	g.onClose(func() error {
		w.Slow.Stop()
		<-sent
		return raw.Close()
	})
	moved := g.run(fmt.Sprintf("worker %d", w.ID), w.Run)
	g.onClose(func() error {
		w.Stop()
		<-moved
		return nil
	})
	return nil
}

// closeWorkers takes the frames that workers hold. None runs any more.
func (g *Gateway) closeWorkers() error {
	for _, w := range g.plane.Workers() {
		w.Close()
	}
	return nil
}

// run calls f on a goroutine of its own and reports its error. The channel is
// closed when f has returned.
func (g *Gateway) run(name string, f func() error) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(); err != nil {
			g.fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
	return ended
}

// fail has Failed deliver an error. It does not wait: with many of them the first ones are
// enough to close the gateway, which waits for those that failed.
func (g *Gateway) fail(err error) {
	select {
	case g.failed <- err:
	default:
		g.log.Error("another part could not go on", "err", err)
	}
}

// followPorts subscribes to what happens to interfaces.
func (g *Gateway) followPorts() error {
	g.steward.ports = make(chan netlink.LinkUpdate, 64)
	done := g.unfollow
	err := netlink.LinkSubscribeWithOptions(g.steward.ports, done, netlink.LinkSubscribeOptions{
		ListExisting:      true,    // what changed since the ports were opened, and their carrier
		ReceiveBufferSize: 1 << 20, // bytes: hundreds of interfaces may come at once
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
	return nil
}

// refollow subscribes again after too much happened at once, and has the builder look
// for what was not told.
func (g *Gateway) refollow() {
	g.steward.ports = nil
	if err := g.followPorts(); err != nil {
		g.fail(err)
		return
	}
	clear(g.steward.links)
	g.builder.rouse()
}

// linkState is what the kernel told last of an interface.
type linkState struct {
	up  bool
	mtu int
	mac uint64 // 0 where it is none of Ethernet
}

// ofBridge reports whether u tells of an interface as a member of a Linux bridge only: of
// one that leaves it as of one that is removed (br_ifinfo_notify, net/bridge/br_netlink.c).
func ofBridge(u netlink.LinkUpdate) bool { return u.IfInfomsg.Family != unix.AF_UNSPEC }

// portChanged takes over the new state of an interface and reports whether that of a
// port differs.
func (g *Gateway) portChanged(u netlink.LinkUpdate) bool {
	if ofBridge(u) {
		return false
	}
	gone := u.Header.Type == unix.RTM_DELLINK
	if gone {
		delete(g.steward.links, int(u.Index))
	} else {
		g.steward.links[int(u.Index)] = linkState{carries(u.Flags), u.Attrs().MTU, linkMAC(u)}
	}
	if slices.ContainsFunc(g.domains, func(d *domain) bool { return d != nil && len(d.absent) > 0 }) {
		g.builder.rouse()
	}
	changed := false
	for _, p := range g.ports {
		if p == nil {
			continue
		}
		if p.pair != nil && p.pair.Index == int(u.Index) && !gone {
			p.callNow(u.Attrs().Name)
			return g.hostMTU(p, u.Attrs().MTU)
		}
		if p.info.Index != int(u.Index) {
			continue
		}
		if p.pair == nil && !gone {
			p.callNow(u.Attrs().Name)
		}
		if gone && !p.gone.Swap(true) {
			g.builder.rouse()
		}
		p.bare.Store(u.Flags&unix.IFF_UP != 0 && u.Flags&unix.IFF_LOWER_UP == 0)
		up := !p.gone.Load() && carries(u.Flags)
		mtu := u.Attrs().MTU
		if p.pair != nil {
			mtu = p.mtu
		}
		if up == p.up && mtu == p.mtu {
			continue
		}
		if !changed { // and all the VLANs of a trunk with it
			g.log.Info("port changed", "port", p.label(), "up", up, "mtu", mtu)
		}
		g.steward.refit = g.steward.refit || mtu != p.mtu
		p.up, p.mtu, changed = up, mtu, true
	}
	return changed
}

// hostMTU takes over a device's MTU from the host's end, and reports whether it is another one.
func (g *Gateway) hostMTU(p *port, mtu int) bool {
	if mtu == p.mtu {
		return false
	}
	g.log.Info("port changed", "port", p.label(), "mtu", mtu)
	p.mtu, g.steward.refit = mtu, true
	return true
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
		if int(index) >= len(g.domains) || g.domains[index] == nil {
			return 0
		}
		return seconds(g.domains[index].cfg.Ageing)
	})
}

// seconds rounds an ageing time up, so that none becomes "never".
func seconds(d config.Duration) uint32 { return uint32((d + 1e9 - 1) / 1e9) }
