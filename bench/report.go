package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Report is everything that one run of the bench measured, and under which
// conditions.
type Report struct {
	Date     time.Time `json:"date"`
	Kernel   string    `json:"kernel"`
	CPU      string    `json:"arch"`
	CPUs     int       `json:"cpus"`
	Memory   InMemory  `json:"memory"`
	EndToEnd *EndToEnd `json:"end_to_end,omitempty"`
	LeftOut  string    `json:"left_out,omitempty"` // why there is no end to end
}

// Options says how long to measure.
type Options struct {
	Program string // path of the gw that is measured end to end
	Quick   bool
	Out     io.Writer // progress, and the table
}

// Run measures everything: in memory, and as root end to end.
func Run(ctx context.Context, o Options) (Report, error) {
	r := Report{Date: time.Now().UTC().Truncate(time.Second), CPU: runtime.GOARCH, CPUs: runtime.NumCPU()}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		r.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	rounds, window := 21, 2*time.Second
	if o.Quick {
		rounds, window = 15, 700*time.Millisecond
	}
	fmt.Fprintf(o.Out, "gw bench: kernel %s, %s, %d CPUs, %s\n\n", r.Kernel, r.CPU, r.CPUs, r.Date.Format(time.DateOnly))
	var err error
	if r.Memory, err = MeasureInMemory(o.Quick, o.Out); err != nil {
		return r, err
	}
	if os.Geteuid() != 0 {
		r.LeftOut = "end to end was left out: it makes network namespaces, and that needs root"
		fmt.Fprintf(o.Out, "\n%s\n", r.LeftOut)
		return r, nil
	}
	fmt.Fprintf(o.Out, "\nEnd to end: 64-byte frames, veth in copy mode, saturated, not jailed (generator on CPU %d), counted at the sink\n", runtime.NumCPU()-1)
	e, err := MeasureEndToEnd(ctx, o.Program, rounds, window, func(t Turn) {
		fmt.Fprintf(o.Out, "  %-6s %8.0f packets/s  (steal %.1f %%)\n", t.Contender, t.Rate, 100*t.Steal)
	})
	if err != nil {
		return r, err
	}
	r.EndToEnd = &e
	fmt.Fprintf(o.Out, "  gw's worker, null and asavie ran on CPU %d\n", e.CPU)
	for _, c := range e.Comparisons {
		fmt.Fprintf(o.Out, "  %v\n", c)
	}
	return r, nil
}
