package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// generator sends the frames of a schedule out of a link as fast as the kernel can, or at
// a rate: an XDP program that BPF_PROG_TEST_RUN feeds with live frames, so that no skb is
// made for them. It keeps its CPU busy either way: what is not due yet is dropped inside
// the program, since a call takes some 25 ms to set up. One goroutine at a time uses it.
//
//	newGenerator   once per direction and mix
//	set            the pace
//	start, stop    or send, for a number of frames
type generator struct {
	host  *lab.Host
	link  string
	cpu   int
	frame []byte
	inner int // where the inner frame begins
	objs  generatorObjects

	thread   atomic.Int32 // that sends; 0: none
	stopping atomic.Bool
	ended    chan error
}

type generatorObjects struct {
	Program  *ebpf.Program  `ebpf:"generate"`
	Schedule *ebpf.Map      `ebpf:"schedule"`
	Interval *ebpf.Variable `ebpf:"interval"`
	Burst    *ebpf.Variable `ebpf:"burst"`
	Stamp    *ebpf.Variable `ebpf:"stamp"`
	Limit    *ebpf.Variable `ebpf:"limit"`
	Due      *ebpf.Variable `ebpf:"due"`
	InBurst  *ebpf.Variable `ebpf:"in_burst"`
	Sent     *ebpf.Variable `ebpf:"sent"`
	Runs     *ebpf.Variable `ebpf:"runs"`
}

// pace says how frames are sent.
type pace struct {
	rate  float64 // frames per second; 0: as fast as can be
	burst int     // frames that come at once; 0: one
	stamp bool    // whether they carry the time
	limit uint64  // frames in all; 0: no end
}

// newGenerator prepares to send a schedule of a kind of traffic, whose length is a power of
// two, out of a link.
func newGenerator(h *lab.Host, linkName string, d Direction, schedule []entry, m Traffic, mark uint32) (_ *generator, err error) {
	l, err := h.Link(linkName)
	if err != nil {
		return nil, err
	}
	g := &generator{host: h, link: linkName, cpu: generatorCPU()}
	var s sums
	if g.frame, s, err = basePacket(d, m, mark); err != nil {
		return nil, err
	}
	g.inner = len(g.frame) - m.largest() - m.tag(d)
	from, to := d.sides()
	err = loadEnd(&g.objs, map[string]any{
		"ifindex": uint32(l.Attrs().Index), "outer": uint32(g.inner), "tag": uint32(m.tag(d)), "last": uint32(len(schedule) - 1),
		"full": uint32(m.largest()), "src_side": swapped(from), "dst_side": swapped(to), "scatter": uint32(scatter), "mark": mark,
		"ip_sum": s.ip, "udp_sum": s.udp, "outer_sum": s.outer,
	}, len(schedule))
	if err != nil {
		return nil, fmt.Errorf("load the generator: %w", err)
	}
	keys := make([]uint32, len(schedule))
	for i := range keys {
		keys[i] = uint32(i)
	}
	const chunk = 1 << 16
	for at := 0; at < len(keys); at += chunk {
		end := min(at+chunk, len(keys))
		if _, err := g.objs.Schedule.BatchUpdate(keys[at:end], schedule[at:end], nil); err != nil {
			return nil, errors.Join(fmt.Errorf("fill the schedule: %w", err), g.close())
		}
	}
	return g, nil
}

// swapped is the side as the wire has it, read by this machine.
func swapped(s side) uint16 {
	b := macBytes(uint64(s) << 32)
	return binary.NativeEndian.Uint16(b[:])
}

func (g *generator) close() error { return closeAll(g.objs.Program, g.objs.Schedule) }

// set changes the pace and counts anew. The generator is not running.
func (g *generator) set(p pace) error {
	interval := uint64(0)
	if p.rate > 0 {
		interval = uint64(math.Round(256e9 / p.rate))
	}
	stamp := uint32(0)
	if p.stamp {
		stamp = 1
	}
	return errors.Join(
		g.objs.Interval.Set(interval), g.objs.Burst.Set(uint32(max(p.burst, 1))), g.objs.Stamp.Set(stamp), g.objs.Limit.Set(p.limit),
		g.objs.Due.Set(uint64(0)), g.objs.InBurst.Set(uint32(0)), g.objs.Sent.Set(uint64(0)), g.objs.Runs.Set(uint64(0)))
}

// counts returns how many frames were sent since set, and how often the program ran.
func (g *generator) counts() (sent, runs uint64, err error) {
	err = errors.Join(g.objs.Sent.Get(&sent), g.objs.Runs.Get(&runs))
	return sent, runs, err
}

// Batches of the kernel's: what is redirected goes out when one is through, and that is
// part of the latency where frames are waited for.
const (
	floodBatch = 64
	pacedBatch = 16
)

// start sends until stop.
func (g *generator) start(p pace) error {
	if err := g.set(p); err != nil {
		return err
	}
	batch := uint32(floodBatch)
	if p.rate > 0 {
		batch = pacedBatch
	}
	g.stopping.Store(false)
	g.ended = make(chan error, 1)
	go func() { g.ended <- g.run(batch) }()
	return nil
}

// run sends, from one CPU: a veth without threads receives on the CPU that sends, and a
// generator that wanders would measure the scheduler.
func (g *generator) run(batch uint32) error {
	runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
	if err := pin(0, g.cpu); err != nil {
		return fmt.Errorf("pin the generator: %w", err)
	}
	return g.host.Do(func() error {
		g.thread.Store(int32(unix.Gettid()))
		defer g.thread.Store(0)
		for !g.stopping.Load() {
			err := runLive(g.objs.Program.FD(), g.frame, math.MaxInt32, batch)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("run the generator: %w", err)
			}
		}
		return nil
	})
}

// stop ends what start began: a signal interrupts the call.
func (g *generator) stop() error {
	g.stopping.Store(true)
	for {
		if t := g.thread.Load(); t != 0 {
			_ = unix.Tgkill(unix.Getpid(), int(t), unix.SIGURG) // Go's own signal, of which it takes any number
		}
		select {
		case err := <-g.ended:
			return err
		case <-time.After(time.Millisecond):
		}
	}
}

// send sends n frames of the schedule from its beginning, at a rate or at once.
func (g *generator) send(n uint64, rate float64) error {
	if rate == 0 {
		if err := g.set(pace{}); err != nil {
			return err
		}
		return g.host.Do(func() error {
			for {
				sent, _, err := g.counts()
				if err != nil || sent >= n {
					return err
				}
				if err := runLive(g.objs.Program.FD(), g.frame, uint32(n-sent), floodBatch); err != nil && !errors.Is(err, unix.EINTR) {
					return fmt.Errorf("run the generator: %w", err)
				}
			}
		})
	}
	if err := g.start(pace{rate: rate, limit: n}); err != nil {
		return err
	}
	for {
		sent, _, err := g.counts()
		if err != nil || sent >= n {
			return errors.Join(err, g.stop())
		}
		select {
		case err := <-g.ended:
			g.ended <- err // it could not go on: stop says why
			return g.stop()
		case <-time.After(time.Millisecond):
		}
	}
}

// pin has a thread run on one CPU; 0 is the caller's.
func pin(thread, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(thread, &set)
}

// generatorCPU is the CPU of the generator and of the sink.
func generatorCPU() int { return runtime.NumCPU() - 1 }

// contenderCPU is the CPU of what is measured. It is the generator's where there is no other.
func contenderCPU() int { return max(runtime.NumCPU()-2, 0) }
