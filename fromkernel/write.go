package fromkernel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// What a file of gw cannot say.
var (
	errExternal = errors.New("it is external: VNI and destination of each packet are set by who sends it (lwtunnel, tc tunnel_key, Open vSwitch), and gw has none of that. Give each VNI a VNI of gw, by its number")
	errGPE      = errors.New("it is a gpe device, which carries packets without Ethernet headers (RFC 7348 and gw: Ethernet frames alone)")
)

// writer collects the file and, in front of it, what somebody should look at.
type writer struct {
	all   []*Found
	f     *Found // the one that is written
	care  []string
	lines []string

	tunnels string            // what the file says of all tunnels
	hosts   map[*Found]*Link  // by which the host is on their overlays, and gw makes devices for
	ports   map[string]string // as elements of ports, and of which device
}

func (w *writer) add(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}
func (w *writer) take(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(w.all) > 1 {
		text = w.f.Name + ": " + text
	}
	if !slices.Contains(w.care, text) {
		w.care = append(w.care, text)
	}
}

// Write makes a file of what was found, of one device or several. What has no equivalent, or should be looked at, stands in comments, with
// the commands to switch over. Devices that cannot be in one file are an error.
func Write(all ...*Found) ([]byte, error) {
	var names []string
	for _, f := range all {
		switch {
		case f.VNIFilter:
			return nil, fmt.Errorf("%s: it has vnifilter: bridge vni show dev %s lists its VNIs, each of which wants an element of vnis; and %w", f.Name, f.Name, errExternal)
		case f.External:
			return nil, fmt.Errorf("%s: %w", f.Name, errExternal)
		case f.GPE:
			return nil, fmt.Errorf("%s: %w", f.Name, errGPE)
		case f.VNI == 0:
			return nil, fmt.Errorf("%s: VNI 0 is none that gw has (1-16777215)", f.Name)
		}
		names = append(names, f.Name)
	}
	if err := together(all); err != nil {
		return nil, err
	}
	w := writer{all: all, f: all[0], hosts: map[*Found]*Link{}, ports: map[string]string{}}
	w.underlay()
	common := w.tunnel()
	w.tunnels = strings.Join(common, "\n")
	w.add("tunnel:")
	w.nest("  ", common)
	w.add("vnis:")
	for _, w.f = range all {
		w.vni()
		w.oddities()
	}
	does := "does"
	if len(all) > 1 {
		does = "do"
	}
	out := []string{fmt.Sprintf("# What the kernel's %s %s, for gw. To switch over:", strings.Join(names, ", "), does), "#"}
	for _, c := range w.commands(names) {
		out = append(out, "#   "+c)
	}
	out = append(out, "#")
	for _, c := range w.care {
		out = append(out, "# Note: "+c)
	}
	return []byte(strings.Join(append(out, w.lines...), "\n") + "\n"), nil
}

func (w *writer) nest(indent string, lines []string) {
	for _, l := range lines {
		w.add("%s%s", indent, l)
	}
}

func (w *writer) underlay() {
	f := w.f
	w.add("underlay:")
	w.add("  iface: %s", quote(f.Underlay))
	switch four, six := locals(w.all); {
	case four.IsValid() && six.IsValid():
		w.add("  local: %s", quote(four.String()))
		w.add("  local6: %s", quote(six.String()))
	case four.IsValid() || six.IsValid():
		w.add("  local: %s", quote(cmp.Or(four, six).String()))
	}
	w.add("  dstport: %d", f.Port)
	if f.Port == 0 {
		w.lines[len(w.lines)-1] = "  dstport: 4789"
	}
	if f.UnderVRF != "" {
		w.take("the underlay %s is in the VRF %s, whose routes gw takes as the kernel does.", f.Underlay, f.UnderVRF)
	}
}

