package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// MemoryResult is what a packet costs the worker's own code, in nanoseconds.
type MemoryResult struct {
	ID        string    `json:"id,omitempty"` // of the goal, if there is one
	Direction Direction `json:"direction"`
	Mix       Mix       `json:"mix"`
	MACs      int       `json:"macs"`
	VNIs      int       `json:"vnis"`
	Trunk     bool      `json:"trunk,omitempty"` // they are VLANs of one port
	Remotes   int       `json:"remotes"`
	Copies    int       `json:"copies,omitempty"`           // that flooding makes of a frame, which Ns is of
	Beside    float64   `json:"moves_per_second,omitempty"` // of other stations meanwhile, as it was
	Ns        float64   `json:"ns_per_packet"`              // median of the slices
	NsLow     float64   `json:"ns_low"`                     // a tenth of the slices is below
	NsHigh    float64   `json:"ns_high"`                    // a tenth of the slices is above
	Harness   float64   `json:"harness_ns"`                 // median of what the bench itself spent per packet, not in Ns
	Floor     float64   `json:"floor_ns,omitempty"`         // what the machine takes for what no gateway can do without, see floors
	OverFloor float64   `json:"over_floor,omitempty"`       // Ns over Floor
	Must      float64   `json:"must_ns,omitempty"`
	Aim       float64   `json:"aim_ns,omitempty"`
	Allocs    uint64    `json:"allocations"` // in allocationSteps steps
	Slices    []float64 `json:"slices_ns"`
}

// String is the result in a line.
func (r MemoryResult) String() string {
	what := fmt.Sprintf("%v, %v, %d MACs", r.Direction, r.Mix, r.MACs)
	if r.Copies > 1 {
		what += fmt.Sprintf(", %d copies", r.Copies)
	}
	if r.VNIs > 1 || r.Remotes > max(r.Copies, 2) {
		of := ""
		if r.Trunk {
			of = " of a trunk"
		}
		what += fmt.Sprintf(", %d VNIs%s, %d remotes", r.VNIs, of, r.Remotes)
	}
	if r.Beside > 0 {
		what += fmt.Sprintf(", %.0f moves/s", r.Beside)
	}
	line := fmt.Sprintf("%-2s  %-48s %6.1f ns  (10 %% below %.1f, 10 %% above %.1f", r.ID, what, r.Ns, r.NsLow, r.NsHigh)
	if r.Floor > 0 {
		line += fmt.Sprintf("; %.1f x floor of %.1f", r.OverFloor, r.Floor)
	}
	if r.Must > 0 {
		line += fmt.Sprintf("; must %.0f, aim %.0f", r.Must, r.Aim)
	}
	return line + ")"
}

// MeasureMemory runs a saturated worker over rings in memory for a while, on a thread of its own. The result is the median
// of many short slices, so that other work on the machine does not count.
func MeasureMemory(c LoopConfig, d time.Duration) (MemoryResult, error) {
	l, err := NewLoop(c)
	if err != nil {
		return MemoryResult{}, err
	}
	defer l.Close()
	return l.measure(d)
}

// measure is MeasureMemory for a loop that is there.
func (l *Loop) measure(d time.Duration) (MemoryResult, error) {
	c := l.site.config
	r := MemoryResult{Direction: c.Direction, Mix: c.Mix, MACs: c.MACs, VNIs: c.VNIs, Trunk: c.Trunk, Remotes: c.Remotes}
	if c.Mix == Flood {
		r.Copies = c.Copies
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.warm()
	m := l.site.startMover()
	start := time.Now()
	var harness []float64
	for end := start.Add(d); time.Now().Before(end) || len(r.Slices) < 10; {
		worker, own := l.Run(sliceSteps).NsPerPacket()
		r.Slices = append(r.Slices, round2(worker))
		harness = append(harness, own)
	}
	r.Allocs = l.allocations()
	r.Beside = float64(m.stop()) / time.Since(start).Seconds()
	sorted := slices.Sorted(slices.Values(r.Slices))
	r.Ns, r.NsLow, r.NsHigh = median(sorted), sorted[len(sorted)/10], sorted[len(sorted)-1-len(sorted)/10]
	r.Harness = round2(median(harness))
	return r, l.Check()
}

// warm runs until every packet was there once, and every frame has been touched.
func (l *Loop) warm() { l.Run(max(sliceSteps, l.packets.count/batchSteps)) }

// batchSteps is how many packets a step has at least, where the rings have room.
const batchSteps = 64

// allocations counts what the whole process allocates while the loop runs: the fewest of some tries, since the
// Go runtime itself allocates now and then, and a path that allocates does it each time.
func (l *Loop) allocations() uint64 {
	fewest := ^uint64(0)
	for range allocationTries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l.Run(allocationSteps)
		runtime.ReadMemStats(&after)
		if fewest = min(fewest, after.Mallocs-before.Mallocs); fewest == 0 {
			break
		}
	}
	return fewest
}
