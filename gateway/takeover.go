package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/handover"
	"vxgw/netdev"
)

// A gateway that follows another one (leave.go) finds interfaces and programs as that has left them:
//
//	inherit       what was handed over, once the lock is free
//	adoptDevice   a device is the one that is there
//	attach        an interface keeps the program that is there
//	restoreTables tables know what they knew, as far as the configuration still has a place for it
//	takeOver      with workers at work, its own program takes the place of the one that drops
//	settle        what nobody has taken is put back
//
// It is a start like any other where nothing was handed over, or nothing that it can read.

// prior is what the gateway before has left.
type prior struct {
	state *handover.State
	links map[int]*bpf.Link // by interface
	held  []int

	restored, dropped int // entries
}

// lockPatience is how long the gateway before may take to end.
const (
	lockPatience = time.Minute
	lockPause    = time.Millisecond
)

// TakeOver is Start as the successor of another gateway on the same underlay, which hands over, or has done so. collect is
// called once that has ended, and returns nil where nothing was handed over; its error is logged, and is none of the start.
func TakeOver(ctx context.Context, cfg *config.Config, log *slog.Logger, collect func() (*handover.Bag, error)) (*Gateway, error) {
	g := newGateway(cfg, log)
	g.collect = collect
	return start(ctx, g)
}

// Abandon puts back what was handed over to a gateway that cannot start, and closes b.
func Abandon(b *handover.Bag, log *slog.Logger) {
	p, err := unpack(b)
	if err := errors.Join(err, p.close()); err != nil {
		log.Warn("cannot put back what was handed over", "err", err)
	}
	s, err := handover.Decode(b.State)
	if err != nil {
		log.Warn("cannot put back what was handed over", "err", err, "cure", "gw cleanup --iface IFACE")
		return
	}
	undone, err := Cleanup(s.Iface)
	for _, u := range undone {
		log.Info("put back what was handed over", "change", u)
	}
	if err != nil {
		log.Warn("cannot put back what was handed over", "err", err, "cure", "gw cleanup --iface "+s.Iface)
	}
}

// acquire takes a lock, for which a successor waits.
func (g *Gateway) acquire(path string) (*netdev.Lock, error) {
	for end := time.Now().Add(lockPatience); ; {
		lock, err := netdev.Acquire(path)
		if g.collect == nil || !errors.As(err, new(*netdev.HeldError)) || time.Now().After(end) {
			return lock, err
		}
		select {
		case <-g.interrupt:
			return nil, ErrInterrupted
		case <-time.After(lockPause):
		}
	}
}

// inherit takes what was handed over.
func (g *Gateway) inherit() {
	if g.collect == nil {
		return
	}
	b, err := g.collect()
	if err != nil {
		g.log.Warn("what was handed over is incomplete", "err", err)
	}
	if b == nil {
		return
	}
	p, err := unpack(b)
	if err != nil {
		g.log.Warn("what was handed over is incomplete", "err", err)
	}
	if p.state, err = handover.Decode(b.State); err == nil {
		err = g.fitsHere(p.state)
	}
	if err != nil {
		g.log.Warn("what was handed over is of no use: starting without it", "reason", err)
		if err := p.close(); err != nil {
			g.log.Warn("what was handed over cannot be put back", "err", err)
		}
		return
	}
	g.prior = p
	g.onClose(g.dropPrior)
	g.zero = g.started.Add(-time.Duration(p.state.Oldest()+1) * time.Second)
}

// unpack takes the descriptors out of a bag. The error tells which of them are of no use, and closed.
func unpack(b *handover.Bag) (*prior, error) {
	p := &prior{links: map[int]*bpf.Link{}, held: b.Held}
	var errs []error
	for _, l := range b.Links {
		mode := bpf.Native
		if l.Generic {
			mode = bpf.Generic
		}
		open, err := bpf.OpenLink(l.FD, mode)
		switch {
		case err != nil:
			errs = append(errs, err)
		case open.Ifindex == 0 || p.links[open.Ifindex] != nil: // its interface has gone
			errs = append(errs, open.Close())
		default:
			p.links[open.Ifindex] = open
		}
	}
	b.Links, b.Held = nil, nil
	return p, errors.Join(errs...)
}

