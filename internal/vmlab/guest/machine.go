package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// mountAll makes the file systems that programs look for. A kernel may lack the last ones.
func mountAll() error {
	for _, m := range []struct {
		kind, at string
		optional bool
	}{
		{"proc", "/proc", false},
		{"sysfs", "/sys", false},
		{"devtmpfs", "/dev", false},
		{"tmpfs", "/run", false},
		{"tmpfs", "/tmp", false},
		{"bpf", "/sys/fs/bpf", true},
		{"tracefs", "/sys/kernel/tracing", true},
		{"cgroup2", "/sys/fs/cgroup", true},
	} {
		err := unix.Mount(m.kind, m.at, m.kind, 0, "")
		if err != nil && !m.optional && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

// load loads a kernel module from a file.
func load(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// calm has the kernel ask longer for neighbours: who is emulated may take more than the usual three seconds to answer,
// after which what waits is thrown away. Links that are made later, and cards that move, take this over.
func calm() error {
	for _, family := range []string{"ipv4", "ipv6"} {
		if err := os.WriteFile("/proc/sys/net/"+family+"/neigh/default/mcast_solicit", []byte("15"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("be patient with neighbours: %w", err)
		}
	}
	return nil
}

// short names the drivers of the lab's cards.
var short = map[string]string{"igb": "igb", "virtio_net": "vio", "e1000e": "e1e"}

// nameCards names network cards after their driver and the last byte of their MAC, and brings up lo.
func nameCards() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		a := l.Attrs()
		if a.Name == "lo" {
			if err := netlink.LinkSetUp(l); err != nil {
				return fmt.Errorf("bring up lo: %w", err)
			}
			continue
		}
		driver, err := os.Readlink(filepath.Join("/sys/class/net", a.Name, "device/driver"))
		if err != nil || len(a.HardwareAddr) != 6 {
			continue // no card
		}
		kind, ok := short[filepath.Base(driver)]
		if !ok {
			continue
		}
		name := fmt.Sprintf("%s%d", kind, a.HardwareAddr[5])
		if err := netlink.LinkSetName(l, name); err != nil {
			return fmt.Errorf("name %s %s: %w", a.Name, name, err)
		}
	}
	return nil
}
