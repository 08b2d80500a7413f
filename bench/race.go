//go:build race

package bench

// With the race detector, which allocates and makes everything tens of times as slow, figures mean nothing: what is left is
// whether the loops are right.
const (
	raceEnabled     = true
	sliceSteps      = 8
	allocationSteps = 8
	allocationTries = 1
)