// close puts back what is left of p.
func (p *prior) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Detach())
	}
	for _, fd := range p.held {
		errs = append(errs, unix.Close(fd))
	}
	return errors.Join(errs...)
}

// fitsHere says why a state is not of a gateway that this one may follow.
func (g *Gateway) fitsHere(s *handover.State) error {
	here, err := netdev.Origin()
	switch {
	case err != nil:
		return err
	case s.Origin != here:
		return errors.New("it is of another network namespace")
	case s.Iface != g.cfg.Underlay.Iface:
		return fmt.Errorf("it is of underlay %s", s.Iface)
	}
	return nil
}

// dropPrior closes what was handed over and nobody has taken.
func (g *Gateway) dropPrior() error {
	if g.prior == nil {
		return nil
	}
	err := g.prior.close()
	g.prior = nil
	return err
}

// adoptDevice returns the device that is there, as the configuration has it, and the MTU that gateways have given it; nil
// where there is none to adopt. What others have changed of it stays.
func (g *Gateway) adoptDevice(dev *config.Device, mtu int) (_ *netdev.Pair, set int, err error) {
	if g.prior == nil {
		return nil, 0, nil
	}
	i := slices.IndexFunc(g.prior.state.Devices, func(d handover.Device) bool { return d.Name == dev.Name })
	if i < 0 {
		return nil, 0, nil
	}
	was := g.prior.state.Devices[i]
	pair, err := netdev.AdoptPair(g.journal, dev.Name)
	if pair == nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, pair.Remove())
		}
	}()
	now, err := pair.MTU()
	if err == nil && now == was.MTU && now != mtu {
		err = pair.SetMTU(mtu)
		was.MTU = mtu
	}
	if err != nil {
		return nil, 0, err
	}
	p := &port{pair: pair}
	return pair, was.MTU, p.readdress(was.Addresses, dev.Addresses)
}

// attach has a program on an interface: in the place of the one that is there, where there is one.
func (g *Gateway) attach(f *iface, mode config.Mode, number uint32) error {
	if g.prior == nil || g.prior.links[f.info.Index] == nil {
		return f.attach(mode)
	}
	l := g.prior.links[f.info.Index]
	delete(g.prior.links, f.info.Index)
	if l.Generic() != (mode == config.ModeGeneric) { // where native was refused that is to be said again
		if err := l.Detach(); err != nil {
			return err
		}
		return f.attach(mode)
	}
	if err := f.program.Inherit(l, f.info.Name); err != nil {
		return errors.Join(err, l.Detach())
	}
	if f.attached = l.Mode; number == dataplane.Underlay {
		return nil // see takeOver
	}
	return g.engage(f, mode)
}

// engage has f's own program run. Should it not fit into the place of the one before, as with a driver that was
// loaded anew, it is attached as at any start.
func (g *Gateway) engage(f *iface, mode config.Mode) error {
	err := f.program.Engage()
	if err == nil {
		return nil
	}
	g.log.Warn("the XDP program is attached anew: the link may lose its carrier for it", "iface", f.info.Name, "reason", err)
	if err := f.program.Detach(); err != nil {
		return err
	}
	return f.attach(mode)
}

// takeOver has packets steered here from now on. At the end XDP drops them again, if another gateway follows.
func (g *Gateway) takeOver() error {
	g.onClose(g.holdOff)
	return g.engage(g.wire, g.cfg.Underlay.Mode)
}

// settle ends the time of the gateway before.
func (g *Gateway) settle() error {
	if g.prior == nil {
		return nil
	}
	for _, err := range g.journal.UndoLeft() {
		g.log.Warn("cannot put back what the gateway before has left", "err", err)
	}
	p := g.prior
	g.log.Info("took over from the gateway before", "version", p.state.Program, "entries", p.restored, "dropped", p.dropped,
		"took", time.Since(g.started).Round(time.Millisecond).String())
	return g.dropPrior()
}
