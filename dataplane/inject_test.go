package dataplane

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/fdb"
)

// script is a Reader that delivers packets in turn, then io.EOF.
type script [][]byte

// Read cuts as a datagram socket does.
func (s *script) Read(buf []byte) (int, error) {
	if len(*s) == 0 {
		return 0, io.EOF
	}
	n := copy(buf, (*s)[0])
	*s = (*s)[1:]
	return n, nil
}

// inject has the kernel deliver packets, from their Ethernet header on, by the other way.
func (r *rig) inject(packets ...[]byte) {
	r.t.Helper()
	r.injectBy(r.worker.Inject, packets...)
}

func (r *rig) injectBy(j *Inject, packets ...[]byte) {
	r.t.Helper()
	var s script
	for _, p := range packets {
		s = append(s, p[ethernet:])
	}
	if err := j.Run(&s); !errors.Is(err, io.EOF) {
		r.t.Fatal(err)
	}
}

// wantInjected compares what was taken and what was dropped in front of the worker.
func (r *rig) wantInjected(taken, tooLong, queueFull, noFrame int) {
	r.t.Helper()
	j := r.worker.Inject
	got := []uint64{j.Packets.Load(), j.TooLong.Load(), j.QueueFull.Load(), j.NoFrame.Load()}
	if want := []uint64{uint64(taken), uint64(tooLong), uint64(queueFull), uint64(noFrame)}; !slices.Equal(got, want) {
		r.t.Errorf("taken, too long, queue full, no frame: %d, want %d", got, want)
	}
	r.account()
}

// wantVerdict wants n frames to have v, and no others to be there.
func (r *rig) wantVerdict(v Verdict, n int) {
	r.t.Helper()
	for other := range VerdictCount {
		want := uint64(0)
		if Verdict(other) == v {
			want = uint64(n)
		}
		if got, _ := r.verdicts(Verdict(other)); got != want {
			r.t.Errorf("%d frames %v, want %d", got, Verdict(other), want)
		}
	}
}

// withOptions puts IPv4 options into a packet, and no right checksum.
func withOptions(p []byte, b ...byte) []byte {
	p = slices.Insert(slices.Clone(p), 34, b...)
	p[14] += byte(len(b) / 4)
	binary.BigEndian.PutUint16(p[16:], uint16(len(p)-14))
	return p
}

// What comes by way of the kernel is worked on as what comes from the ring: same
// bytes out, same verdict, same thing learned.
func TestInjectedAsReceived(t *testing.T) {
	inner := ipFrame(hostA, hostR, 7, 1400)
	good := tunnelled(t, remote, 42, 0, inner)
	spoiled := func(at int, b byte) []byte { p := slices.Clone(good); p[at] ^= b; return p }
	for _, tt := range []struct {
		name   string
		packet []byte
		want   Verdict
	}{
		{"good", good, ToPort},
		{"as long as a frame holds", tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 7, 3600)), TooBig},
		{"header checksum wrong, which the kernel has checked", spoiled(24, 1), ToPort},
		{"options with a checksum of before", withOptions(good, 7, 7, 8, 10, 0, 0, 1, 0), ToPort},
		{"source route", withOptions(good, 131, 7, 4, 10, 0, 0, 1, 0), IPOptions},
		{"our own address", tunnelled(t, local, 42, 0, inner), Martian},
		{"TTL 0", spoiled(22, 64), TTL},
		{"unknown VNI", tunnelled(t, remote, 43, 0, inner), UnknownVNI},
		{"no flags", spoiled(42, 8), BadFlags},
		{"UDP checksum wrong", spoiled(40, 1), UDPChecksum},
		{"cut", good[:34], Short},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 1)
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
			r.inject(tt.packet)
			r.run()
			r.wantInjected(1, 0, 0, 0)
			r.wantVerdict(tt.want, 1)
			if n := r.worker.Inject.Bytes.Load(); n != uint64(len(tt.packet)) {
				t.Errorf("%d bytes counted, want %d", n, len(tt.packet))
			}
			out := r.take(r.ports[0])
			if (tt.want == ToPort) != (len(out) == 1) {
				t.Fatalf("%d frames came out", len(out))
			}
			if len(out) == 0 {
				return
			}
			if !bytes.Equal(out[0].data, inner) {
				t.Errorf("out came % x", out[0].data)
			}
			if v := r.plane.FDB.Lookup(fdb.MakeKey(0, hostR)); !v.Found() || v.Dest() != fdb.RemoteDest(0) {
				t.Errorf("learned %v", v)
			}
		})
	}
}

