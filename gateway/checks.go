package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
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
}

// checkPrivilege fails when the process may not do what a gateway does.
func checkPrivilege() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return fmt.Errorf("ask for the process's capabilities: %w", err)
	}
	has := func(bit uint) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	var missing []string
	for _, c := range capabilities {
		if !has(c.bit) && !(c.bit == unix.CAP_BPF && has(unix.CAP_SYS_ADMIN)) {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no privilege: user %d lacks %s (run as root, or grant them: systemd AmbientCapabilities, or setcap)",
			os.Geteuid(), strings.Join(missing, ", "))
	}
	return nil
}

// checkLocal makes sure that an outer source address is one of this host's, on
// whatever interface: answers to another one would never arrive.
func checkLocal(local netip.Addr, iface string) error {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
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
