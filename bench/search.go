package bench

import (
	"math"
	"time"
)

// maxLoss is the part of the frames that may be lost at a rate that still counts.
const maxLoss = 0.001

// The search for the highest such rate.
const (
	searchGap   = 1.05 // between the highest rate that held and the lowest that did not
	searchFloor = 1000 // frames per second, below which nothing is looked for
	tries       = 2    // for each rate: a machine that is shared loses some frames for other reasons
	searchSteps = 10   // rates in all
)

// highest looks for the highest rate that holds, between nothing and a rate known to be
// too high. Try tells whether a rate does.
func highest(first, above float64, try func(rate float64) (bool, error)) (float64, error) {
	below, next := 0.0, min(first, above/searchGap)
	for step := 0; step < searchSteps && next >= searchFloor; step++ {
		held := false
		for range tries {
			var err error
			if held, err = try(next); err != nil {
				return 0, err
			}
			if held {
				break
			}
		}
		if held {
			below = next
		} else {
			above = next
		}
		if below > 0 && above/below <= searchGap {
			break
		}
		if below == 0 {
			next = above * 0.7
		} else {
			next = math.Sqrt(below * above)
		}
	}
	return below, nil
}

// lossless is the highest rate at which at most maxLoss of the frames are lost. It is what
// was sent, not what was asked for.
func lossless(flows []flow, saturated sample, window time.Duration) (rate, lost float64, err error) {
	best := sample{seconds: 1}
	above := max(saturated.offered(), saturated.rate()) * searchGap
	_, err = highest(saturated.rate()*0.85, above, func(rate float64) (bool, error) {
		s, err := take(flows, pace{rate: rate}, window/4, window)
		if err != nil || s.lost > maxLoss {
			return false, err
		}
		best = s
		return true, nil
	})
	return best.offered(), best.lost, err
}