// tunnel are the settings of the device's tunnel.
func (w *writer) tunnel() (lines []string) {
	f := w.f
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	ttl, tos, label := "auto", strconv.Itoa(int(f.TOS)), fmt.Sprintf("%d", f.Label)
	switch {
	case f.TTLInherit:
		ttl = "inherit"
	case f.TTL != 0:
		ttl = strconv.Itoa(int(f.TTL))
	}
	if f.TOS == 1 {
		tos = "inherit"
	}
	if f.LabelInherit {
		label = "inherit"
	}
	add("ttl: %s", ttl)
	add("tos: %s", tos)
	add("df: %s", []string{"unset", "set", "inherit"}[min(f.DF, 2)])
	add("udpcsum: %t", f.UDPCsum)
	add("udp6zerocsumtx: %t", f.UDP6ZeroCsumTx)
	add("udp6zerocsumrx: %t", f.UDP6ZeroCsumRx)
	add("flowlabel: %s", label)
	switch lo, hi := f.PortRange[0], f.PortRange[1]; {
	case lo != 0 && lo <= hi:
		add("srcport: [%d, %d]", lo, hi)
	case f.HostPorts[0] != 0:
		add("srcport: [%d, %d] # net.ipv4.ip_local_port_range; [49152, 65535] is what RFC 7348 recommends", f.HostPorts[0], f.HostPorts[1])
	}
	switch used := f.ReservedBits &^ uint64(strictBits); {
	case used != 0:
		add("reserved_bits: 0x%016x", f.ReservedBits&strictBits)
		w.take("reserved_bits had %#x, which hold the flags and the VNI.", used)
	case f.ReservedBits == strictBits:
		add("reserved_bits: strict # as the kernel's device; ignore is what RFC 7348 asks for")
	case f.ReservedBits == 0:
		add("reserved_bits: ignore")
	default:
		add("reserved_bits: 0x%016x", f.ReservedBits)
	}
	return lines
}

func (w *writer) vni() {
	f := w.f
	w.add("  - vni: %d", f.VNI)
	w.floods()
	ports := w.portList()
	w.device()
	if len(ports) > 0 {
		w.add("    ports: [%s]", strings.Join(ports, ", "))
	}
	w.add("    learning: %t", f.Learning)
	w.add("    ageing: %ds", f.Ageing)
	w.add("    maxaddress: %d # 0: no limit", f.Limit)
	if b := f.Bridge; b != nil && b.Own.NeighSuppress {
		w.add("    neigh_suppress: true")
		w.add("    neigh_forward_grat: false # as the kernel's bridge has it unless told otherwise")
	}
	w.static()
	if lines := w.tunnel(); strings.Join(lines, "\n") != w.tunnels {
		w.add("    tunnel:")
		w.nest("      ", lines)
	}
}

// floods says where frames are flooded to.
func (w *writer) floods() {
	f := w.f
	var groups []netip.Addr
	var remotes []string
	for _, e := range f.Entries {
		switch {
		case !e.Flood() || !e.Dst.IsValid():
			continue
		case e.Dst.IsMulticast():
			groups = append(groups, e.Dst)
			if e.Port != 0 || e.VNI != 0 {
				w.take("the group %s has a port or VNI of its own, which gw has for VTEPs only.", e.Dst)
			}
		default:
			remotes = append(remotes, end("dst", e))
		}
		if e.Via != "" {
			w.take("%s is flooded to via %s; packets of gw come and go by %s alone.", e.Dst, e.Via, f.Underlay)
		}
	}
	if len(groups) == 0 && f.Dst.IsMulticast() { // received from, and nothing is flooded to it
		w.take("nothing is flooded to the group %s, since its entry was deleted; gw would, so it is left out, and packets to the group are not received.", f.Dst)
	}
	if len(groups) > 0 {
		w.add("    group: %s", quote(groups[0].String()))
	}
	for _, g := range groups[min(1, len(groups)):] {
		w.take("it is flooded to the group %s as well; gw has one group a VNI.", g)
	}
	if len(remotes) > 0 {
		w.add("    remotes: [%s]", strings.Join(remotes, ", "))
	} else if len(groups) == 0 {
		w.take("nothing is flooded to any VTEP: gw, too, then waits for those that speak first.")
	}
}

// end is where an entry points, as remotes have it.
func end(key string, e Entry) string {
	if e.Port == 0 && e.VNI == 0 {
		return quote(e.Dst.String())
	}
	return "{" + key + ": " + destination(e) + "}"
}

func destination(e Entry) string {
	text := quote(e.Dst.String())
	if e.Port != 0 {
		text += fmt.Sprintf(", port: %d", e.Port)
	}
	if e.VNI != 0 {
		text += fmt.Sprintf(", vni: %d", e.VNI)
	}
	return text
}

