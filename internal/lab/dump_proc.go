package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The part of Dump that is read from files.

// addGroups adds the multicast memberships: by protocol with their number of users, and those of the link layer.
func (d *dumper) addGroups() error {
	return d.Do(func() error {
		igmp, err := readNet("igmp")
		if err != nil {
			return err
		}
		dev := ""
		for _, line := range igmp { // net/ipv4/igmp.c, igmp_mc_seq_show: a line per link, then one per group, in hex
			if f := strings.Fields(line); len(f) < 2 {
				continue
			} else if strings.HasPrefix(line, "\t") {
				d.add("group %s ipv4 %s users %s", dev, f[0], f[1])
			} else {
				dev = f[1]
			}
		}
		igmp6, err := readNet("igmp6")
		if err != nil {
			return err
		}
		for _, line := range igmp6 { // net/ipv6/mcast.c, igmp6_mc_seq_show: index, link, group, users, flags, timer
			if f := strings.Fields(line); len(f) >= 4 {
				d.add("group %s ipv6 %s users %s", f[1], f[2], f[3])
			}
		}
		mcast, err := readNet("dev_mcast")
		if err != nil {
			return err
		}
		for _, line := range mcast { // net/core/net-procfs.c, dev_mc_seq_show: index, link, users, global users, address
			if f := strings.Fields(line); len(f) >= 5 {
				d.add("group %s link %s users %s %s", f[1], f[4], f[2], f[3])
			}
		}
		return nil
	})
}

// readNet returns the lines of a file of this thread's network namespace. A protocol that the kernel lacks has none.
func readNet(name string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join("/proc/thread-self/net", name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Split(string(b), "\n"), err
}

// addSysctls adds the settings of IPv4 and IPv6 of each link, of their neighbour tables, and the templates all and
// default.
func (d *dumper) addSysctls() error {
	return d.Do(func() error {
		for _, dir := range []string{"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"} {
			files, err := filepath.Glob(filepath.Join("/proc/sys/net", dir, "*", "*"))
			if err != nil {
				return err
			}
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					continue // stable_secret is EIO until it is set; some are for writing only; a link may go meanwhile
				}
				d.add("sysctl %s %s", strings.TrimPrefix(file, "/proc/sys/"), strings.TrimSpace(string(b)))
			}
		}
		return nil
	})
}

// deviceSettings are the files of a link below /sys/class/net that gw or a tuning guide may write.
var deviceSettings = []string{"napi_defer_hard_irqs", "gro_flush_timeout", "threaded"}

// addDeviceSettings reads /sys/class/net as the namespace sees it, through a sysfs of its own that is mounted nowhere.
func (d *dumper) addDeviceSettings(links []netlink.Link) error {
	return d.Do(func() error {
		ctx, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
		if err != nil {
			return fmt.Errorf("open sysfs: %w", err)
		}
		defer unix.Close(ctx)
		if err := unix.FsconfigCreate(ctx); err != nil {
			return fmt.Errorf("make sysfs: %w", err)
		}
		root, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
		if err != nil {
			return fmt.Errorf("mount sysfs: %w", err)
		}
		defer unix.Close(root)
		for _, l := range links {
			name := l.Attrs().Name
			for _, setting := range deviceSettings {
				if value, ok := readAt(root, filepath.Join("class/net", name, setting)); ok {
					d.add("setting %s %s %s", name, setting, value)
				}
			}
		}
		return nil
	})
}

// readAt returns the content of a file below the directory root, if it can be read.
func readAt(root int, path string) (string, bool) {
	fd, err := unix.Openat(root, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	b, err := io.ReadAll(f)
	return strings.TrimSpace(string(b)), err == nil
}
