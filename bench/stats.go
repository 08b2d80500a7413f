package bench

import (
	"math"
	"slices"
)

// median returns the middle of values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// interval returns a confidence interval of the median of the distribution that
// values come from, and its level, which is at least 0.95: from the k-th smallest to
// the k-th largest value, k as large as can be. The level follows from the binomial
// distribution alone, whatever the values' own is (David, Nagaraja: Order
// Statistics, section 7.1). Fewer than six values have no such interval: ok is
// false.
func interval(values []float64) (low, high, level float64, ok bool) {
	n := len(values)
	s := slices.Sorted(slices.Values(values))
	tail := math.Pow(0.5, float64(n)) // P(Bin(n, 1/2) < k+1) of the k being looked at
	term := tail
	for k := 0; k < n/2; k++ {
		if 1-2*tail < 0.95 {
			break
		}
		low, high, level, ok = s[k], s[n-1-k], 1-2*tail, true
		term *= float64(n-k) / float64(k+1)
		tail += term
	}
	return low, high, level, ok
}

// round2 keeps two digits behind the point.
func round2(v float64) float64 { return math.Round(v*100) / 100 }

// round3 and round4 keep three and four.
func round3(v float64) float64 { return math.Round(v*1e3) / 1e3 }
func round4(v float64) float64 { return math.Round(v*1e4) / 1e4 }
