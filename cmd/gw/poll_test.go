package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/config"
)

// TestPoll has workers wait in each way. Frames flow in all of them, and settings of the interfaces that one of them
// makes are put back, also after a kill -9.
func TestPoll(t *testing.T) {
	t.Parallel()
	for _, poll := range []string{"adaptive", "busy", "interrupt"} {
		t.Run(poll, func(t *testing.T) {
			h, peer := newPoint(t)
			before := dump(t, h)
			args := append(everything(), "--poll", poll, "--cpus", lastCPU(t))
			g := start(t, h, args...)
			busy := poll == "busy"
			for _, link := range []string{"ens18", "gw42-x"} {
				deferred := strings.Contains(dump(t, h), "setting "+link+" napi_defer_hard_irqs 2\n")
				if deferred != busy {
					t.Errorf("interrupts of %s wait: %t", link, deferred)
				}
			}
			pings(t, h, peerAddress)
			pings(t, peer, ourAddress)
			s := g.status()
			if len(s.Workers) != 1 || busy != (s.Workers[0].Sleeps == 0) {
				t.Errorf("workers: %+v", s.Workers)
			}
			checkVerdicts(t, g)
			g.stop()
			clean(t, before, h)

			g = start(t, h, args...)
			g.end(unix.SIGKILL)
			output(t, h, "cleanup", "--iface", "ens18")
			clean(t, before, h)

			// Also without the privilege to look at this namespace's /sys, which one that runs has given up.
			g = prepareWithoutC(t, h, "", args...)
			g.begin()
			g.ready()
			eventually(t, func() string { return strings.Join(privileges(t, g, wanted), "\n") })
			g.stop()
			clean(t, before, h)
		})
	}
}

// lastCPU is one that this process may use.
func lastCPU(t *testing.T) string {
	t.Helper()
	var set unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &set))
	for cpu := len(set)*64 - 1; ; cpu-- {
		if set.IsSet(cpu) {
			text, err := config.CPUs{cpu}.MarshalText()
			must(t, err)
			return string(text)
		}
	}
}
