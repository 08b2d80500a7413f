package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// Report is everything that one run of the bench measured, and under which
// conditions.
type Report struct {
	Date      time.Time `json:"date"`
	Kernel    string    `json:"kernel"`
	CPU       string    `json:"arch"`
	Processor string    `json:"processor,omitempty"`
	CPUs      int       `json:"cpus"`
	Load      float64   `json:"load"` // of the machine over the minute before (proc(5), loadavg)
	Quick     bool      `json:"quick,omitempty"`
	Seconds   float64   `json:"seconds"` // that it took
	Memory    InMemory  `json:"memory"`
	EndToEnd  *EndToEnd `json:"end_to_end,omitempty"`
	LeftOut   string    `json:"left_out,omitempty"` // why there is no end to end
}

// Options says what to measure, and for how long.
type Options struct {
	Program string // path of the gw that is measured end to end
	Quick   bool
	Only    []string  // words of which the name of a cell has to have one; "memory" is the half in memory. None: all
	Dir     string    // for report.json and the pictures; empty: none
	Out     io.Writer // progress, and the table
}

// busyLoad is a load of the machine from which on its figures cannot be trusted.
const busyLoad = 0.7

// memoryWord chooses the half in memory.
const memoryWord = "memory"

// Run measures: in memory, and as root end to end.
func Run(ctx context.Context, o Options) (r Report, err error) {
	start := time.Now()
	r = Report{
		Date: start.UTC().Truncate(time.Second), Kernel: release(), CPU: runtime.GOARCH, Processor: processor(), CPUs: runtime.NumCPU(), Load: machineLoad(), Quick: o.Quick,
	}
	only := slices.DeleteFunc(slices.Clone(o.Only), func(w string) bool { return w == memoryWord })
	inMemory, endToEnd := len(o.Only) == 0 || len(only) < len(o.Only), len(o.Only) == 0 || len(only) > 0
	var cells []Cell
	if endToEnd {
		if cells, err = Cells(o.Quick, only); err != nil {
			return r, err
		}
	}
	if o.Dir != "" { // not after twenty minutes
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return r, fmt.Errorf("make the folder for the report: %w", err)
		}
	}
	fmt.Fprintf(o.Out, "gw bench: kernel %s, %s, %d CPUs, %s\n", r.Kernel, cmp.Or(r.Processor, r.CPU), r.CPUs, r.Date.Format(time.DateOnly))
	if r.Load > busyLoad {
		fmt.Fprintf(o.Out, "The machine is busy (load %.1f): figures will say little, those of a jail least.\n", r.Load)
	}
	if inMemory {
		if err := r.measureMemory(o); err != nil {
			return r, err
		}
	}
	if endToEnd {
		if err := r.measureEndToEnd(ctx, o, cells); err != nil {
			return r, err
		}
	}
	r.Seconds = round2(time.Since(start).Seconds())
	if o.Dir == "" {
		return r, nil
	}
	return r, r.write(o)
}

// measureMemory is the half in memory.
func (r *Report) measureMemory(o Options) error {
	fmt.Fprintln(o.Out)
	var err error
	r.Memory, err = MeasureInMemory(o.Quick, o.Out)
	return err
}

// Times of the half between namespaces.
var (
	thorough = span{rounds: 9, base: 10, searches: 8, window: 500 * time.Millisecond, short: 250 * time.Millisecond, budget: 16 * time.Minute}
	hasty    = span{rounds: 7, base: 7, searches: 8, window: 300 * time.Millisecond, short: 150 * time.Millisecond, budget: 75 * time.Second}
)

// measureEndToEnd is the half between namespaces.
func (r *Report) measureEndToEnd(ctx context.Context, o Options, cells []Cell) error {
	if os.Geteuid() != 0 {
		r.LeftOut = "end to end was left out: it makes network namespaces, and that needs root"
		fmt.Fprintf(o.Out, "\n%s\n", r.LeftOut)
		return nil
	}
	s := thorough
	if o.Quick {
		s = hasty
	}
	fmt.Fprintf(o.Out, "\nEnd to end: veth in copy mode, three namespaces, counted at the sink. Generator and sink on CPU %d, the rest on CPU %d.\n"+
		"A jailed contender has that CPU only, and the kernel's receiving for it happens there, too.\n", generatorCPU(), contenderCPU())
	e, err := MeasureEndToEnd(ctx, o.Program, cells, s, func(format string, args ...any) { fmt.Fprintf(o.Out, format, args...) })
	if err != nil {
		return err
	}
	r.EndToEnd = &e
	e.table(o.Out)
	return nil
}

// write puts the report and its pictures into their folder.
func (r *Report) write(o Options) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "report.json"), append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	drawn, err := r.draw(o.Dir)
	fmt.Fprintf(o.Out, "\nwritten to %s: report.json %s\n", o.Dir, joined(drawn))
	return err
}

func joined(names []string) string {
	s := ""
	for _, n := range names {
		s += n + " "
	}
	return s
}

var errNothing = errors.New("nothing to draw")
