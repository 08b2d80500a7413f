package doctor

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/netdev"
	"vxgw/ring"
)

// The mode that would bind is asked, with as little as the answer takes:
//
//	a running gateway   has bound: its status says how
//	no zero-copy        is offered, or wanted: a socket in copy mode, of which the driver hears nothing
//	a quiet driver      looks for an XDP program before it touches a queue: a socket as it is to be
//	any other           would stop a queue for a moment: what it offers is told, unless --probe
//	--probe             a program that passes everything, natively, which resets many NICs; then the socket
//
// One queue is asked, the last, for as long as it takes.

func (f *facts) bind(i *iface) fact[bound] {
	if f.owns(i.name) {
		return f.asRunning(i.name)
	}
	b := bound{how: "a socket on a queue was answered", asked: true}
	switch {
	case i.fit != nil:
		return known(b, errNone)
	case f.late():
		return known(b, errLate)
	case !i.info.Up:
		return known(b, errors.New("it is down, and nothing binds then"))
	case i.info.XDPProgID != 0: // with one even a quiet driver would stop the queue
		return known(b, errors.New("an XDP program of others is there, whose packets must not suffer"))
	}
	want := f.Config.Underlay.Mode
	offered := i.features.err == nil && i.features.value.Known
	if offered && i.features.value.XDP&netdev.XDPBasic == 0 && !i.info.IsVeth { // which lacks it for its queues alone: vethQueues says so
		b.native = fmt.Errorf("the driver %s has no native XDP", cmp.Or(i.info.Driver, i.info.Kind))
	}
	if want == config.ModeGeneric {
		b.native, b.meant = errors.New("generic mode is asked for"), true
	}
	if f.Probe && b.native == nil {
		detach, err := attachPassing(i.info.Index, 0)
		if err != nil {
			if inParts, none := attachPassing(i.info.Index, unix.BPF_F_XDP_HAS_FRAGS); none == nil {
				detach, b.whole, err = inParts, err, nil
			}
		}
		if err != nil {
			b.refuse(err)
		} else {
			defer detach()
			b.how = "a socket on a queue was answered, with an XDP program in the driver"
		}
	}
	mode := ring.Auto
	switch {
	case want == config.ModeCopy, b.native != nil, offered && !i.features.value.ZeroCopy():
		mode = ring.Copy
	case !f.Probe && !i.notes.QuietBinding && i.info.Driver != "veth":
		if !offered {
			return known(b, fmt.Errorf("the kernel does not tell what the driver %s has, and asking stops its queues for a moment: gw doctor --probe --iface %s", i.info.Driver, i.name))
		}
		b.mode, b.asked = "zerocopy", false
		return known(b, nil)
	}
	got, err := bindOne(i, mode)
	if err != nil {
		return known(b, err)
	}
	b.mode = "copy"
	if got.ZeroCopy {
		b.mode = "zerocopy"
	}
	if got.Refused != 0 {
		b.refused = got.Refused
	}
	return known(b, nil)
}

// refuse notes that native XDP is refused.
func (b *bound) refuse(err error) {
	b.native, b.fatal = err, !errors.Is(err, errors.ErrUnsupported) // as gateway/iface.go has it
}

// inParts refuses native XDP where only a program that takes packets in parts is let in, and gw would have none.
func (f *facts) inParts() {
	for _, i := range append([]*iface{f.underlay, f.wire}, f.ports...) {
		if i != nil && i.bound.value.whole != nil && !f.sg(i) {
			i.bound.value.refuse(i.bound.value.whole)
		}
	}
}

// attachPassing puts a program that passes everything into the driver, with flags of the program.
func attachPassing(ifindex int, flags uint32) (detach func(), err error) {
	spec := passing()
	spec.Flags = flags
	prog, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, err
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: link.XDPDriverMode})
	if err != nil {
		prog.Close()
		return nil, err
	}
	return func() {
		_ = l.Detach() // at once, though a process that is being forked may have the descriptor, too
		l.Close()
		prog.Close()
	}, nil
}

// bindOne binds a socket to the last queue, with the smallest memory, and lets it go.
func bindOne(i *iface, mode ring.Mode) (got ring.Binding, err error) {
	const frames, size, depth = 128, 4096, 64
	m, err := ring.NewMemory(frames, size)
	if err != nil {
		return got, err
	}
	defer m.Close()
	pool := ring.NewDepot(m).NewPool()
	defer pool.Drain()
	d, err := m.Open(ring.DeviceConfig{Ifindex: i.info.Index, Name: i.name, Mode: mode, RxSize: depth, TxSize: depth, FillSize: depth, CompletionSize: depth})
	if err != nil {
		return got, err
	}
	defer d.Close()
	s, err := d.Bind(i.info.RxQueues-1, pool)
	if err != nil {
		return got, err
	}
	got = s.Bound()
	return got, s.Close(pool)
}

// asRunning is how the running gateway has bound an interface.
func (f *facts) asRunning(name string) fact[bound] {
	b := bound{how: "the running gw has bound it", asked: true}
	of := f.Running.Underlay.Interface
	for _, p := range f.Running.Ports {
		if p.Name == name {
			of = p.Interface
		}
	}
	for _, q := range of.Queues {
		b.mode = q.Mode
	}
	if of.XDP == "generic" {
		b.native, b.meant = errors.New(cmp.Or(of.Fallback, "generic mode was asked for")), of.FallbackCode == ""
	}
	if of.FallbackCode == control.FallbackRefused || of.FallbackCode == control.FallbackFewFrames {
		b.refused = errors.New(of.Fallback)
	}
	return known(b, nil)
}
