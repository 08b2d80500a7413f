package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// generator sends frames out of a link as fast as the kernel can: an XDP program that
// BPF_PROG_TEST_RUN feeds with live frames, so that no skb is made for them.
type generator struct {
	host  *lab.Host
	prog  *ebpf.Program
	frame []byte
}

// liveFrames is BPF_F_TEST_XDP_LIVE_FRAMES of linux/bpf.h.
const liveFrames = 1 << 1

// perCall is how many frames one call sends: it takes some 25 ms to set up whatever
// its length.
const perCall = 1 << 18

// newGenerator prepares frames of one near station to one far station in many flows:
// each frame gets a random UDP source port and the checksum that goes with it.
func newGenerator(h *lab.Host, linkName string) (*generator, error) {
	l, err := h.Link(linkName)
	if err != nil {
		return nil, err
	}
	g := &generator{host: h, frame: make([]byte, innerLen)}
	putInner(g.frame, farSide.mac(0), nearSide.mac(0), 0)
	sum := int32(^binary.NativeEndian.Uint16(g.frame[csumAt:]))
	g.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "generate", Type: ebpf.XDP, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), // xdp_md.data
		asm.LoadMem(asm.R2, asm.R1, 4, asm.Word), // xdp_md.data_end
		asm.Mov.Reg(asm.R3, asm.R7),
		asm.Add.Imm(asm.R3, innerLen),
		asm.JGT.Reg(asm.R3, asm.R2, "drop"),
		asm.FnGetPrandomU32.Call(),
		asm.And.Imm(asm.R0, 0xffff),
		asm.StoreMem(asm.R7, sportAt, asm.R0, asm.Half),
		// The sum without the port is known; one's complement sums do not mind the order of bytes (RFC 1071).
		asm.Add.Imm(asm.R0, sum),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.RSh.Imm(asm.R1, 16),
		asm.And.Imm(asm.R0, 0xffff),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.Xor.Imm(asm.R0, 0xffff),
		asm.JNE.Imm(asm.R0, 0, "store"),
		asm.Mov.Imm(asm.R0, 0xffff),
		asm.StoreMem(asm.R7, csumAt, asm.R0, asm.Half).WithSymbol("store"),
		asm.Mov.Imm(asm.R1, int32(l.Attrs().Index)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("drop"), // XDP_DROP
		asm.Return(),
	}})
	if err != nil {
		return nil, fmt.Errorf("load the generator: %w", err)
	}
	return g, nil
}

// send sends n frames.
func (g *generator) send(n uint32) error {
	return g.host.Do(func() error {
		_, err := g.prog.Run(&ebpf.RunOptions{Data: g.frame, Repeat: n, Flags: liveFrames})
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("run the generator: %w", err)
		}
		return nil
	})
}

// flood sends until stop is set, from one CPU: the veth receives on the CPU that
// sends, and a generator that wanders would measure the scheduler.
func (g *generator) flood(stop *atomic.Bool) error {
	runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
	var set unix.CPUSet
	set.Set(runtime.NumCPU() - 1)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin the generator: %w", err)
	}
	for !stop.Load() {
		if err := g.send(perCall); err != nil {
			return err
		}
	}
	return nil
}

// sink counts packets of one length where they arrive, at tc ingress, and drops them
// there. All else goes on.
type sink struct {
	prog  *ebpf.Program
	count *ebpf.Map
	link  link.Link
}

// newSink counts packets of length bytes that arrive on a link.
func newSink(h *lab.Host, linkName string, length int) (_ *sink, err error) {
	s := &sink{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	l, err := h.Link(linkName)
	if err != nil {
		return nil, err
	}
	s.count, err = ebpf.NewMap(&ebpf.MapSpec{Name: "count", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make the sink's counter: %w", err)
	}
	s.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "count", Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), // __sk_buff.len
		asm.JNE.Imm(asm.R2, int32(length), "pass"),
		asm.StoreImm(asm.R10, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, s.count.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 2), // TC_ACT_SHOT
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("pass"), // TC_ACT_OK
		asm.Return(),
	}})
	if err != nil {
		return nil, fmt.Errorf("load the sink: %w", err)
	}
	err = h.Do(func() error {
		s.link, err = link.AttachTCX(link.TCXOptions{Program: s.prog, Interface: l.Attrs().Index, Attach: ebpf.AttachTCXIngress})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attach the sink to %s: %w", linkName, err)
	}
	return s, nil
}

// packets returns how many came so far.
func (s *sink) packets() (n uint64, err error) {
	if err := s.count.Lookup(uint32(0), &n); err != nil {
		return 0, fmt.Errorf("read the sink: %w", err)
	}
	return n, nil
}

func (s *sink) close() {
	if s.link != nil {
		s.link.Close()
	}
	if s.prog != nil {
		s.prog.Close()
	}
	if s.count != nil {
		s.count.Close()
	}
}
