package dataplane

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vxgw/fdb"
)

// side plays the kernel at one queue: it receives what feed makes, as fast as the
// worker takes it, and hands what the worker sends to check.
type side struct {
	end   end
	feed  func(n uint64) []byte // nil: it receives nothing
	check func(frame []byte)
	sent  uint64        // what it has received; read when it has ended
	steps atomic.Uint64 // each hands over all that was sent before it
}

// crowd is workers that run and the kernel's sides of their queues.
type crowd struct {
	*rig
	sides          []*side
	paused, ended  atomic.Bool
	kernels, inner sync.WaitGroup
}

func (c *crowd) start(out Sender) {
	for _, w := range c.workers {
		c.inner.Add(2)
		go func() { defer c.inner.Done(); w.Run() }()
		go func() { defer c.inner.Done(); w.Slow.Run(out, func(uint32) {}) }()
	}
	for _, d := range c.sides {
		c.kernels.Add(1)
		go func() {
			defer c.kernels.Done()
			for !c.ended.Load() {
				c.step(d)
			}
		}()
	}
}

func (c *crowd) step(d *side) {
	work := d.end.kernel.Take(func(_ uint64, f []byte) { d.check(f) })
	if d.feed != nil && !c.paused.Load() && d.end.kernel.Deliver(d.feed(d.sent)) {
		d.sent++
		work++
	}
	d.steps.Add(1)
	if work > 0 {
		c.workers[d.end.worker].Wake()
	} else {
		runtime.Gosched()
	}
}

// settle pauses the traffic and waits until all of it has come out.
func (c *crowd) settle() {
	c.paused.Store(true)
	kernels := func() {
		for _, d := range c.sides {
			for n := d.steps.Load(); d.steps.Load() < n+2; {
				runtime.Gosched()
			}
		}
	}
	kernels() // nothing is received any more
	for range 2 * len(c.workers) {
		for _, w := range c.workers { // it sleeps when it has nothing to do, and has handed over what it had
			for n := w.Counters.Sleeps.Load(); w.Counters.Sleeps.Load() < n+2; {
				w.Wake()
				runtime.Gosched()
			}
		}
	}
	kernels()
}

// end stops the kernel's sides, workers and slow paths, and returns how many frames were received.
func (c *crowd) end() (received uint64) {
	c.settle()
	c.ended.Store(true)
	c.kernels.Wait()
	for _, w := range c.workers {
		w.Stop()
		w.Slow.Stop()
	}
	c.inner.Wait()
	for _, d := range c.sides {
		received += d.sent
	}
	return received
}

// sequences checks that the numbers of each flow rise.
type sequences struct {
	t    *testing.T
	mu   sync.Mutex
	last [256]uint64
}

// numbered is a frame of one of 256 flows with a number, above 0.
func numbered(dst, src uint64, flow uint8, seq uint64) []byte {
	f := ipFrame(dst, src, uint16(flow), 26)
	binary.BigEndian.PutUint64(f[42:], seq)
	return f
}

func (s *sequences) check(inner []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flow, seq := inner[35], binary.BigEndian.Uint64(inner[42:])
	if seq <= s.last[flow] {
		s.t.Errorf("flow %d: %d came after %d", flow, seq, s.last[flow])
	}
	s.last[flow] = seq
}

// kernelSender is a kernel that sends what the slow path gives it at once.
type kernelSender func(packet []byte)

func (k kernelSender) Unsent() int { return 0 }

func (k kernelSender) Send(ip []byte) error {
	k(append(make([]byte, 14, 14+len(ip)), ip...))
	return nil
}

// Two workers that run, with frames that cross over in both directions and to a
// remote whose way goes from slow to direct again and again under traffic: no flow
// is reordered, every frame has one verdict and one owner.
func TestWorkersCross(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	r.more = append(r.more, r.open(Underlay, 1))
	for mac, to := range map[uint64]fdb.Dest{hostA: fdb.PortDest(0), hostB: fdb.PortDest(1), hostR: fdb.RemoteDest(0)} {
		must(t, r.plane.FDB.Add(fdb.MakeKey(0, mac), to, fdb.Static, 1))
	}
	toPort, toRemote := &sequences{t: t}, &sequences{t: t}
	outer := func(p []byte) { toRemote.check(p[50:]) }
	c := &crowd{rig: r, sides: []*side{
		{end: r.wire, check: outer, feed: func(n uint64) []byte { // crosses to port 1
			return tunnelled(t, remote, 42, 0, numbered(hostB, hostR, uint8(n&3), n+1))
		}},
		{end: r.more[0], check: outer},
		{end: r.ports[0], check: toPort.check, feed: func(n uint64) []byte {
			return numbered(hostR, hostA, uint8(n&15)|16, n+1)
		}},
		{end: r.ports[1], check: toPort.check, feed: func(n uint64) []byte { // half of it crosses to port 0
			if n&1 == 0 {
				return numbered(hostA, hostB, uint8(n&6)|32, n+1)
			}
			return numbered(hostR, hostB, uint8(n&14)|64, n+1)
		}},
	}}
	r.path(0, PathSlow)
	r.publish()
	c.start(kernelSender(outer))
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !ok(); time.Sleep(100 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute: %v", what, r.nonzero())
			}
		}
	}
	// flows lets frames flow for a while, of which some have the verdict.
	flows := func(v Verdict) {
		t.Helper()
		before, _ := r.verdicts(v)
		time.Sleep(3 * time.Millisecond)
		await(fmt.Sprintf("frames that are %v", v), func() bool { now, _ := r.verdicts(v); return now > before })
	}
	for range 10 {
		flows(ToKernel)
		r.path(0, PathDraining)
		r.publish()
		r.plane.Quiesce()
		await("the slow way has run dry", func() bool { return r.plane.Pending(0) == 0 })
		r.path(0, PathDirect)
		r.publish()
		flows(ToRemote)
		c.settle()
		r.path(0, PathSlow)
		r.publish()
		r.plane.Quiesce()
		c.paused.Store(false)
	}
	received := c.end()
	r.account()
	var sum uint64
	for v := range VerdictCount {
		n, _ := r.verdicts(Verdict(v))
		sum += n
	}
	if sum != received {
		t.Errorf("%d verdicts for %d frames: %v", sum, received, r.nonzero())
	}
	for _, v := range []Verdict{ToPort, ToRemote, ToKernel} {
		if n, _ := r.verdicts(v); n == 0 {
			t.Errorf("the traffic never came to %v", v)
		}
	}
	for _, l := range []*lane{r.workers[0].lanes[1], r.workers[1].lanes[0]} {
		if l.produced.Load() == 0 {
			t.Errorf("nothing crossed to worker %d", l.to.ID)
		}
	}
}
