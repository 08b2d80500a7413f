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

	"vxgw/dataplane"
)

// asavieRings forwards over github.com/asavie/xdp, as well as it allows. Each of its
// sockets has a memory of its own, so every frame is copied from one to the other.
type asavieRings struct {
	programs []*xdp.Program
	links    []link.Link
	sockets  []*xdp.Socket
	lanes    []asavieLane
}

// asavieLane is one way.
type asavieLane struct{ in, out *xdp.Socket }

// Sizes are those of the other forwarder where they matter. Smaller rings and
// XDP_USE_NEED_WAKEUP make no difference.
const (
	asavieRing      = 2048 // descriptors in each ring that is used
	asavieUnused    = 64   // and in those that have to be there
	asavieFrameSize = 2048
)

func forwardAsavie(in, out netlink.Link, both bool) (_ forwarder, err error) {
	f := &asavieRings{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	a, err := f.open(in, true, both)
	if err != nil {
		return nil, err
	}
	b, err := f.open(out, both, true)
	if err != nil {
		return nil, err
	}
	f.lanes = append(f.lanes, asavieLane{a, b})
	if both {
		f.lanes = append(f.lanes, asavieLane{b, a})
	}
	for i, lane := range f.lanes {
		if err = f.programs[i].Register(0, lane.in.FD()); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// open binds a link's queue, to receive or to send or for both.
func (f *asavieRings) open(l netlink.Link, receive, send bool) (*xdp.Socket, error) {
	o := xdp.SocketOptions{FrameSize: asavieFrameSize, FillRingNumDescs: asavieUnused, CompletionRingNumDescs: asavieUnused}
	if receive {
		p, err := xdp.NewProgram(1)
		if err != nil {
			return nil, err
		}
		f.programs = append(f.programs, p)
		// Not by the library's Attach: its program stays when the process is killed.
		at, err := link.AttachXDP(link.XDPOptions{Program: p.Program, Interface: l.Attrs().Index, Flags: link.XDPDriverMode})
		if err != nil {
			return nil, fmt.Errorf("attach to %s: %w", l.Attrs().Name, err)
		}
		f.links = append(f.links, at)
		o.NumFrames, o.FillRingNumDescs, o.RxRingNumDescs = asavieRing, asavieRing, asavieRing
	}
	if send {
		o.CompletionRingNumDescs, o.TxRingNumDescs = asavieRing, asavieRing
		o.NumFrames += asavieRing
	}
	xdp.DefaultSocketFlags = unix.XDP_COPY
	s, err := asavieSocket(l, o)
	if err != nil {
		return nil, err
	}
	f.sockets = append(f.sockets, s)
	if send {
		// The bounds of frames per sendto and of frames in flight, raised as ring does; the
		// library leaves them alone.
		_ = unix.SetsockoptInt(s.FD(), unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, asavieRing)
		_ = unix.SetsockoptInt(s.FD(), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, asavieRing*4096)
	}
	if receive {
		// The last frames: the library looks for one to send from the first on.
		all := s.GetDescs(o.NumFrames)
		s.Fill(all[len(all)-asavieRing:])
	}
	return s, nil
}

// asavieSocket binds queue 0 of a link, and tries again for two seconds, and often enough,
// while it is busy: the kernel tears an earlier owner's socket down asynchronously.
func asavieSocket(l netlink.Link, o xdp.SocketOptions) (*xdp.Socket, error) {
	end := time.Now().Add(2 * time.Second)
	for try := 1; ; try++ {
		s, err := xdp.NewSocket(l.Attrs().Index, 0, &o)
		if err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), unix.EBUSY.Error()) || try >= 20 && time.Now().After(end) {
			return nil, fmt.Errorf("bind %s: %w", l.Attrs().Name, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// round panics, in the library, when sendto fails.
func (f *asavieRings) round() (int, error) {
	moved := 0
	for _, lane := range f.lanes {
		moved += lane.round()
	}
	return moved, nil
}

func (l asavieLane) round() int {
	done := l.out.NumCompleted()
	if done > 0 {
		l.out.Complete(done)
	}
	n := min(l.in.NumReceived(), forwardBatch, l.out.NumFreeTxSlots())
	if n > 0 {
		to := l.out.GetDescs(n) // what is free: fewer perhaps, and the rest stays in the rx ring
		from := l.in.Receive(len(to))
		n = len(from)
		for i, d := range from {
			to[i].Len = uint32(copy(l.out.GetFrame(to[i]), l.in.GetFrame(d)))
		}
		l.out.Transmit(to[:n])
		l.in.Fill(from)
	}
	l.kick()
	return n + done
}

// kick asks the kernel to send on as long as that moves something: one call moves 32
// frames on kernels where that cannot be raised.
func (l asavieLane) kick() {
	for free := l.out.NumFreeTxSlots(); free < asavieRing; {
		l.out.Transmit(nil)
		now := l.out.NumFreeTxSlots()
		if now == free {
			return
		}
		free = now
	}
}

// nap is never told of frames: it waits as the library does, in poll(2).
func (f *asavieRings) nap() *dataplane.Nap { return new(dataplane.Nap) }

func (f *asavieRings) again() bool {
	for _, lane := range f.lanes {
		if lane.out.NumTransmitted() > 0 {
			return true
		}
	}
	return false
}

func (f *asavieRings) fds() []int {
	var all []int
	for _, lane := range f.lanes {
		all = append(all, lane.in.FD())
	}
	return all
}

// close leaves the rings mapped, and with them the queues bound, until the process
// ends: the library unmaps only its memory.
func (f *asavieRings) close() error {
	var errs []error
	for _, l := range f.links {
		errs = append(errs, l.Close())
	}
	for _, s := range f.sockets {
		errs = append(errs, s.Close())
	}
	for _, p := range f.programs {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
