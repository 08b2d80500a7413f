package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/config"
)

// capabilities that the start needs, by their bits (linux/capability.h).
var capabilities = []struct {
	bit  uint
	name string
}{
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, // XDP, links, neighbours
	{unix.CAP_NET_RAW, "CAP_NET_RAW"},     // AF_XDP and raw sockets
	{unix.CAP_BPF, "CAP_BPF"},             // programs and maps
	{unix.CAP_PERFMON, "CAP_PERFMON"},     // pointer arithmetic in programs (kernel/bpf/verifier.c, bypass_spec_v1)
}

// MissingCapabilities names those that this process would need for a gateway and lacks.
func MissingCapabilities() (missing []string, err error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return nil, fmt.Errorf("ask for the process's capabilities: %w", err)
	}
	has := func(bit uint) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	for _, c := range capabilities {
		bpf := c.bit == unix.CAP_BPF || c.bit == unix.CAP_PERFMON
		if !has(c.bit) && !(bpf && has(unix.CAP_SYS_ADMIN)) {
			missing = append(missing, c.name)
		}
	}
	return missing, nil
}

// checkPrivilege fails when the process may not do what a gateway does.
func checkPrivilege() error {
	missing, err := MissingCapabilities()
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no privilege: user %d lacks %s (run as root, or grant them: systemd AmbientCapabilities, or setcap)",
			os.Geteuid(), strings.Join(missing, ", "))
	}
	return err
}

// checkRemotes makes sure that no remote is this very gateway, which only shows
// once the outer source address is known.
func checkRemotes(cfg *config.Config, locals []netip.Addr) error {
	for i := range cfg.VNIs {
		v := &cfg.VNIs[i]
		for _, r := range v.Remotes {
			if slices.Contains(locals, r.Dst) {
				return &config.Error{Problem: fmt.Sprintf("vni %d: remote %s is this gateway's own address (name the other VTEP's)", v.VNI, r.Dst)}
			}
		}
		for _, e := range v.FDB {
			if slices.Contains(locals, e.Dst) {
				return &config.Error{Problem: fmt.Sprintf("vni %d: fdb entry %s: dst %s is this gateway's own address (name the other VTEP's)", v.VNI, e.MAC, e.Dst)}
			}
		}
	}
	return nil
}

// addressesOf lists the addresses of an interface, of either family.
func addressesOf(ifindex int) (all []netip.Addr, err error) {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && a.LinkIndex == ifindex {
			all = append(all, ip.Unmap())
		}
	}
	return all, nil
}

// checkLocal makes sure that an outer source address that is given is one of this
// host's, on whatever interface: answers to another one would never arrive.
func checkLocal(local netip.Addr, iface string) error {
	if !local.IsValid() {
		return nil
	}
	family := netlink.FAMILY_V4
	if local.Is6() {
		family = netlink.FAMILY_V6
	}
	addrs, err := netlink.AddrList(nil, family)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list this host's addresses: %w", err)
	}
	var have []string
	for _, a := range addrs {
		ip, _ := netip.AddrFromSlice(a.IP)
		if ip.Unmap() == local {
			return nil
		}
		have = append(have, ip.Unmap().String())
	}
	return &config.Error{Problem: fmt.Sprintf("local address %s is on no interface of this host, which has %s (ip address add %s/LEN dev %s, or another --local)",
		local, strings.Join(have, ", "), local, iface)}
}
