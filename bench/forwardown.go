package bench

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"vxgw/bpf"
	"vxgw/ring"
)

// ownRings forwards over the project's rings as the data plane uses them, with
// nothing in between: one memory, registered with both devices, and of a frame only
// its descriptor moves.
type ownRings struct {
	program *bpf.Port
	memory  *ring.Memory
	depot   *ring.Depot
	pool    *ring.Pool
	devices []*ring.Device
	in, out *ring.Socket
	batch   [forwardBatch]ring.Desc
}

// Sizes are those of gw with one port.
const (
	ownRing      = 2048 // descriptors in each ring
	ownFrames    = 1 << 14
	ownFrameSize = 4096
)

func forwardOwn(in, out netlink.Link) (_ forwarder, err error) {
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
	if f.program, err = bpf.LoadPort(bpf.PortConfig{Queues: 1}); err != nil {
		return nil, err
	}
	if err = f.program.Attach(in.Attrs().Index, in.Attrs().Name, bpf.Native); err != nil {
		return nil, err
	}
	if f.in, err = f.bind(in); err != nil {
		return nil, err
	}
	if f.out, err = f.bind(out); err != nil {
		return nil, err
	}
	return f, f.program.SetSocket(0, f.in.FD())
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
	return d.Bind(0, f.pool)
}

func (f *ownRings) round() (int, error) {
	n := f.in.Receive(f.batch[:])
	for _, d := range f.batch[:n] {
		if !f.out.Send(d) {
			f.pool.Put(d.Addr) // the tx ring is full
		}
	}
	if err := f.out.Flush(); err != nil {
		return n, fmt.Errorf("send: %w", err)
	}
	moved := n + f.out.Reap(f.pool)
	f.in.Refill(f.pool)
	return moved, nil
}

func (f *ownRings) again() bool { return f.out.Pending() > 0 || f.pool.Len() == 0 }

func (f *ownRings) fd() int { return f.in.FD() }

// close gives everything back and fails when a frame is missing.
func (f *ownRings) close() error {
	var errs []error
	if f.program != nil {
		errs = append(errs, f.program.Close())
	}
	for _, s := range []*ring.Socket{f.in, f.out} {
		if s != nil {
			errs = append(errs, s.Close(f.pool))
		}
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