// What comes by way of the kernel for a port that is another worker's crosses over to it.
func TestInjectedCrosses(t *testing.T) {
	r := newRigWith(t, 2, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
	inner := ipFrame(hostA, hostR, 7, 100)
	r.inject(tunnelled(t, remote, 42, 0, inner), tunnelled(t, remote, 42, 0, inner))
	r.run()
	if out := r.take(r.ports[0]); len(out) != 2 || !bytes.Equal(out[1].data, inner) {
		t.Errorf("%d frames came out", len(out))
	}
	r.wantInjected(2, 0, 0, 0)
	r.wantVerdict(ToPort, 2)
}

// The queue is bounded, and so is what a packet may have; what does not fit is
// counted, and what waits when all ends comes back.
func TestInjectBounds(t *testing.T) {
	r := newRig(t, 1)
	p := tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 7, 100))
	for range injectQueue + 70 {
		r.inject(p)
	}
	r.wantInjected(0, 0, 70, 0)
	if n := r.worker.Round(); n != BatchSize {
		t.Errorf("a round took %d packets, want %d", n, BatchSize)
	}
	r.run()
	r.take(r.ports[0])
	r.run()
	r.wantInjected(injectQueue, 0, 70, 0)

	room := r.plane.Memory.FrameSize() - injectAt
	for _, n := range []int{room - 1, room, room + 1, 1 << 16} {
		r.inject(make([]byte, ethernet+n))
	}
	r.run()
	r.wantInjected(injectQueue+1, 3, 70, 0)

	pool := r.plane.Depot.NewPool()
	var held []uint64
	r.worker.Inject.pool.Drain()
	for addr, ok := pool.Get(); ok; addr, ok = pool.Get() {
		held = append(held, addr)
	}
	r.inject(p, p, p)
	for _, addr := range held {
		pool.Put(addr)
	}
	pool.Drain()
	r.wantInjected(injectQueue+1, 3, 70, 3)

	r.inject(p, p)
	r.wantInjected(injectQueue+1, 3, 70, 3) // with two in the queue
	r.worker.Inject.drain()
	if n := r.worker.Inject.pool.Len(); n != 0 || waiting(r.worker.Inject.queue) != 0 {
		t.Errorf("%d frames in the pool and %d in the queue", n, waiting(r.worker.Inject.queue))
	}
	r.account()
}

// A worker that sleeps is woken for each packet, however it comes.
func TestInjectWakes(t *testing.T) {
	r := newRig(t, 1)
	r.snap.Ports[0].Up = false // nobody takes what is sent
	r.publish()
	ended := make(chan error)
	go func() { ended <- r.worker.Run() }()
	in := make(chan []byte)
	go func() { ended <- r.worker.Inject.Run(feed(in)) }()
	p := tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 7, 100))
	for i := range 200 {
		slept := r.worker.Counters.Sleeps.Load()
		in <- p[ethernet:]
		if i%20 == 0 {
			for deadline := time.Now().Add(20 * time.Second); r.worker.Counters.Sleeps.Load() == slept; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the worker does not go to sleep again")
				}
			}
		}
		for deadline := time.Now().Add(20 * time.Second); r.worker.Inject.Packets.Load() <= uint64(i); time.Sleep(10 * time.Microsecond) {
			if time.Now().After(deadline) {
				t.Fatalf("packet %d was not taken", i)
			}
		}
	}
	close(in)
	<-ended
	r.worker.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.wantInjected(200, 0, 0, 0)
	r.wantVerdict(Flooded, 200)
}

type feed chan []byte

// Read waits for the test.
func (f feed) Read(buf []byte) (int, error) {
	p, ok := <-f
	if !ok {
		return 0, io.EOF
	}
	return copy(buf, p), nil
}

// The worker's part allocates nothing, as all of its paths.
func TestInjectAllocatesNothing(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
	p := tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 7, 100))
	const runs = 50
	var sum uint64
	for range runs {
		r.inject(p, p, p, p)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r.run()
		runtime.ReadMemStats(&after)
		sum += after.Mallocs - before.Mallocs
		r.take(r.ports[0])
	}
	if sum/runs > 0 { // what else goes on in the process counts too
		t.Errorf("%d allocations in %d runs", sum, runs)
	}
	r.wantInjected(4*runs, 0, 0, 0)
	r.wantVerdict(ToPort, 4*runs)
}

// TestInjectedEndsSleep injects a packet between the last look at what was injected and the sleep: nobody wakes the worker for it.
func TestInjectedEndsSleep(t *testing.T) {
	for name, of := range map[string]func(*Worker) *Inject{
		"IPv4": func(w *Worker) *Inject { return w.Inject },
		"IPv6": func(w *Worker) *Inject { return w.Inject6 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			w := r.worker
			unix.Read(w.bed.event, make([]byte, 8)) // of the first snapshot
			addr, _ := of(w).pool.Get()
			if !of(w).push(addr, 60) {
				t.Fatal("the queue is full")
			}
			late := time.AfterFunc(time.Minute, w.Wake)
			if err := w.sleep(); err != nil {
				t.Fatal(err)
			}
			if !late.Stop() {
				t.Error("it slept although a packet waits")
			}
		})
	}
}
