package bench

import (
	"runtime"
	"testing"
)

func TestLineTrip(t *testing.T) {
	if trip, err := lineTrip(0, 0); err != nil || trip != 0 {
		t.Errorf("from a CPU to itself: %v ns, %v; must be 0", trip, err)
	}
	if _, err := lineTrip(0, 1<<12); err == nil {
		t.Error("a CPU that is not there was reached")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU only")
	}
	// A line does not leave a core in less than some cycles, and is not lost for a millisecond.
	if trip, err := lineTrip(contenderCPU(), generatorCPU()); err != nil || trip < 2 || trip > 1e6 {
		t.Errorf("from one CPU to another: %v ns, %v", trip, err)
	}
}
