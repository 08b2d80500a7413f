package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What a contender does with nothing to do, and how soon it is back at work.

// A frame of so few comes to a contender that has been at rest for long: adaptive polling and
// deferred interrupts are over within a millisecond.
const (
	loneRate   = 25                     // frames per second
	loneFrames = time.Second            // for so long
	settleRest = 100 * time.Millisecond // after which it has nothing to do
	restWindow = time.Second            // for which its CPU time is looked at
)

// rest measures the CPU time of a contender at rest, if it is a process, and the latency of
// lone frames.
func (s *scene) rest(r *running, flows []flow, t *Turn) error {
	time.Sleep(settleRest)
	if r.process != 0 {
		before, err := processTime(r.process)
		if err != nil {
			return err
		}
		time.Sleep(restWindow)
		after, err := processTime(r.process)
		if err != nil {
			return err
		}
		idle := (after - before).Seconds() / restWindow.Seconds()
		t.Idle = &idle
	}
	lone, err := take(flows, pace{rate: loneRate, stamp: true}, 0, loneFrames)
	if err == nil {
		t.Lone = lone.took.latency(lone.offered())
	}
	return err
}

// processTime is the CPU time that all threads of a process have had (proc(5), /proc/PID/task/TID/schedstat,
// in nanoseconds: /proc/PID/stat would count hundredths of a second).
func processTime(process int) (all time.Duration, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", process))
	if err != nil {
		return 0, err
	}
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that ended
		}
		fields := strings.Fields(string(text))
		if len(fields) == 0 {
			return 0, fmt.Errorf("read %s: it is empty", path)
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		all += time.Duration(n)
	}
	if all == 0 {
		return 0, fmt.Errorf("read the CPU time of process %d: it has no threads", process)
	}
	return all, nil
}
