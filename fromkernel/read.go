package fromkernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Found is what there is of a vxlan device.
type Found struct {
	Device
	Link
	Underlay  string // dev, or what leads to its remote
	UnderMTU  int
	UnderVRF  string
	Entries   []Entry   // of its own FDB
	Bridge    *Bridge   // that it is in; nil for none
	VRF       string    // that it, or its bridge, is in
	HostPorts [2]uint16 // net.ipv4.ip_local_port_range
}

// Link is a network interface.
type Link struct {
	Name      string
	MTU       int
	MAC       net.HardwareAddr
	Addresses []netip.Prefix
}

// Bridge is the one that the device is in.
type Bridge struct {
	Link
	Filtering, STP bool
	VLANs          []VLAN // of the bridge itself, where the host is
	Own            Port   // the vxlan device as a port
	Ports          []Port
	Entries        []Entry // static ones at ports
}

// Port is one of a bridge.
type Port struct {
	Name string
	netlink.Protinfo
	VLANs []VLAN
}

// VLAN is one of a port.
type VLAN struct {
	ID             uint16
	PVID, Untagged bool
}

// Read finds out about a vxlan device of the calling thread's network namespace. underlay is where its packets go if it does not
// say so itself; "" has the route to its remote decide.
func Read(name, underlay string) (*Found, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	if link.Type() != "vxlan" {
		return nil, fmt.Errorf("%s is a %s, no vxlan device (ip -d link show type vxlan lists those)", name, link.Type())
	}
	f := &Found{}
	if f.Link, err = describe(link); err != nil {
		return nil, err
	}
	if f.Device, err = readDevice(link.Attrs().Index); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.HostPorts = hostPorts()
	if err := f.findUnderlay(underlay); err != nil {
		return nil, err
	}
	all, err := readEntries()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.index != link.Attrs().Index || !e.self {
			continue
		}
		if e.Via == f.Underlay {
			e.Via = ""
		}
		f.Entries = append(f.Entries, e)
	}
	if link.Attrs().MasterIndex == 0 {
		return f, nil
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return nil, fmt.Errorf("find the master of %s: %w", name, err)
	}
	switch m := master.(type) {
	case *netlink.Bridge:
		if f.Bridge, err = readBridge(m, link, all); err == nil {
			f.VRF, err = vrfOf(master)
		}
	case *netlink.Vrf:
		f.VRF = m.Name
	default:
		err = fmt.Errorf("%s belongs to %s, a %s, which gw has nothing like (take it out: ip link set %s nomaster)", name, master.Attrs().Name, master.Type(), name)
	}
	return f, err
}

func describe(link netlink.Link) (l Link, err error) {
	a := link.Attrs()
	l = Link{Name: a.Name, MTU: a.MTU, MAC: a.HardwareAddr}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return l, fmt.Errorf("list the addresses of %s: %w", a.Name, err)
	}
	for _, addr := range addrs {
		ip, ok := netip.AddrFromSlice(addr.IP)
		if bits, _ := addr.Mask.Size(); ok && !ip.IsLinkLocalUnicast() {
			l.Addresses = append(l.Addresses, netip.PrefixFrom(ip.Unmap(), bits))
		}
	}
	return l, nil
}

// readDevice asks for what package netlink leaves out, too.
func readDevice(index int) (Device, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil || len(answers) != 1 || len(answers[0]) < unix.SizeofIfInfomsg {
		return Device{}, fmt.Errorf("read the device: %d answers: %w", len(answers), err)
	}
	b := answers[0][unix.SizeofIfInfomsg:]
	for _, want := range []uint16{unix.IFLA_LINKINFO, unix.IFLA_INFO_DATA} {
		outer := b
		b = nil
		for kind, v := range attributes(outer, &err) {
			if kind == want {
				b = v
			}
		}
		if err != nil {
			return Device{}, fmt.Errorf("read the device: %w", err)
		}
	}
	return ParseDevice(b)
}