// host is the interface by which the host itself is on the overlay: the device, or its bridge if that has addresses.
func (w *writer) host() *Link {
	f := w.f
	switch {
	case f.Bridge == nil:
		return &f.Link
	case len(f.Bridge.Addresses) == 0:
		return nil
	case f.Bridge.Filtering && len(f.Bridge.VLANs) > 0 && !f.Bridge.hostIn(f.Bridge.Own.native()):
		w.take("the addresses of %s are in another VLAN than %s.", f.Bridge.Name, f.Name)
		return nil
	}
	for o, l := range w.hosts {
		if l != nil && l.Name == f.Bridge.Name {
			w.take("the addresses of %s are those of the device of VNI %d.", f.Bridge.Name, o.VNI)
			return nil
		}
	}
	return &f.Bridge.Link
}

// deviceName is what gw's device is called: as the kernel's was, if that fits.
func (w *writer) deviceName(l *Link) string {
	if len(l.Name) <= 13 {
		return l.Name
	}
	return fmt.Sprintf("gw%d", w.f.VNI)
}

func (w *writer) device() {
	l := w.host()
	w.hosts[w.f] = l
	if l == nil {
		w.add("    device: null # the host has no address there")
		return
	}
	w.add("    device:")
	w.add("      name: %s", quote(w.deviceName(l)))
	if w.deviceName(l) != l.Name {
		w.take("the name %s is too long for a device of gw (13 bytes): it is called %s.", l.Name, w.deviceName(l))
	}
	if len(l.Addresses) > 0 {
		var text []string
		for _, a := range l.Addresses {
			text = append(text, quote(a.String()))
		}
		w.add("      addresses: [%s]", strings.Join(text, ", "))
	}
	if l.MTU != w.f.UnderMTU-w.overhead() {
		w.add("      mtu: %d # without it: %d, what the underlay leaves, at any time", l.MTU, w.f.UnderMTU-w.overhead())
	}
	if w.f.VRF != "" {
		w.take("%s is in the VRF %s: put gw's device there once gw runs, as below.", l.Name, w.f.VRF)
	}
}

// overhead is what the tunnel takes of a packet on the underlay, in bytes.
func (w *writer) overhead() int {
	six := func(a netip.Addr) bool { return a.Is6() }
	if six(w.f.Local) || six(w.f.Dst) || slices.ContainsFunc(w.f.Entries, func(e Entry) bool { return six(e.Dst) }) {
		return 70
	}
	return 50
}

// static are the entries that stay.
func (w *writer) static() {
	var lines []string
	learned := 0
	for _, e := range w.f.Entries {
		switch {
		case e.Flood():
		case !e.Static:
			learned++
		case e.Nexthop:
			w.take("the FDB entry %s is at a group of next hops (nhid), which gw does not have.", e.MAC)
		case e.MAC[0]&1 != 0:
			w.take("the FDB entry %s dst %s is of a multicast address; gw floods those.", e.MAC, e.Dst)
		case !e.Dst.IsValid():
			w.take("the FDB entry %s has no dst, and is left out.", e.MAC)
		case e.Via != "":
			w.take("the FDB entry %s dst %s goes via %s; packets of gw come and go by %s alone. It is left out.", e.MAC, e.Dst, e.Via, w.f.Underlay)
		default:
			lines = append(lines, fmt.Sprintf("      - {mac: %q, dst: %s}", e.MAC, destination(e)))
		}
	}
	if b := w.f.Bridge; b != nil {
		for _, e := range b.Entries {
			if slices.ContainsFunc(b.Ports, func(p Port) bool { return p.Name == e.Ifname && w.ports[w.carried(p)] == w.f.Name }) && e.MAC[0]&1 == 0 && (!b.Filtering || e.VLAN == 0 || e.VLAN == b.Own.native()) {
				lines = append(lines, fmt.Sprintf("      - {mac: %q, port: %s}", e.MAC, quote(e.Ifname)))
			}
		}
	}
	slices.Sort(lines)
	if lines = slices.Compact(lines); len(lines) > 0 {
		w.add("    fdb:")
		w.lines = append(w.lines, lines...)
	}
	if learned > 0 {
		w.take("%d learned FDB entries are left out: gw learns them anew.", learned)
	}
}

// quote is text for YAML.
func quote(s string) string { return strconv.Quote(s) }
