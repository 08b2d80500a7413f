package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cpuTime is what one CPU has done since the machine started, in ticks of 1/100 s
// (proc(5), /proc/stat).
type cpuTime struct{ busy, stolen, all float64 }

const ticksPerSecond = 100 // USER_HZ

// cpuTimes reads it of each CPU, by number.
func cpuTimes() (map[int]cpuTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	return parseStat(string(text))
}

func parseStat(text string) (map[int]cpuTime, error) {
	all := map[int]cpuTime{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		name, isCPU := strings.CutPrefix(fields[0], "cpu")
		if !isCPU || name == "" {
			continue
		}
		cpu, err := strconv.Atoi(name)
		if err != nil || len(fields) < 9 {
			return nil, fmt.Errorf("read /proc/stat: %q", line)
		}
		var t cpuTime
		for i, f := range fields[1:9] { // user nice system idle iowait irq softirq steal
			v, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return nil, fmt.Errorf("read /proc/stat: %w", err)
			}
			t.all += v
			switch i {
			case 3, 4:
			case 7:
				t.stolen += v
			default:
				t.busy += v
			}
		}
		all[cpu] = t
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read /proc/stat: no CPUs")
	}
	return all, nil
}

// usage is what CPUs did for some time.
type usage struct {
	steal     float64 // part of the time of all
	generator float64 // seconds that the generator's CPU was busy
	others    float64 // seconds that the others were, in all
}

// between compares two readings.
func between(before, after map[int]cpuTime) usage {
	var u usage
	var stolen, all float64
	for cpu, a := range after {
		b := before[cpu]
		stolen += a.stolen - b.stolen
		all += a.all - b.all
		if cpu == generatorCPU() {
			u.generator += (a.busy - b.busy) / ticksPerSecond
		} else {
			u.others += (a.busy - b.busy) / ticksPerSecond
		}
	}
	u.steal = stolen / max(all, 1)
	return u
}
