package main

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/internal/lab"
)

// TestPoll has workers wait in each way. Frames flow in all of them. Interrupts wait where workers receive by themselves, which
// over veth ends with Linux 6.12; that is put back, also after a kill -9.
func TestPoll(t *testing.T) {
	t.Parallel()
	interrupts, err := lab.SinceLinux(6, 13)
	must(t, err)
	for _, poll := range []string{"adaptive", "busy", "interrupt"} {
		t.Run(poll, func(t *testing.T) {
			h, peer := newPoint(t)
			before := dump(t, h)
			args := append(everything(), "--poll", poll, "--cpus", lastCPU(t))
			busy := poll == "busy"
			g := start(t, h, args...)
			talk := func() {
				t.Helper()
				pings(t, h, peerAddress)
				pings(t, peer, ourAddress)
				for _, link := range []string{"ens18", "gw42-x"} {
					eventually(t, func() string {
						if said := strings.Contains(g.log.String(), `"workers cannot receive by themselves here`) && strings.Contains(g.log.String(), `"iface":"`+link+`"`); said != (busy && interrupts) {
							return fmt.Sprintf("%s: %s is said to be polled by nobody: %t", poll, link, said)
						}
						if waits := strings.Contains(dump(t, h), "setting "+link+" napi_defer_hard_irqs 2\n"); waits != (busy && !interrupts) {
							return fmt.Sprintf("%s: interrupts of %s wait: %t", poll, link, waits)
						}
						return ""
					})
				}
			}
			talk()
			s := g.status()
			if len(s.Workers) != 1 || busy != (s.Workers[0].Sleeps == 0) {
				t.Errorf("workers: %+v", s.Workers)
			}
			checkVerdicts(t, g)
			g.stop()
			clean(t, before, h)

			g = start(t, h, args...)
			talk()
			g.end(unix.SIGKILL)
			output(t, h, "cleanup", "--iface", "ens18")
			clean(t, before, h)

			// Also without the privilege to look at this namespace's /sys, which one that runs has given up.
			g = prepareWithoutC(t, h, "", args...)
			g.begin()
			g.ready()
			eventually(t, func() string { return strings.Join(privileges(t, g, wanted), "\n") })
			talk()
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
