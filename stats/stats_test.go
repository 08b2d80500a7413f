package stats

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/control"
)

// What was counted before the first look, by another process, or for a remote that was
// forgotten makes no rate.
func TestRates(t *testing.T) {
	t.Parallel()
	status := func(pid int, uptime float64, packets uint64) *control.Status {
		return &control.Status{PID: pid, Uptime: uptime, Remotes: []control.Remote{{Address: "10.0.0.2", Traffic: control.Traffic{RxPackets: packets, RxBytes: 100 * packets}}}}
	}
	for _, tc := range []struct {
		name        string
		now, before *control.Status
		want        *Rates
	}{
		{"the first", status(1, 10, 500), nil, nil},
		{"two seconds later", status(1, 12, 700), status(1, 10, 500), &Rates{RxPackets: 100, RxBits: 80_000}},
		{"another process", status(2, 12, 700), status(1, 10, 500), nil},
		{"the same number in another boot", status(1, 3, 700), status(1, 10, 500), nil},
		{"forgotten meanwhile", status(1, 11, 7), status(1, 10, 500), &Rates{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Make(tc.now, tc.before)
			if got := s.Remotes[0].Rates; (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
				t.Errorf("rates %+v, want %+v", got, tc.want)
			}
		})
	}
}

// A loss is told from others by its event, interface and queue.
func TestLossRates(t *testing.T) {
	t.Parallel()
	status := func(uptime float64, full ...uint64) *control.Status {
		s := &control.Status{PID: 1, Uptime: uptime, Workers: []control.Worker{{SlowFailed: full[0]}}}
		for i, n := range full {
			s.Underlay.Queues = append(s.Underlay.Queues, control.Queue{Queue: i, Kernel: control.Kernel{RxRingFull: n}})
		}
		return s
	}
	got := map[string]float64{}
	for _, l := range Make(status(20, 100, 7, 40), status(10, 50, 0, 40)).Kernel {
		got[fmt.Sprintf("%s %d", l.Event, l.id().queue)] = *l.Rate
		if l.Sentence == "" {
			t.Errorf("%s has no sentence", l.Event)
		}
	}
	want := map[string]float64{"rx_ring_full 0": 5, "rx_ring_full 1": 0.7, "rx_ring_full 2": 0, "slow_failed -1": 5}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rates (-want +got):\n%s", d)
	}
}
