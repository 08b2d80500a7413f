// Package netdev is what gw reads of, and changes on, the kernel's network
// interfaces, and the journal that puts the changes back.
//
// What outlives a process that is killed is written to the journal before it
// is done:
//
//	lock the underlay -> open the journal -> undo what a killed run left
//	  -> record, change, record, change ... -> undo all -> unlock
//
// All functions act in the network namespace of the calling thread. They may
// be called from any goroutine, not on the data path.
package netdev

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/internal/ethtool"
)

// Info is what is known of an interface at one moment.
type Info struct {
	Name    string
	Index   int
	MTU     int // bytes, without the Ethernet header
	MAC     net.HardwareAddr
	Up      bool // set up by its owner (IFF_UP)
	Carrier bool // has a link (IFF_LOWER_UP)
	// RxQueues is how many receive queues are in use, at least 1: the limit
	// for binding sockets, often below what the driver could have.
	RxQueues int
	Kind     string // of rtnetlink: veth, bridge, vxlan; device for hardware
	Driver   string // of ethtool: igb, veth; empty when there is none
	Master   int    // index of the bridge or bond it belongs to, or 0
	// Ethernet says that it carries Ethernet frames. The loopback does not count.
	Ethernet, Loopback bool
	// XDPProgID is the id of the attached XDP program, or 0.
	XDPProgID uint32
	// IsVeth, and its other end: the index is one of the peer's namespace.
	IsVeth       bool
	PeerIndex    int
	PeerInSameNS bool
	// VLAN is what a VLAN device is, the zero one for any other.
	VLAN VLAN
	// Permanent is the address the hardware was made with, nil for none.
	Permanent net.HardwareAddr
}

// Lookup returns what is known of the interface called name. The error for
// one that does not exist names those that do and are spelled alike. A second
// name (altname of ip-link) is refused: files that are called after an
// interface would not be found under its first.
func Lookup(name string) (Info, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return Info{}, notFound(name, err)
	}
	if first := link.Attrs().Name; first != name {
		return Info{}, &NotFoundError{Name: name, advice: fmt.Sprintf("that is another name of %s: give %s", first, first)}
	}
	return describe(link)
}

func describe(link netlink.Link) (Info, error) {
	a := link.Attrs()
	info := Info{
		Name: a.Name, Index: a.Index, MTU: a.MTU, MAC: a.HardwareAddr, Permanent: a.PermHWAddr,
		Up:       a.RawFlags&unix.IFF_UP != 0,
		Carrier:  a.RawFlags&unix.IFF_LOWER_UP != 0,
		Ethernet: a.EncapType == "ether", Loopback: a.RawFlags&unix.IFF_LOOPBACK != 0,
		Kind: link.Type(), IsVeth: link.Type() == "veth", Master: a.MasterIndex,
	}
	if a.Xdp != nil && a.Xdp.Attached {
		info.XDPProgID = a.Xdp.ProgId
	}
	if info.IsVeth {
		// IFLA_LINK_NETNSID comes only with a peer in another namespace.
		info.PeerIndex, info.PeerInSameNS = a.ParentIndex, a.NetNsID < 0
	}
	info.VLAN = vlanOf(link)
	if driver, err := ethtool.Driver(a.Name); err == nil {
		info.Driver = driver
	}
	info.RxQueues = rxQueues(a)
	return info, nil
}

// rxQueues returns the real number of receive queues: the driver's channels
// where it tells, else the folders of sysfs where that shows this very
// interface (it may be mounted for another namespace), else what was allocated.
func rxQueues(a *netlink.LinkAttrs) int {
	if ch, err := ethtool.GetChannels(a.Name); err == nil {
		if n := int(ch.Rx + ch.Combined); n > 0 {
			return n
		}
	}
	dir := filepath.Join("/sys/class/net", a.Name)
	if index, err := os.ReadFile(filepath.Join(dir, "ifindex")); err == nil && strings.TrimSpace(string(index)) == strconv.Itoa(a.Index) {
		if q, err := filepath.Glob(filepath.Join(dir, "queues", "rx-*")); err == nil && len(q) > 0 {
			return len(q)
		}
	}
	return max(1, a.NumRxQueues)
}

// notFound says what a name that does not exist may have meant.
func notFound(name string, cause error) error {
	if !errors.As(cause, &netlink.LinkNotFoundError{}) {
		return fmt.Errorf("look up %s: %w", name, cause)
	}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // others come and go meanwhile
		return fmt.Errorf("no interface %q: %w", name, cause)
	}
	var names []string
	for _, l := range links {
		if n := l.Attrs().Name; n != "lo" {
			names = append(names, n)
		}
	}
	const most = 8
	advice := "there is none but lo"
	if cure := vlanAdvice(name, names); cure != "" {
		advice = cure
	} else if near := config.Nearest(name, names); len(near) > 0 {
		advice = "did you mean " + strings.Join(near[:min(len(near), 3)], " or ") + "?"
	} else if len(names) > most {
		advice = fmt.Sprintf("there are %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	} else if len(names) > 0 {
		advice = "there are " + strings.Join(names, ", ")
	}
	return &NotFoundError{Name: name, advice: advice}
}

// NotFoundError says that there is no interface of that name.
type NotFoundError struct {
	Name   string
	advice string
}

// Error names the interface, and those it may have meant.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no interface %q (%s)", e.Name, e.advice)
}

// GlobalAddress returns the first global IPv4 address of an interface, which
// is the default of the outer source address.
func GlobalAddress(name string) (netip.Addr, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return netip.Addr{}, notFound(name, err)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list the addresses of %s: %w", name, err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); ok && a.Scope == unix.RT_SCOPE_UNIVERSE {
			return ip, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no global IPv4 address (add one: ip addr add 10.65.132.187/24 dev %s)", name, name)
}

// withCure adds to a refusal for lack of privilege what would help.
func withCure(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (run as root, or with CAP_NET_ADMIN)", err)
	}
	return err
}
