package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asavie/xdp"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// asavieRings forwards over github.com/asavie/xdp, as well as it allows. Each of its
// sockets has a memory of its own, so every frame is copied from one to the other.
type asavieRings struct {
	program *xdp.Program
	link    link.Link
	in, out *xdp.Socket
}

// Sizes are those of the other forwarder where they matter. Smaller rings and
// XDP_USE_NEED_WAKEUP make no difference.
const (
	asavieRing      = 2048 // descriptors in each ring that is used
	asavieUnused    = 64   // and in those that have to be there
	asavieFrameSize = 2048
)

func forwardAsavie(in, out netlink.Link) (_ forwarder, err error) {
	f := &asavieRings{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.program, err = xdp.NewProgram(1); err != nil {
		return nil, err
	}
	// Not by the library's Attach: its program stays when the process is killed.
	f.link, err = link.AttachXDP(link.XDPOptions{Program: f.program.Program, Interface: in.Attrs().Index, Flags: link.XDPDriverMode})
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", in.Attrs().Name, err)
	}
	xdp.DefaultSocketFlags = unix.XDP_COPY
	f.in, err = asavieSocket(in, xdp.SocketOptions{
		NumFrames: asavieRing, FrameSize: asavieFrameSize,
		FillRingNumDescs: asavieRing, CompletionRingNumDescs: asavieUnused, RxRingNumDescs: asavieRing,
	})
	if err != nil {
		return nil, err
	}
	f.out, err = asavieSocket(out, xdp.SocketOptions{
		NumFrames: asavieRing, FrameSize: asavieFrameSize,
		FillRingNumDescs: asavieUnused, CompletionRingNumDescs: asavieRing, TxRingNumDescs: asavieRing,
	})
	if err != nil {
		return nil, err
	}
	// The bounds of frames per sendto and of frames in flight, raised as ring does; the
	// library leaves them alone.
	_ = unix.SetsockoptInt(f.out.FD(), unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, asavieRing)
	_ = unix.SetsockoptInt(f.out.FD(), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, asavieRing*4096)
	f.in.Fill(f.in.GetDescs(asavieRing))
	return f, f.program.Register(0, f.in.FD())
}

// asavieSocket binds queue 0 of a link, and tries again for two seconds while it is
// busy: the kernel tears an earlier owner's socket down asynchronously.
func asavieSocket(l netlink.Link, o xdp.SocketOptions) (*xdp.Socket, error) {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s, err := xdp.NewSocket(l.Attrs().Index, 0, &o)
		if err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), unix.EBUSY.Error()) || time.Now().After(end) {
			return nil, fmt.Errorf("bind %s: %w", l.Attrs().Name, err)
		}
	}
}

// round panics, in the library, when sendto fails.
func (f *asavieRings) round() (int, error) {
	done := f.out.NumCompleted()
	if done > 0 {
		f.out.Complete(done)
	}
	n := min(f.in.NumReceived(), forwardBatch, f.out.NumFreeTxSlots())
	if n > 0 {
		to := f.out.GetDescs(n) // what is free: fewer perhaps, and the rest stays in the rx ring
		from := f.in.Receive(len(to))
		n = len(from)
		for i, d := range from {
			to[i].Len = uint32(copy(f.out.GetFrame(to[i]), f.in.GetFrame(d)))
		}
		f.out.Transmit(to[:n])
		f.in.Fill(from)
	}
	f.kick()
	return n + done, nil
}

// kick asks the kernel to send on as long as that moves something: one call moves 32
// frames on kernels where that cannot be raised.
func (f *asavieRings) kick() {
	for free := f.out.NumFreeTxSlots(); free < asavieRing; {
		f.out.Transmit(nil)
		now := f.out.NumFreeTxSlots()
		if now == free {
			return
		}
		free = now
	}
}

func (f *asavieRings) again() bool { return f.out.NumTransmitted() > 0 }

func (f *asavieRings) fd() int { return f.in.FD() }

// close leaves the rings mapped, and with them the queues bound, until the process
// ends: the library unmaps only its memory.
func (f *asavieRings) close() error {
	var errs []error
	if f.link != nil {
		errs = append(errs, f.link.Close())
	}
	for _, s := range []*xdp.Socket{f.in, f.out} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if f.program != nil {
		errs = append(errs, f.program.Close())
	}
	return errors.Join(errs...)
}