// findUnderlay finds the interface that packets go by.
func (f *Found) findUnderlay(given string) error {
	index := f.Device.Link
	var link netlink.Link
	var err error
	switch {
	case given != "":
		link, err = netlink.LinkByName(given)
	case index != 0:
		link, err = netlink.LinkByIndex(index)
	default:
		to := f.Dst
		if !to.IsValid() {
			return fmt.Errorf("%s has neither dev nor remote, so nothing says what its underlay is (name it: --iface ens18)", f.Name)
		}
		routes, rerr := netlink.RouteGet(to.AsSlice())
		if rerr != nil || len(routes) == 0 || routes[0].LinkIndex == 0 {
			return fmt.Errorf("%s has no dev, and no route leads to %s (name the underlay: --iface ens18): %w", f.Name, to, rerr)
		}
		link, err = netlink.LinkByIndex(routes[0].LinkIndex)
	}
	if err != nil {
		return fmt.Errorf("find the underlay of %s: %w", f.Name, err)
	}
	f.Underlay, f.UnderMTU = link.Attrs().Name, link.Attrs().MTU
	f.UnderVRF, err = vrfOf(link)
	return err
}

// vrfOf is the name of the VRF that a link is in, or "".
func vrfOf(link netlink.Link) (string, error) {
	if link.Attrs().MasterIndex == 0 {
		return "", nil
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return "", fmt.Errorf("find the master of %s: %w", link.Attrs().Name, err)
	}
	if master.Type() == "vrf" {
		return master.Attrs().Name, nil
	}
	return "", nil
}

// readEntries lists the FDBs of all devices.
func readEntries() (all []Entry, err error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, unix.NLM_F_DUMP)
	req.AddData(bridgeFamily{})
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list FDB entries: %w", err)
	}
	names := map[int]string{}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, m := range answers {
		e, err := ParseEntry(m)
		if err != nil {
			continue // of a device whose addresses are longer
		}
		e.Ifname, e.Via = names[e.index], names[e.via]
		all = append(all, e)
	}
	return all, nil
}

// bridgeFamily is a struct ndmsg that asks for FDBs.
type bridgeFamily struct{}

func (bridgeFamily) Len() int { return ndmsgLen }

func (bridgeFamily) Serialize() []byte {
	b := make([]byte, ndmsgLen)
	b[0] = unix.AF_BRIDGE
	return b
}

func readBridge(b *netlink.Bridge, own netlink.Link, all []Entry) (*Bridge, error) {
	out := &Bridge{Filtering: b.VlanFiltering != nil && *b.VlanFiltering}
	out.STP = settingOf(b.Name, "stp_state") == "1"
	var err error
	if out.Link, err = describe(b); err != nil {
		return nil, err
	}
	links, err := portsOf(b)
	if err != nil {
		return nil, err
	}
	vlans, err := netlink.BridgeVlanList()
	if err != nil { // a kernel without them
		vlans = nil
	}
	of := func(index int) (all []VLAN) {
		for _, v := range vlans[int32(index)] {
			all = append(all, VLAN{v.Vid, v.PortVID(), v.EngressUntag()})
		}
		return all
	}
	out.VLANs = of(b.Index)
	for _, l := range links {
		p := Port{Name: l.Attrs().Name, VLANs: of(l.Attrs().Index)}
		if p.Protinfo, err = netlink.LinkGetProtinfo(l); err != nil {
			return nil, fmt.Errorf("ask for port %s of %s: %w", p.Name, b.Name, err)
		}
		if l.Attrs().Index == own.Attrs().Index {
			out.Own = p
		} else {
			out.Ports = append(out.Ports, p)
		}
	}
	slices.SortFunc(out.Ports, func(a, b Port) int { return strings.Compare(a.Name, b.Name) })
	for _, e := range all {
		if e.master == b.Index && e.index != own.Attrs().Index && e.index != b.Index && e.Static && !e.local && !e.self {
			out.Entries = append(out.Entries, e)
		}
	}
	return out, nil
}

// portsOf lists the ports of a bridge.
func portsOf(b netlink.Link) (ports []netlink.Link, err error) {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list the ports of %s: %w", b.Attrs().Name, err)
	}
	for _, l := range links {
		if l.Attrs().MasterIndex == b.Attrs().Index {
			ports = append(ports, l)
		}
	}
	return ports, nil
}

func settingOf(bridge, name string) string {
	text, err := os.ReadFile("/sys/class/net/" + bridge + "/bridge/" + name)
	if err != nil { // of another namespace's mount
		return ""
	}
	return strings.TrimSpace(string(text))
}

// hostPorts is what source ports are taken from where the device does not say.
func hostPorts() (r [2]uint16) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &r[0], &r[1])
	}
	if err != nil || r[0] == 0 || r[0] > r[1] {
		return [2]uint16{}
	}
	return r
}
