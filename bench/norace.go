//go:build !race

package bench

const (
	raceEnabled = false
	// sliceSteps makes a slice of about two milliseconds: short enough that most pass without a preemption on a busy machine,
	// long enough to meet all that happens only every few batches.
	sliceSteps = 256
	// allocationSteps is over how many steps allocations are counted: none of them may be too rare to be seen.
	allocationSteps = 512
	allocationTries = 5
)
