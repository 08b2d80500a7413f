package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Poll is what a worker does when there is nothing to do.
type Poll string

// The ways to wait.
const (
	PollAdaptive  Poll = "adaptive"
	PollBusy      Poll = "busy"
	PollInterrupt Poll = "interrupt"
)

// CPUs is a list of CPUs by their numbers, each once and in order, written as the kernel
// does: 2,4-7 (Documentation/admin-guide/cputopology.rst). Nil leaves them to gw.
type CPUs []int

// maxCPU bounds the numbers: the kernel's NR_CPUS is at most 8,192.
const maxCPU = 1<<13 - 1

// MarshalText writes runs of more than two with a dash.
func (c CPUs) MarshalText() ([]byte, error) {
	var text []byte
	for i := 0; i < len(c); {
		end := i
		for end+1 < len(c) && c[end+1] == c[end]+1 {
			end++
		}
		if len(text) > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(c[i]), 10)
		switch {
		case end == i+1:
			text = append(text, ',')
			text = strconv.AppendInt(text, int64(c[end]), 10)
		case end > i:
			text = append(text, '-')
			text = strconv.AppendInt(text, int64(c[end]), 10)
		}
		i = end + 1
	}
	return text, nil
}

// UnmarshalText reads numbers and ranges with commas between them, and nothing from no text.
func (c *CPUs) UnmarshalText(text []byte) error {
	*c = nil
	if len(text) == 0 {
		return nil
	}
	var all CPUs
	for part := range strings.SplitSeq(string(text), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := cpuNumber(low)
		to, err2 := cpuNumber(high)
		if err != nil || err2 != nil || to < from {
			return fmt.Errorf("%s is not a list of CPUs (give one like 2,4-7)", show(string(text)))
		}
		for cpu := from; cpu <= to; cpu++ {
			all = append(all, cpu)
		}
	}
	slices.Sort(all)
	for i := range all[1:] {
		if all[i] == all[i+1] {
			return fmt.Errorf("%s has CPU %d twice (a worker has one of its own)", show(string(text)), all[i])
		}
	}
	*c = all
	return nil
}

// cpuNumber reads one; a sign or a space is none.
func cpuNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err == nil && n > maxCPU {
		err = strconv.ErrRange
	}
	return int(n), err
}

func (d *Dataplane) checkPolling() *problem {
	if n := uint32(len(d.CPUs)); n > 0 && d.Workers > n {
		return wrong("dataplane.cpus", "%d workers do not fit on %d CPUs, one on each (give more cpus, or fewer workers)", d.Workers, n)
	}
	return oneOf("dataplane.poll", d.Poll, PollAdaptive, PollBusy, PollInterrupt)
}
