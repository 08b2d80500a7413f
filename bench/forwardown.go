package bench

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"vxgw/bpf"
	"vxgw/dataplane"
	"vxgw/ring"
)

// ownRings forwards over the project's rings as the data plane uses them, with
// nothing in between: one memory, registered with both devices, and of a frame only
// its descriptor moves.
type ownRings struct {
	programs []*bpf.Port
	memory   *ring.Memory
	depot    *ring.Depot
	pool     *ring.Pool
	devices  []*ring.Device
	sockets  []*ring.Socket
	lanes    []ownLane
	naps     dataplane.Nap
	batch    [forwardBatch]ring.Desc
}

// ownLane is one way.
type ownLane struct{ in, out *ring.Socket }

// Sizes are those of gw with one port.
const (
	ownRing      = 2048 // descriptors in each ring
	ownFrames    = 1 << 14
	ownFrameSize = 4096
)

func forwardOwn(in, out netlink.Link, both bool) (_ forwarder, err error) {
	f := &ownRings{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.memory, err = ring.NewMemory(ownFrames, ownFrameSize); err != nil {
		return nil, err
	}
	f.depot = ring.NewDepot(f.memory)
	f.pool = f.depot.NewPool()
	if err = f.attach(in); err != nil {
		return nil, err
	}
	if both {
		if err = f.attach(out); err != nil {
			return nil, err
		}
	}
	a, err := f.bind(in)
	if err != nil {
		return nil, err
	}
	b, err := f.bind(out)
	if err != nil {
		return nil, err
	}
	f.lanes = append(f.lanes, ownLane{a, b})
	if both {
		f.lanes = append(f.lanes, ownLane{b, a})
	}
	for i, lane := range f.lanes {
		if err = f.programs[i].SetSocket(0, lane.in.FD()); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// attach puts a program on a link that hands over what comes there.
func (f *ownRings) attach(l netlink.Link) error {
	p, err := bpf.LoadPort(bpf.PortConfig{Queues: 1})
	if err != nil {
		return err
	}
	f.programs = append(f.programs, p)
	return p.Attach(l.Attrs().Index, l.Attrs().Name, bpf.Native)
}

func (f *ownRings) bind(l netlink.Link) (*ring.Socket, error) {
	d, err := f.memory.Open(ring.DeviceConfig{
		Ifindex: l.Attrs().Index, Name: l.Attrs().Name,
		RxSize: ownRing, TxSize: ownRing, FillSize: ownRing, CompletionSize: ownRing,
	})
	if err != nil {
		return nil, err
	}
	f.devices = append(f.devices, d)
	s, err := d.Bind(0, f.pool)
	if err == nil {
		f.sockets = append(f.sockets, s)
	}
	return s, err
}

func (f *ownRings) round() (int, error) {
	moved := 0
	for _, lane := range f.lanes {
		n := lane.in.Receive(f.batch[:])
		if n > 0 {
			f.naps.Moved(n)
		}
		for _, d := range f.batch[:n] {
			if !lane.out.Send(d) {
				f.pool.Put(d.Addr) // the tx ring is full
			}
		}
		if err := lane.out.Flush(); err != nil {
			return moved + n, fmt.Errorf("send: %w", err)
		}
		moved += n + lane.out.Reap(f.pool)
		lane.in.Refill(f.pool)
	}
	return moved, nil
}

func (f *ownRings) nap() *dataplane.Nap { return &f.naps }

func (f *ownRings) again() bool {
	for _, lane := range f.lanes {
		if lane.out.Pending() > 0 {
			return true
		}
	}
	return f.pool.Len() == 0
}

func (f *ownRings) fds() []int {
	var all []int
	for _, lane := range f.lanes {
		all = append(all, lane.in.FD())
	}
	return all
}

// close gives everything back and fails when a frame is missing.
func (f *ownRings) close() error {
	var errs []error
	for _, p := range f.programs {
		errs = append(errs, p.Close())
	}
	for _, s := range f.sockets {
		errs = append(errs, s.Close(f.pool))
	}
	for _, d := range f.devices {
		errs = append(errs, d.Close())
	}
	if f.pool != nil {
		f.pool.Drain()
		if n := f.depot.Len(); n != f.memory.Frames() {
			errs = append(errs, fmt.Errorf("%d of %d frames are lost", f.memory.Frames()-n, f.memory.Frames()))
		}
	}
	if f.memory != nil {
		errs = append(errs, f.memory.Close())
	}
	return errors.Join(errs...)
}
