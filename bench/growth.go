package bench

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"vxgw/fdb"
)

// Growth is what a worker sees of an FDB that grows beside it: rounds of the same work, while another goroutine adds so many
// entries, and before.
type Growth struct {
	Entries   int     `json:"entries"`            // afterwards
	Added     float64 `json:"entries_per_second"` // by the other goroutine
	Rounds    int     `json:"rounds"`             // of the worker meanwhile
	AtRest    Rounds  `json:"at_rest"`
	Meanwhile Rounds  `json:"meanwhile"`
}

// Rounds is how long a worker's rounds took, in microseconds. Rounds of a full batch: a table that made workers wait while it is
// copied would show in the longest.
type Rounds struct {
	Median  float64 `json:"median_us"`
	P999    float64 `json:"p99_9_us"`
	Longest float64 `json:"longest_us"`
}

// String is the growth in lines.
func (g Growth) String() string {
	return fmt.Sprintf("the FDB grows to %d entries, %.1f million a second, beside %d rounds of a worker\n"+
		"      round at rest    median %.1f us, 99.9 %% %.1f us, longest %.1f us\n"+
		"      while it grows   median %.1f us, 99.9 %% %.1f us, longest %.1f us",
		g.Entries, g.Added/1e6, g.Rounds, g.AtRest.Median, g.AtRest.P999, g.AtRest.Longest, g.Meanwhile.Median, g.Meanwhile.P999, g.Meanwhile.Longest)
}

// MeasureGrowth has a worker forward between few stations while the FDB gets a number of others. It fails when a frame is lost
// meanwhile or the FDB refuses an entry.
func MeasureGrowth(c LoopConfig, entries int, rest time.Duration) (g Growth, err error) {
	c.Room = entries
	l, err := NewLoop(c)
	if err != nil {
		return g, err
	}
	defer l.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.warm()
	took := make([]float64, 0, 1<<22)
	round := func() {
		if s := l.Run(1); len(took) < cap(took) {
			took = append(took, float64(s.Worker)/1e3)
		}
	}
	for end := time.Now().Add(rest); time.Now().Before(end) || len(took) < 1000; {
		round()
	}
	g.AtRest, took = summary(took), took[:0]
	table, grown := l.site.plane.FDB, make(chan error)
	var rounds atomic.Int64
	start := time.Now()
	go func() {
		half := uint32(entries / 2)
		err := grow(table, 0, half)
		for before := rounds.Load(); rounds.Load() == before; { // lest all is over before the worker gets a CPU
			time.Sleep(10 * time.Microsecond)
		}
		grown <- errors.Join(err, grow(table, half, uint32(entries)))
	}()
	for running := true; running; {
		select {
		case err = <-grown:
			running = false
		default:
			round()
			rounds.Add(1)
		}
	}
	g.Added = float64(entries) / time.Since(start).Seconds()
	g.Rounds, g.Meanwhile, g.Entries = len(took), summary(took), table.Len()
	if err != nil {
		return g, err
	}
	return g, l.Check()
}

// grow adds the entries from one number up to another.
func grow(t *fdb.Table, from, to uint32) error {
	for i := from; i < to; i++ {
		if o := t.Learn(fdb.MakeKey(0, newcomers.mac(i)), fdb.PortDest(0), 1); o != fdb.Added {
			return fmt.Errorf("entry %d of %d: %v", i, to, o)
		}
	}
	return nil
}

func summary(took []float64) Rounds {
	if len(took) == 0 {
		return Rounds{}
	}
	slices.Sort(took)
	return Rounds{round2(median(took)), round2(took[len(took)*999/1000]), round2(took[len(took)-1])}
}
