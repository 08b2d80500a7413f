package bench

import (
	"context"
	"testing"
	"time"
)

// TestGenerator wants every frame of a schedule as Go makes it, each size and remote, in both
// directions, and as many as were asked for, at once and at a rate. What is looked at is what
// arrives at the device under test.
func TestGenerator(t *testing.T) {
	b := newTestBed(t, false)
	for _, at := range []struct {
		d    Direction
		link string
	}{{Encap, portLink}, {Decap, wireLink}} {
		// The device under test takes frames without an skb only with NAPI.
		if err := b.dut.SetOffload(at.link, "rx-gro", true); err != nil {
			t.Fatal(err)
		}
		m := Traffic{MACs: 200, Remotes: 100} // of all sizes
		g, err := b.generator(at.d, newSchedule(at.d, m), m, measured)
		if err != nil {
			t.Fatal(err)
		}
		c := contender{} // passes frames on as they are
		seen, err := b.dut.Capture(at.link, marked(exitOffset(at.d, c.tunnel), measured))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		const at0, paced = 200, 300
		if err := g.send(at0, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := seen.Wait(ctx, at0, nil); err != nil {
			t.Fatalf("%v: %v", at.d, err)
		}
		if err := g.send(paced, 50_000); err != nil {
			t.Fatal(err)
		}
		frames, err := seen.Wait(ctx, at0+paced, nil)
		if err != nil {
			t.Fatalf("%v: %v", at.d, err)
		}
		cancel()
		sizes := map[int]int{}
		for _, f := range frames {
			if err := c.check(f, at.d, m, measured); err != nil {
				t.Fatalf("%v: %v", at.d, err)
			}
			sizes[len(f.Data)]++
		}
		if len(frames) != at0+paced || len(sizes) != len(imix) {
			t.Errorf("%v: %d frames, by length %v", at.d, len(frames), sizes)
		}
		if sent, runs, err := g.counts(); err != nil || sent != paced || runs <= sent {
			t.Errorf("%v: %d sent in %d runs, %v", at.d, sent, runs, err)
		}
		if err := seen.Close(); err != nil {
			t.Error(err)
		}
		if err := g.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSink counts what comes through a forwarder, with its bytes and its latencies, and nothing
// else. Each frame that carries the time is in one bucket.
func TestSink(t *testing.T) {
	b := newTestBed(t, true)
	r, err := forwarding(testProgram(), "own")(t.Context(), newPlace(t, b, encapOnly))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.jail(); err != nil {
		t.Fatal(err)
	}
	g, other := newTestGenerator(t, b, Encap, 512), newTestGeneratorOf(t, b, moving)
	k, err := b.sink(Encap, false, measured)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	if err := other.send(100, 0); err != nil {
		t.Fatal(err)
	}
	var s sample
	var got, before arrived
	for range 20 { // until no frame came after the sample was closed, since the forwarder did not get its CPU
		s, err = take([]flow{{g, k}}, pace{rate: 5_000, burst: 2, stamp: true}, 10*time.Millisecond, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		now, err := k.count()
		if err != nil {
			t.Fatal(err)
		}
		got = arrived{now.Packets - before.Packets, now.Bytes - before.Bytes}
		before = now
		if got.Packets > 0 && s.took.count() == got.Packets {
			break
		}
	}
	sent, _, err := g.counts()
	if err != nil {
		t.Fatal(err)
	}
	if got.Packets == 0 || got.Packets > sent || got.Bytes != 512*got.Packets {
		t.Errorf("%+v came of %d", got, sent)
	}
	if n := s.took.count(); n != got.Packets {
		t.Errorf("%d latencies of %d frames", n, got.Packets)
	}
	if s.lost < 0 || s.lost != 1-float64(got.Packets)/float64(sent) {
		t.Errorf("%v lost: %d of %d came", s.lost, got.Packets, sent)
	}
	if q := s.took.quantile(0.5); q == 0 || q > uint64(10*time.Second) {
		t.Errorf("half of them took %d ns", q)
	}
	plain, err := take([]flow{{g, k}}, pace{}, 0, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if n := plain.took.count(); n != 0 {
		t.Errorf("%d latencies of frames without the time", n)
	}
}

func newTestGeneratorOf(t *testing.T, b *bed, mark uint32) *generator {
	t.Helper()
	m := Traffic{MACs: 2, Size: innerLen, Remotes: 1}
	g, err := b.generator(Encap, newSchedule(Encap, m), m, mark)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// TestJail wants what receives on the device under test on one CPU, and at the other ends of
// its links on another.
func TestJail(t *testing.T) {
	b := newTestBed(t, true)
	r, err := kernelVTEP(t.Context(), newPlace(t, b, bothWays))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.jail(); err != nil {
		t.Fatal(err)
	}
	for _, end := range b.ends() {
		threads, err := end.host.NAPIThreads(end.link)
		if err != nil || len(threads) != 1 {
			t.Errorf("%s of %s: threads %v, %v", end.link, end.host.Name(), threads, err)
		}
		for _, thread := range threads {
			if cpus := affinity(t, thread); len(cpus) != 1 || cpus[0] != end.cpu {
				t.Errorf("%s of %s is received on CPUs %v, want %d", end.link, end.host.Name(), cpus, end.cpu)
			}
		}
	}
}

// TestAlone measures the generator, which has to keep its CPU busy, and to have sent what it
// was to.
func TestAlone(t *testing.T) {
	b := newTestBed(t, false)
	gens := map[Direction]*generator{Encap: newTestGenerator(t, b, Encap, innerLen), Decap: newTestGenerator(t, b, Decap, innerLen)}
	a, err := b.measureAlone(bothWays, gens, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if a.rate <= 0 || a.perSent < 0 || a.perSkip < 0 {
		t.Errorf("%+v", a)
	}
}
