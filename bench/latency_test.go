package bench

import (
	"math/rand/v2"
	"testing"
)

// TestBuckets wants every value in a bucket that ends behind it, less than 1/32 of it
// further, and no bucket out of order.
func TestBuckets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := []uint64{0, 1, 31, 32, 33, 63, 64, 65, 1000, 1 << 40}
	for range 10_000 {
		values = append(values, random.Uint64()>>(24+random.UintN(40)))
	}
	for _, v := range values {
		i := bucketOf(v)
		if end := bucketEnd(i); v >= end || end-v > v/32+1 {
			t.Fatalf("%d is in bucket %d, which ends before %d", v, i, end)
		}
		if i > 0 && v < bucketEnd(i-1) {
			t.Fatalf("%d is in bucket %d, and below the end of the one before, %d", v, i, bucketEnd(i-1))
		}
	}
	if i := bucketOf(1 << 60); i != buckets-1 {
		t.Errorf("a very large one is in bucket %d", i)
	}
}

func TestQuantiles(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Errorf("of nothing: %d", h.quantile(0.5))
	}
	for v := range uint64(1000) { // 0 to 999 us
		h[bucketOf(v*1000)]++
	}
	l := h.latency(5e5)
	for _, q := range []struct {
		name      string
		got, want float64
	}{{"p50", l.P50, 500}, {"p90", l.P90, 900}, {"p99", l.P99, 990}, {"p99.9", l.P999, 999}} {
		if q.got < q.want-2 || q.got > q.want*33/32+2 {
			t.Errorf("%s is %v us, want %v", q.name, q.got, q.want)
		}
	}
	if l.Frames != 1000 || l.Offered != 5e5 {
		t.Errorf("%d frames at %v", l.Frames, l.Offered)
	}
	var n uint64
	for _, b := range l.Buckets {
		n += b[1]
	}
	if n != 1000 {
		t.Errorf("the buckets have %d", n)
	}
	before := h
	h[bucketOf(7)]++
	h.sub(&before)
	if h.count() != 1 || h.quantile(0.5) != 8 {
		t.Errorf("of one of 7 ns: %d, below %d", h.count(), h.quantile(0.5))
	}
}
