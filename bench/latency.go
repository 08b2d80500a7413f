package bench

import "math/bits"

// Latencies are kept in buckets of which each is about 3 % of its value wide: 32 to each
// power of two. traffic.c has the same ones.

const (
	buckets = 1200 // the last one has all above 2^41 ns too
	fine    = 5    // bits of a value that are kept
)

// histogram counts values of nanoseconds by bucket.
type histogram [buckets]uint64

// bucketOf returns the bucket of a value.
func bucketOf(ns uint64) int {
	shift := bits.Len64(ns) - 1
	if shift < fine {
		return int(ns)
	}
	return min((shift-fine+1)<<fine+int(ns>>(shift-fine)&(1<<fine-1)), buckets-1)
}

// bucketEnd returns the first value above a bucket.
func bucketEnd(i int) uint64 {
	if i < 1<<fine {
		return uint64(i) + 1
	}
	shift := i>>fine - 1
	return (1<<fine + uint64(i&(1<<fine-1)) + 1) << shift
}

// count is how many values there are.
func (h *histogram) count() (n uint64) {
	for _, v := range h {
		n += v
	}
	return n
}

// sub takes away what was counted before.
func (h *histogram) sub(before *histogram) {
	for i := range h {
		h[i] -= before[i]
	}
}

// quantile returns a value that a part q of all is not above, to the width of a bucket; 0
// where there are none.
func (h *histogram) quantile(q float64) uint64 {
	all := h.count()
	want := uint64(q*float64(all) + 0.5)
	var n uint64
	for i, v := range h {
		if n += v; v > 0 && n >= want {
			return bucketEnd(i)
		}
	}
	return 0
}

// Latency is how long frames took from the generator to the sink, in microseconds.
type Latency struct {
	Offered float64 `json:"offered_per_second"` // the load
	Frames  uint64  `json:"frames"`
	P50     float64 `json:"p50_us"`
	P90     float64 `json:"p90_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
	// Buckets are the counts behind it, each with the end of its bucket in nanoseconds.
	Buckets [][2]uint64 `json:"buckets_ns"`
}

// latency sums a histogram up.
func (h *histogram) latency(offered float64) *Latency {
	us := func(q float64) float64 { return round2(float64(h.quantile(q)) / 1e3) }
	l := &Latency{Offered: round2(offered), Frames: h.count(), P50: us(0.5), P90: us(0.9), P99: us(0.99), P999: us(0.999)}
	for i, n := range h {
		if n > 0 {
			l.Buckets = append(l.Buckets, [2]uint64{bucketEnd(i), n})
		}
	}
	return l
}
