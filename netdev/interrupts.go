package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vxgw/config"
)

// Interrupt is one by which the queues of a NIC call.
type Interrupt struct {
	Number int
	Name   string // as /proc/interrupts has it
	CPUs   []int  // that serve it
}

// Placement is where a NIC is, as far as that matters for who works with it.
type Placement struct {
	Node       []int // CPUs of the NUMA node that it is at, nil where that is all the same
	Interrupts []Interrupt
}

// PlacementOf returns where an interface is. One without hardware is nowhere, and so is
// what /sys and /proc do not show.
func PlacementOf(info Info) (Placement, error) {
	root, err := openSysfs()
	if err != nil {
		return Placement{}, fmt.Errorf("find out where %s is: %w", info.Name, err)
	}
	defer root.Close()
	p, err := placementAt(root, "/proc/irq", info.ID())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Placement{}, fmt.Errorf("find out where %s is: %w", info.Name, err)
	}
	return p, nil
}

func placementAt(root sysfs, irqs string, link LinkID) (p Placement, err error) {
	if node, err := root.read(link, "device/numa_node"); err == nil && node != "-1" {
		if list, err := root.text("devices/system/node/node" + node + "/cpulist"); err == nil {
			p.Node = cpuList(list)
		}
	}
	// A virtio NIC is a device of the bus virtio, and its interrupts are those of the one
	// on the PCI bus around it.
	numbers, err := root.list(link, "device/msi_irqs")
	if errors.Is(err, fs.ErrNotExist) {
		numbers, err = root.list(link, "device/../msi_irqs")
	}
	if err != nil {
		return p, err
	}
	for _, s := range numbers {
		n, err := strconv.Atoi(s)
		if err != nil {
			continue
		}
		if i, ok := interrupt(filepath.Join(irqs, s), n); ok {
			p.Interrupts = append(p.Interrupts, i)
		}
	}
	slices.SortFunc(p.Interrupts, func(a, b Interrupt) int { return a.Number - b.Number })
	return p, nil
}

// interrupt reads the folder of one in /proc/irq. Those that nobody handles, and those that
// tell of the card and not of packets, are left out.
func interrupt(dir string, number int) (Interrupt, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Interrupt{}, false
	}
	i := Interrupt{Number: number}
	for _, e := range entries {
		if e.IsDir() { // named after who handles it
			i.Name = e.Name()
		}
	}
	list, err := os.ReadFile(filepath.Join(dir, "effective_affinity_list"))
	if err != nil {
		list, err = os.ReadFile(filepath.Join(dir, "smp_affinity_list"))
	}
	i.CPUs = cpuList(strings.TrimSpace(string(list)))
	return i, err == nil && i.Name != "" && len(i.CPUs) > 0 && !strings.HasSuffix(i.Name, "-config")
}

// cpuList reads what the kernel writes, nil where that is no list of CPUs.
func cpuList(text string) []int {
	var c config.CPUs
	if c.UnmarshalText([]byte(text)) != nil {
		return nil
	}
	return c
}

// list returns the names in a folder of an interface.
func (s sysfs) list(link LinkID, folder string) ([]string, error) {
	f, err := s.open(link, folder, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
