package gateway

import (
	"errors"
	"fmt"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/ring"
)

// program is an XDP program as far as an interface's sockets need it.
type program interface {
	Attach(ifindex int, name string, mode bpf.Mode) error
	Detach() error
	SetSocket(queue, fd int) error
	ClearSocket(queue int) error
	Counters() (bpf.Counters, error)
	Close() error
}

// iface is an interface with its XDP program and its sockets.
type iface struct {
	info     netdev.Info
	program  program
	attached bpf.Mode
	fallback string // why it is not attached natively, or bound zero-copy
	device   *ring.Device
	queues   []*dataplane.Queue // in order
	rings    uint32             // descriptors of each of its rings, 0 until frames are claimed
	first    int                // worker of queue 0, counted on without end
	tags     vlanTags           // of a port
	promisc  *netdev.Promisc    // of a port that gw did not make
}

// openIface attaches p to an interface and binds a socket to each of its queues.
// Port is what frames from it are known by.
func (g *Gateway) openIface(info netdev.Info, p program, mode config.Mode, port uint32) (_ *iface, err error) {
	f := &iface{info: info, program: p}
	most, part := g.frames.port, 1
	switch {
	case port == dataplane.Underlay:
		most = g.frames.wire
	case g.serving:
		part = laterShare
	}
	if port != dataplane.Underlay {
		f.first = int(port) // so that ports with a single queue are not all the same worker's
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.closeIface(f))
		}
	}()
	if f.rings, err = g.frames.claim(info.Name, info.RxQueues, most, part); err != nil {
		return nil, err
	}
	if err := f.attach(mode); err != nil {
		return nil, err
	}
	f.device, err = g.plane.Memory.Open(ring.DeviceConfig{
		Ifindex: info.Index, Name: info.Name, Mode: ringMode(mode, f.attached),
		RxSize: f.rings, TxSize: f.rings, FillSize: f.rings, CompletionSize: f.rings,
	})
	if err != nil {
		return nil, err
	}
	pool := g.plane.Depot.NewPool()
	defer pool.Drain()
	for queue := range info.RxQueues {
		s, err := f.device.Bind(queue, pool)
		if err != nil {
			return nil, err
		}
		f.queues = append(f.queues, &dataplane.Queue{Socket: s, Port: port})
		if err := p.SetSocket(queue, s.FD()); err != nil {
			return nil, err
		}
		if why := s.Bound().Fallback; why != "" && f.fallback == "" {
			f.fallback = "zero-copy: " + why
		}
	}
	return f, nil
}

// attach loads the program into the driver, or where that cannot be and the mode
// leaves it open, into the stack.
func (f *iface) attach(mode config.Mode) error {
	if mode != config.ModeGeneric {
		err := f.program.Attach(f.info.Index, f.info.Name, bpf.Native)
		if err == nil || mode != config.ModeAuto || !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		f.fallback = err.Error()
	}
	f.attached = bpf.Generic
	return f.program.Attach(f.info.Index, f.info.Name, bpf.Generic)
}

// ringMode is the mode to bind in: zero-copy needs the program in the driver.
func ringMode(mode config.Mode, attached bpf.Mode) ring.Mode {
	switch {
	case attached == bpf.Generic:
		return ring.Generic
	case mode == config.ModeZeroCopy:
		return ring.ZeroCopy
	case mode == config.ModeCopy:
		return ring.Copy
	}
	return ring.Auto
}

// closeIface takes the sockets out of the program, and the frames out of the
// sockets. No worker uses them any more.
func (g *Gateway) closeIface(f *iface) error {
	errs := []error{f.program.Detach()}
	pool := g.plane.Depot.NewPool()
	defer pool.Drain()
	for i, q := range f.queues {
		errs = append(errs, f.program.ClearSocket(i), q.Socket.Close(pool))
	}
	if f.device != nil {
		errs = append(errs, f.device.Close())
	}
	if f.promisc != nil {
		errs = append(errs, f.promisc.Close())
	}
	if f.tags.off != "" {
		errs = append(errs, g.journal.UndoLink(f.tags.off)...)
	}
	errs = append(errs, f.program.Close())
	g.frames.giveBack(f.info.RxQueues, f.rings)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("give %s back: %w", f.info.Name, err)
	}
	return nil
}
