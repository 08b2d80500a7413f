package gateway

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/ring"
)

// program is an XDP program as far as an interface's sockets need it.
type program interface {
	Attach(ifindex int, name string, mode bpf.Mode) error
	Detach() error
	Release() *bpf.Link
	Inherit(l *bpf.Link, name string) error
	Engage() error
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
	fallback fallback // why it is not attached natively, or bound zero-copy
	device   *ring.Device
	queues   []*dataplane.Queue // in order
	can      netdev.Features    // as its driver says
	carried  bool               // frames before XDP was attached
	rings    rings              // zero until frames are claimed
	most     int                // the largest MTU of which its sockets carry every packet
	told     [2]int             // its and the tunnel's MTU when tellMTU looked last; the builder's
	first    int                // worker of queue 0, counted on without end
	tags     vlanTags           // of a port
	calmed   string             // the other end, whose offloads native XDP keeps off and a gateway before has switched off
	promisc  *netdev.Promisc    // of a port that gw did not make
	account  uint32             // by which workers count what is dropped there; of a port
	polling  polling            // the steward's
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
	s := g.sound(info, mode)
	f.can, f.most = s.can, g.holds(s.parts)
	if err := s.checkZeroCopy(mode); err != nil {
		return nil, err
	}
	if err := f.room(g, s, mode, most, part); err != nil {
		return nil, err
	}
	f.carried, _ = carrying(info.Index)
	if err := g.attach(f, mode, port); err != nil {
		return nil, err
	}
	c := f.rings.device()
	c.Ifindex, c.Name, c.Mode, c.Cure = info.Index, info.Name, f.ringMode(s, mode), refusalCure(info)
	g.polled(&c)
	c.Parts = s.parts
	if f.device, err = g.plane.Memory.Open(c); err != nil {
		return nil, err
	}
	pool := g.plane.Depot.NewPool()
	defer pool.Drain()
	for queue := range info.RxQueues {
		socket, err := f.device.Bind(queue, pool)
		if err != nil {
			return nil, err
		}
		f.queues = append(f.queues, &dataplane.Queue{Socket: socket, Port: port})
		if err := p.SetSocket(queue, socket.FD()); err != nil {
			return nil, err
		}
		f.took(s, socket.Bound())
	}
	if !f.queues[0].Socket.Bound().ZeroCopy {
		g.frames.copies(&f.rings)
	}
	g.tell(f, s)
	return f, nil
}

// attach loads the program into the driver, or where that cannot be and the mode
// leaves it open, into the stack.
func (f *iface) attach(mode config.Mode) error {
	if mode != config.ModeGeneric {
		err := f.program.Attach(f.info.Index, f.info.Name, bpf.Native)
		if err == nil {
			return nil
		}
		cure, told := "give an interface whose driver has XDP; --mode generic says that this is meant", err
		if w := wants(f.info); w != "" && refuses(err) {
			cure = fmt.Sprintf("the driver %s wants for native XDP %s", f.info.Driver, w)
			told = fmt.Errorf("%w (%s)", err, cure)
		}
		if refuses(err) && f.most > mostMTU(pageFrame) && f.info.MTU > plainMTU && wants(f.info) == "" {
			told = fmt.Errorf("%w (the driver may take no packets longer than a page: ip link set dev %s mtu %d, or --mode generic)", err, f.info.Name, maxDeviceMTU)
		}
		if errors.Is(err, unix.ERANGE) {
			told = fmt.Errorf("%w (or start gw again, with dataplane.framesize: %d)", err, frameFor(sentTo(f.info)))
		}
		if mode != config.ModeAuto || !errors.Is(err, errors.ErrUnsupported) {
			return told
		}
		f.fallback = fallback{control.FallbackNoNative, err.Error(), cure}
	}
	f.attached = bpf.Generic
	return f.program.Attach(f.info.Index, f.info.Name, bpf.Generic)
}

// refuses reports whether an error may come from the driver's conditions.
func refuses(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOMEM)
}

// closeIface takes the sockets out of the program, and the frames out of the
// sockets. No worker uses them any more.
func (g *Gateway) closeIface(f *iface) error {
	g.leaveProgram(f)
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
	if f.calmed != "" { // which XDP no longer keeps off
		errs = append(errs, g.journal.UndoOffloads(f.calmed)...)
	}
	if f.device != nil {
		errs = append(errs, g.journal.UndoSettings(f.info.Name)...)
	}
	errs = append(errs, f.program.Close())
	g.frames.giveBack(f.rings)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("give %s back: %w", f.info.Name, err)
	}
	return nil
}
