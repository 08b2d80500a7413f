package dataplane

import (
	"math/bits"
	"testing"
	"time"

	"vxgw/fdb"
)

// Each size is counted within the smallest bound that it does not exceed.
func TestSizes(t *testing.T) {
	var all Sizes
	var mine sizes
	var want [SizeBuckets + 1]uint64
	var sum uint64
	for _, n := range []uint32{1, 2, 3, 4, 5, 8, 9, 255, 256, 257, 1 << 11, 1<<11 + 1, 1 << 15} {
		mine.note(n)
		sum += uint64(n)
		i := 0
		for ; i < SizeBuckets && n > 1<<i; i++ {
		}
		want[i]++
	}
	mine.addTo(&all)
	mine.addTo(&all) // nothing is counted twice
	for i := range want {
		if got := all.Counts[i].Load(); got != want[i] {
			t.Errorf("bucket %d has %d, want %d", i, got, want[i])
		}
	}
	if all.Sum.Load() != sum {
		t.Errorf("the sum is %d, want %d", all.Sum.Load(), sum)
	}
	if BatchSize > 1<<(SizeBuckets-1) {
		t.Errorf("no bound is as large as a batch, %d", BatchSize)
	}
}

// What a worker took at once is counted as one batch, whatever becomes of the frames.
func TestBatchSizes(t *testing.T) {
	r := newRig(t, 2)
	var want [SizeBuckets + 1]uint64
	total := uint64(0)
	for _, n := range []int{1, 1, 2, 3, 17, 64, 100} {
		for i := range n {
			r.deliver(r.ports[0], ipFrame([]uint64{hostR, 0}[i%2], hostA, 1, 100))
		}
		r.run()
		r.take(r.wire)
		r.take(r.ports[1])
		r.run()
		want[bits.Len(uint(n-1))]++
		total += uint64(n)
	}
	r.run()
	b := &r.worker.Counters.Batches
	for i := range want {
		if got := b.Counts[i].Load(); got != want[i] {
			t.Errorf("%d batches in bucket %d, want %d", got, i, want[i])
		}
	}
	if b.Sum.Load() != total {
		t.Errorf("%d frames in batches, %d came", b.Sum.Load(), total)
	}
}

// Rounds that move something are what a worker is busy with, the others it spins.
func TestBusy(t *testing.T) {
	r := newRig(t, 1)
	w := r.worker
	for range 4 * timedEvery {
		w.timed()
	}
	if busy, spun := w.Counters.Busy.Load(), w.Counters.Spun.Load(); busy != 0 || spun == 0 {
		t.Errorf("after nothing it was busy for %d ns, and spun for %d", busy, spun)
	}
	spun := w.Counters.Spun.Load()
	r.pin(hostR, fdb.RemoteDest(0))
	begin := time.Now()
	for range 4 * timedEvery {
		r.toRemote(100)
		w.timed()
		r.take(r.wire)
	}
	took := time.Since(begin)
	busy := time.Duration(w.Counters.Busy.Load())
	if busy == 0 || w.Counters.Spun.Load() != spun {
		t.Errorf("with a frame in each round it was busy for %v, and spun for %d ns, before %d", busy, w.Counters.Spun.Load(), spun)
	}
	if busy > timedEvery*took { // the rounds that were timed are among all
		t.Errorf("it was busy for %v in %v", busy, took)
	}
}

// Those of a domain are told at each census, also what came since the last one, and go with it.
func TestReasonsAtEachCensus(t *testing.T) {
	r := newRigWith(t, 1, 0)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.worker.Run(); err != nil {
			t.Error(err)
		}
	}()
	for !r.worker.running.Load() {
		time.Sleep(time.Millisecond)
	}
	r.allTold()
	await := func(want DomainDrops) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			got := r.plane.Ledger().Dropped[0]
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v, want %+v", got, want)
			}
		}
	}
	want := DomainDrops{}
	drop := func(v Verdict, frame []byte) {
		r.deliver(r.ports[0], frame)
		r.worker.Wake()
		want.Frames++
		want.Reasons[v]++
	}
	for range 3 {
		drop(BadSourceMAC, ipFrame(hostB, 0, 1, 0))
		await(want)
		await(want)
		drop(LinkLocal, ipFrame(bridgeGroup, hostA, 1, 0))
		await(want)
		r.plane.Forget(Leaving{Domains: []uint16{0}})
		want = DomainDrops{}
		await(want)
	}
	r.worker.Stop()
	<-ended
}
