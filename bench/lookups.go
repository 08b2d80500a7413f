package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"vxgw/fdb"
)

// lookupBatch is how many addresses a call of R4 looks up.
const lookupBatch = 32

// lookupGoal is R4 and R5 for a number of addresses.
type lookupGoal struct{ must, aim, ratioMust, ratioAim float64 }

var lookupGoals = map[int]lookupGoal{
	1_000_000:  {20, 12, 1.8, 1.3},
	10_000_000: {27, 18, 1.8, 1.3},
}

// lookups measures R4, a look-up in the FDB alone, in turns with what the machine takes for one load from a random line of as
// much memory: R5. The loads of R5 are all independent, which no caller that uses what it looked up can have; the figure
// behind it lets each batch wait for the one before.
func (s *site) lookups(d time.Duration) ([]Figure, error) {
	n := s.config.MACs
	l, err := newLoads(s.plane.FDB.Stats().Bytes)
	if err != nil {
		return nil, err
	}
	keys, want := s.lookupKeys()
	out := make([]fdb.Value, lookupBatch)
	at := 0
	batches := func(count int, use func(at int)) {
		for range count {
			if at == len(keys) {
				at = 0
			}
			s.plane.FDB.LookupBatch(keys[at:at+lookupBatch], out)
			if use != nil {
				use(at)
			}
			at += lookupBatch
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	batches(len(keys)/lookupBatch, func(at int) {
		for i, v := range out {
			if v.Dest() != want[at+i] && err == nil {
				err = fmt.Errorf("look %v up: it is at %v instead of %v", keys[at+i], v.Dest(), want[at+i])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	const turn = 1 << 15
	timed := func(fn func()) float64 {
		start := time.Now()
		fn()
		return float64(time.Since(start)) / turn
	}
	var ns, load, overLoad, overWait []float64
	for end := time.Now().Add(d); time.Now().Before(end) || len(ns) < 10; {
		ours := timed(func() { batches(turn/lookupBatch, nil) })
		stream := timed(func() { l.run(turn, lookupBatch, false) })
		wait := timed(func() { l.run(turn, lookupBatch, true) })
		ns, load = append(ns, ours), append(load, stream)
		overLoad, overWait = append(overLoad, ours/stream), append(overWait, ours/wait)
	}
	size := fmt.Sprintf("%d addresses", n)
	r4 := figure("R4", "FDB look-up in batches of 32, "+size, "ns", ns)
	r5 := figure("R5", "that over independent random loads from as much memory", "x", overLoad)
	if g, ok := lookupGoals[n]; ok {
		r4, r5 = r4.with(g.must, g.aim), r5.with(g.ratioMust, g.ratioAim)
	}
	return []Figure{r4, r5,
		figure("", "over the same where a batch of loads waits for the one before", "x", overWait),
		figure("", "floor: an independent random load, "+size, "ns", load),
	}, l.unmap()
}

// lookupKeys are keys in the FDB, in random order, and where it has them.
func (s *site) lookupKeys() ([]fdb.Key, []fdb.Dest) {
	n := min(max(s.config.MACs, 1<<15), 1<<20)
	keys, want := make([]fdb.Key, n), make([]fdb.Dest, n)
	random := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range keys {
		of := nearSide
		if random.Uint32()&1 == 0 {
			of = farSide
		}
		number := random.Uint32N(s.config.half())
		keys[i], want[i] = s.key(of, number), s.dest(of, number)
	}
	n -= n % lookupBatch
	return keys[:n], want[:n]
}
