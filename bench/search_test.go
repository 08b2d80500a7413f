package bench

import (
	"errors"
	"math"
	"testing"
)

// TestHighest finds the rate from which on nothing holds, wherever it looks first.
func TestHighest(t *testing.T) {
	for _, limit := range []float64{2_000, 55_000, 700_000, 990_000} {
		for _, first := range []float64{1_500, 400_000, 850_000} {
			tried := 0
			got, err := highest(first, 1_000_000, func(rate float64) (bool, error) {
				tried++
				return rate <= limit, nil
			})
			if err != nil || got > limit {
				t.Errorf("limit %v, first %v: %v, %v", limit, first, got, err)
			}
			if near := math.Abs(math.Log(limit/first)) < 1; near && got < limit/(searchGap*searchGap) {
				t.Errorf("limit %v, first %v: found only %v", limit, first, got)
			}
			if tried > tries*searchSteps {
				t.Errorf("limit %v, first %v: %d tries", limit, first, tried)
			}
		}
	}
}

// TestHighestTriesAgain takes a rate that held the second time.
func TestHighestTriesAgain(t *testing.T) {
	seen := map[float64]int{}
	got, err := highest(850_000, 1_000_000, func(rate float64) (bool, error) {
		seen[rate]++
		return seen[rate] > 1 && rate < 900_000, nil
	})
	if err != nil || got < 850_000 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = highest(850_000, 1_000_000, func(float64) (bool, error) { return false, nil }); got != 0 || err != nil {
		t.Errorf("where none holds: %v, %v", got, err)
	}
	broken := errors.New("no")
	if _, err = highest(850_000, 1_000_000, func(float64) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
