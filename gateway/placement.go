package gateway

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
)

// Where workers run: of the CPUs that gw may use the best, which are, in this order,
// those at the NUMA node of the underlay's NIC, of a core that no worker before has, and those
// that do not serve the NIC's interrupts.

// usableCPUs lists the CPUs that this process may use, CPU 0 last, since it has the most
// other work; or of them those that the configuration names.
func (g *Gateway) usableCPUs() ([]int, error) {
	if asked := g.cfg.Dataplane.CPUs; len(asked) > 0 {
		return asked, checkCPUs(asked)
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("ask for the CPUs to use: %w", err)
	}
	var cpus []int
	for cpu := len(set)*64 - 1; cpu >= 0; cpu-- {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// checkCPUs makes sure that threads can be pinned to CPUs. Those that the kernel isolates
// (isolcpus=) are not in this process's set and can be asked for all the same; those that
// its cpuset lacks cannot.
func checkCPUs(cpus []int) error {
	bad := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
		for _, cpu := range cpus {
			var set unix.CPUSet
			set.Set(cpu)
			if !set.IsSet(cpu) || unix.SchedSetaffinity(0, &set) != nil {
				bad <- &config.Error{Problem: fmt.Sprintf("cpus: CPU %d is not there, or not for this process (grep . /sys/devices/system/cpu/online /sys/fs/cgroup/cpuset.cpus.effective)", cpu)}
				return
			}
		}
		bad <- nil
	}()
	return <-bad
}

// countWorkers is how many workers there are to be: asked, or where that is 0 one on each of
// the CPUs that are named for them, or as many as there are queues of the underlay and CPUs
// for them.
func (g *Gateway) countWorkers(wires int) (int, error) {
	asked := int(g.cfg.Dataplane.Workers)
	cpus, err := g.usableCPUs()
	switch {
	case err != nil:
		return 0, err
	case asked > len(cpus):
		return 0, &config.Error{Problem: fmt.Sprintf("%d workers do not fit on %d CPUs, one on each (give fewer, or 0 to leave it to gw)", asked, len(cpus))}
	case asked > 0:
		return asked, nil
	case len(g.cfg.Dataplane.CPUs) > 0:
		return len(cpus), nil
	}
	return max(min(wires, len(cpus)/2), 1), nil
}

// pickCPUs gives each worker a CPU, and warns of those that also serve interrupts of
// the underlay's NIC: they take turns with the worker when both have the most to do.
func (g *Gateway) pickCPUs() ([]int, error) {
	cpus, err := g.usableCPUs()
	if err != nil {
		return nil, err
	}
	if len(g.cfg.Dataplane.CPUs) > 0 {
		cpus = cpus[:g.workers]
	}
	at, err := netdev.PlacementOf(g.wire.info)
	if err != nil {
		g.log.Debug("which CPUs serve the underlay's interrupts is not known", "err", err)
	}
	picked := place(cpus, g.workers, at, siblings, g.wire.info.Index)
	if g.plane.Poll == dataplane.PollBusy { // it polls, and is not interrupted
		return picked, nil
	}
	for n, cpu := range picked {
		if names, cure := shared(cpu, at.Interrupts); names != "" {
			g.log.Warn("a worker shares its CPU with interrupts of the underlay", "worker", n, "cpu", cpu, "interrupts", names, "cure", cure)
		}
	}
	return picked, nil
}

// shared names the interrupts that a CPU alone serves, and says how to have others serve them.
func shared(cpu int, all []netdev.Interrupt) (names, cure string) {
	var called, files []string
	for _, i := range all {
		if slices.Equal(i.CPUs, []int{cpu}) {
			called, files = append(called, i.Name), append(files, fmt.Sprintf("/proc/irq/%d/smp_affinity_list", i.Number))
		}
	}
	return strings.Join(called, " "), fmt.Sprintf("echo OTHER | tee %s; or --cpus, or --poll busy", strings.Join(files, " "))
}

// place picks n of cpus, of which there are enough. Gateways on interfaces with other numbers
// start at others of those that are equally good. core tells the CPUs of a core.
func place(cpus []int, n int, at netdev.Placement, core func(cpu int) string, number int) []int {
	busy := map[int]bool{}
	for _, i := range at.Interrupts {
		if len(i.CPUs) == 1 {
			busy[i.CPUs[0]] = true
		}
	}
	cores := map[string]int{} // how many of its CPUs come before
	type seat struct{ cpu, far, nth, busy int }
	seats := make([]seat, len(cpus))
	for i := range cpus {
		s := seat{cpu: cpus[(i+number)%len(cpus)]}
		s.far = is(at.Node != nil && !slices.Contains(at.Node, s.cpu))
		s.busy = is(busy[s.cpu])
		s.nth = cores[core(s.cpu)]
		cores[core(s.cpu)]++
		seats[i] = s
	}
	slices.SortStableFunc(seats, func(a, b seat) int {
		return cmp.Or(a.far-b.far, a.nth-b.nth, a.busy-b.busy)
	})
	picked := make([]int, n)
	for i := range picked {
		picked[i] = seats[i].cpu
	}
	return picked
}

func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

// siblings names the core that a CPU belongs to by the CPUs of it; one that the kernel does
// not tell of is a core of its own.
func siblings(cpu int) string {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return fmt.Sprint(cpu)
	}
	return strings.TrimSpace(string(text))
}
