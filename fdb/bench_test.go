package fdb

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of the tables under test: in the first-level cache, around the last-level cache, far out of it.
var benchSizes = []int{1_000, 1_000_000, 10_000_000}

// filled makes a table of n entries with random unicast MACs, and returns the keys in another order than they came in.
func filled(tb testing.TB, n int) (*Table, []Key) {
	tb.Helper()
	t, err := New(Config{MaxEntries: max(n, 1000)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = t.Close() })
	keys := make([]Key, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range keys {
		keys[i] = MakeKey(uint16(i&0xfff), rng.Uint64()&^(1<<40)|2<<40)
		if o := t.Learn(keys[i], RemoteDest(uint32(i)), 1); o != Added {
			tb.Fatalf("learn entry %d of %d: %v", i, n, o)
		}
	}
	rng.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return t, keys
}

// cpuTime is the time that this thread has had, so that neighbours on a shared machine do not count.
func cpuTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

// floor is what the machine itself takes for one load from a random one of the buckets in use, all loads of a batch
// independent of one another, in ns. With wait, a batch starts when the one before has arrived, as it does for a caller
// that uses what it looked up; without, loads stream through batches, which no table with a call per batch can do.
func floor(t *Table, loads, batch int, wait bool) float64 {
	n := t.geometry(&t.shards[0]).buckets() * uint64(len(t.shards))
	x, sum := uint64(88172645463325252), uint64(0)
	start := cpuTime()
	for range loads / batch {
		if wait {
			x += sum & 1
		}
		for range batch {
			x = x*6364136223846793005 + 1442695040888963407
			sum += t.buckets[(x>>32)*n>>32].key[0].Load()
		}
	}
	return float64(cpuTime()-start) / float64(loads)
}

// BenchmarkLookupBatch reports ns per look-up (R4), the two floors and its ratio to them (R5).
func BenchmarkLookupBatch(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t, keys := filled(b, n)
			missing := make([]Key, len(keys))
			for i, k := range keys {
				missing[i] = k ^ 1<<62
			}
			b.Logf("%d entries: %.2f bytes per entry", n, t.Stats().BytesPerEntry())
			for _, batch := range []int{32, 64} {
				b.Run(fmt.Sprintf("hit/%d", batch), func(b *testing.B) { benchBatches(b, t, keys, batch) })
				b.Run(fmt.Sprintf("miss/%d", batch), func(b *testing.B) { benchBatches(b, t, missing, batch) })
			}
			b.Run("one", func(b *testing.B) {
				i := 0
				for b.Loop() {
					if !t.Lookup(keys[i]).Found() {
						b.Fatal("lost")
					}
					if i++; i == len(keys) {
						i = 0
					}
				}
			})
			b.Run("learn-fresh", func(b *testing.B) {
				i := 0
				for b.Loop() {
					t.Learn(keys[i], t.Lookup(keys[i]).Dest(), 1)
					if i++; i == len(keys) {
						i = 0
					}
				}
			})
		})
	}
}

// benchBatches takes turns of about a millisecond with the floor and reports the medians.
func benchBatches(b *testing.B, t *Table, keys []Key, batch int) {
	const turn = 32768
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := make([]Value, batch)
	var ours, waiting, streaming, xWaiting, xStreaming []float64
	i := 0
	for b.Loop() {
		start := cpuTime()
		for range turn / batch {
			if i+batch > len(keys) {
				i = 0
			}
			t.LookupBatch(keys[i:i+batch], out)
			i += batch
		}
		mine := float64(cpuTime()-start) / turn
		wait, stream := floor(t, turn, batch, true), floor(t, turn, batch, false)
		ours, waiting, streaming = append(ours, mine), append(waiting, wait), append(streaming, stream)
		xWaiting, xStreaming = append(xWaiting, mine/wait), append(xStreaming, mine/stream)
	}
	b.ReportMetric(median(ours), "ns/lookup")
	b.ReportMetric(median(waiting), "ns/floor-batch")
	b.ReportMetric(median(streaming), "ns/floor-stream")
	b.ReportMetric(median(xWaiting), "x-batch")
	b.ReportMetric(median(xStreaming), "x-stream")
	b.ReportMetric(0, "ns/op")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// BenchmarkFill reports ns per new entry while a table grows from nothing to n entries.
func BenchmarkFill(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				t, _ := filled(b, n)
				b.StopTimer()
				_ = t.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}
