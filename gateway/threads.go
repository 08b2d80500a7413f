package gateway

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/dataplane"
)

// What the kernel knows of a worker's thread. Whoever asks for the status pays for it, not the worker.

// threadTimes returns how long a worker's thread had its CPU, and how long it waited for it although it
// could have run. Zero for what cannot be known: the thread does not run, or the kernel does not count.
func threadTimes(w *dataplane.Worker) (cpu, waited time.Duration) {
	tid := w.Thread()
	if tid == 0 {
		return 0, 0
	}
	var ts unix.Timespec
	if unix.ClockGettime(threadClock(tid), &ts) == nil {
		cpu = time.Duration(ts.Nano())
	}
	// CPU time, time on the run queue, turns; in nanoseconds (Documentation/scheduler/sched-stats.rst).
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/schedstat", tid))
	if f := strings.Fields(string(text)); err == nil && len(f) == 3 {
		ns, _ := strconv.ParseInt(f[1], 10, 64) // a file of the kernel's
		waited = time.Duration(ns)
	}
	return cpu, waited
}

// threadClock is the clock of a thread's CPU time: what pthread_getcpuclockid(3) makes of one of the
// process (include/linux/posix-timers_types.h: CPUCLOCK_PERTHREAD_MASK, CPUCLOCK_SCHED).
func threadClock(tid int) int32 { return ^int32(tid)<<3 | 4 | 2 }
