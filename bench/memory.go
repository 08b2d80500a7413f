package bench

import (
	"runtime"
	"slices"
	"time"
)

// MemoryResult is what a packet costs the worker's own code, in nanoseconds.
type MemoryResult struct {
	ID        string    `json:"id"` // of the goal
	Direction Direction `json:"direction"`
	MACs      int       `json:"macs"`
	Ns        float64   `json:"ns_per_packet"` // median of the slices
	NsLow     float64   `json:"ns_low"`        // a tenth of the slices is below
	NsHigh    float64   `json:"ns_high"`       // a tenth of the slices is above
	Harness   float64   `json:"harness_ns"`    // median of what the bench itself spent per packet, not in Ns
	Must      float64   `json:"must_ns"`
	Aim       float64   `json:"aim_ns"`
	Slices    []float64 `json:"slices_ns"`
}

// goal is a line of the list of what is to be reached.
type goal struct {
	id        string
	macs      int
	must, aim float64 // ns per packet
}

var memoryGoals = []goal{
	{"R1", 1_000, 30, 15},
	{"R2", 1_000_000, 55, 32},
}

// sliceSteps makes a slice of about two milliseconds: short enough that most pass
// without a preemption on a busy machine, long enough to meet all that happens only
// every few batches.
const sliceSteps = 1024

// MeasureMemory runs a saturated worker over rings in memory for a while, on a thread of its own. The result is the median
// of many short slices, so that other work on the machine does not count.
func MeasureMemory(c LoopConfig, d time.Duration) (MemoryResult, error) {
	r := MemoryResult{Direction: c.Direction, MACs: c.MACs}
	l, err := NewLoop(c)
	if err != nil {
		return r, err
	}
	defer l.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.Run(max(sliceSteps, 2*c.MACs/64)) // every MAC and every frame has been touched
	var harness []float64
	for end := time.Now().Add(d); time.Now().Before(end) || len(r.Slices) < 10; {
		worker, own := l.Run(sliceSteps).NsPerPacket()
		r.Slices = append(r.Slices, round2(worker))
		harness = append(harness, own)
	}
	sorted := slices.Sorted(slices.Values(r.Slices))
	r.Ns, r.NsLow, r.NsHigh = median(sorted), sorted[len(sorted)/10], sorted[len(sorted)-1-len(sorted)/10]
	r.Harness = round2(median(harness))
	return r, l.Check()
}
