package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/netdev"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	alone := func(cpu int) string { return fmt.Sprint(cpu) }
	pairs := func(cpu int) string { return fmt.Sprint(cpu % 4) } // 0 and 4, 1 and 5 and so on
	serves := func(cpus ...int) (at netdev.Placement) {
		for _, cpu := range cpus {
			at.Interrupts = append(at.Interrupts, netdev.Interrupt{CPUs: []int{cpu}})
		}
		return at
	}
	node := func(cpus ...int) netdev.Placement { return netdev.Placement{Node: cpus} }
	for _, c := range []struct {
		name   string
		cpus   []int
		n      int
		at     netdev.Placement
		core   func(int) string
		number int
		want   []int
	}{
		{"first", []int{3, 2, 1, 0}, 2, netdev.Placement{}, alone, 0, []int{3, 2}},
		{"another gateway", []int{3, 2, 1, 0}, 2, netdev.Placement{}, alone, 3, []int{0, 3}},
		{"all", []int{1, 0}, 2, serves(1), alone, 0, []int{0, 1}},
		{"beside the interrupts", []int{3, 2, 1, 0}, 2, serves(3, 1), alone, 0, []int{2, 0}},
		{"interrupts for all", []int{3, 2, 1, 0}, 1, netdev.Placement{Interrupts: []netdev.Interrupt{{CPUs: []int{2, 3}}}}, alone, 0, []int{3}},
		{"near", []int{3, 2, 1, 0}, 2, node(0, 1), alone, 0, []int{1, 0}},
		{"near is too few", []int{3, 2, 1, 0}, 3, node(0, 1), alone, 0, []int{1, 0, 3}},
		{"whole cores", []int{7, 6, 5, 4, 3, 2, 1, 0}, 5, netdev.Placement{}, pairs, 0, []int{7, 6, 5, 4, 3}},
		{"a core rather than no interrupts", []int{5, 4, 1, 0}, 2, serves(4), pairs, 0, []int{5, 4}},
	} {
		if got := place(c.cpus, c.n, c.at, c.core, c.number); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCountWorkers(t *testing.T) {
	t.Parallel()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	have := set.Count()
	some := 0
	for !set.IsSet(some) {
		some++
	}
	for _, c := range []struct {
		workers uint32
		cpus    config.CPUs
		wires   int
		want    int
		says    string
	}{
		{0, nil, 1, 1, ""},
		{0, nil, 64, max(have/2, 1), ""},
		{1, nil, 64, 1, ""},
		{0, config.CPUs{some}, 64, 1, ""},
		{uint32(have) + 1, nil, 1, 0, "do not fit on"},
		{0, config.CPUs{8000}, 1, 0, "CPU 8000 is not there"},
	} {
		cfg := config.Default()
		cfg.Dataplane.Workers, cfg.Dataplane.CPUs = c.workers, c.cpus
		n, err := newGateway(&cfg, slog.New(slog.DiscardHandler)).countWorkers(c.wires)
		var bad *config.Error
		if n != c.want || c.says == "" && err != nil || c.says != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%d workers, cpus %v, %d queues: %d, %v; want %d and %q", c.workers, c.cpus, c.wires, n, err, c.want, c.says)
		}
	}
}

func TestSharedCPU(t *testing.T) {
	t.Parallel()
	all := []netdev.Interrupt{{Number: 24, Name: "ens18", CPUs: []int{1}}, {Number: 25, Name: "ens18-rx-0", CPUs: []int{0}}, {Number: 26, Name: "ens18-rx-1", CPUs: []int{1}}, {Number: 27, Name: "ens18-tx", CPUs: []int{0, 1}}}
	if names, cure := shared(1, all); names != "ens18 ens18-rx-1" || !strings.Contains(cure, "tee /proc/irq/24/smp_affinity_list /proc/irq/26/smp_affinity_list;") {
		t.Errorf("%q, cure %q", names, cure)
	}
	if names, _ := shared(2, all); names != "" {
		t.Errorf("%q at a CPU that serves none", names)
	}
}
