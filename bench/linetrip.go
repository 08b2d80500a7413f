package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// How far apart two CPUs are. Each packet takes a number of cache lines from the generator's CPU to the contender's and on to the
// sink's. Of a virtual machine's CPUs nobody says whether they are threads of one core, share a cache, or do neither, and the
// hypervisor may move them at any time: the same contender then carries half of what it did a second before.

// A trip is measured in slices, whose median leaves out those in which somebody else had one of the CPUs.
const (
	tripSlices = 41
	tripSlice  = 50 // trips
)

// baton is a word with a cache line of its own, and the ones beside it, which some CPUs fetch along.
type baton struct {
	_    [128]byte
	turn atomic.Uint32
	_    [128]byte
}

// lineTrip is how long a cache line takes from one CPU to another and back, in nanoseconds. Less than a millisecond where nobody else
// wants the two.
func lineTrip(from, to int) (float64, error) {
	if from == to {
		return 0, nil
	}
	var b baton
	took := make([]float64, 0, tripSlices)
	ready, begin, done := make(chan error, 2), make(chan bool), make(chan bool)
	on := func(cpu int, play func()) {
		runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
		ready <- pin(0, cpu)
		if <-begin {
			play()
		}
		done <- true
	}
	go on(to, func() {
		for i := uint32(1); i <= tripSlices*tripSlice; i++ {
			for b.turn.Load() != 2*i-1 {
			}
			b.turn.Store(2 * i)
		}
	})
	go on(from, func() {
		i := uint32(1)
		for range tripSlices {
			start := time.Now()
			for range tripSlice {
				b.turn.Store(2*i - 1)
				for b.turn.Load() != 2*i {
				}
				i++
			}
			took = append(took, float64(time.Since(start).Nanoseconds())/tripSlice)
		}
	})
	err := errors.Join(<-ready, <-ready)
	for range 2 {
		begin <- err == nil
	}
	<-done
	<-done
	if err != nil {
		return 0, fmt.Errorf("measure the way between CPUs %d and %d: %w", from, to, err)
	}
	return median(took), nil
}
