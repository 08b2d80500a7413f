package fromkernel

import (
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
	f     *Found
	care  []string
	lines []string
}

func (w *writer) add(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}
func (w *writer) take(format string, args ...any) {
	w.care = append(w.care, fmt.Sprintf(format, args...))
}

// Write makes a file of what was found. What has no equivalent, or should be looked at, stands in comments, with the commands to switch over.
func Write(f *Found) ([]byte, error) {
	switch {
	case f.External:
		return nil, fmt.Errorf("%s: %w", f.Name, errExternal)
	case f.GPE:
		return nil, fmt.Errorf("%s: %w", f.Name, errGPE)
	case f.VNI == 0:
		return nil, fmt.Errorf("%s: VNI 0 is none that gw has (1-16777215)", f.Name)
	}
	w := writer{f: f}
	w.underlay()
	w.tunnel()
	w.vni()
	w.oddities()
	out := []string{fmt.Sprintf("# What the kernel's %s does, for gw. To switch over:", f.Name), "#"}
	for _, c := range w.commands() {
		out = append(out, "#   "+c)
	}
	out = append(out, "#")
	for _, c := range w.care {
		out = append(out, "# Note: "+c)
	}
	return []byte(strings.Join(append(out, w.lines...), "\n") + "\n"), nil
}

func (w *writer) underlay() {
	f := w.f
	w.add("underlay:")
	w.add("  iface: %s", quote(f.Underlay))
	if f.Local.IsValid() {
		w.add("  local: %s", quote(f.Local.String()))
	}
	w.add("  dstport: %d", f.Port)
	if f.Port == 0 {
		w.lines[len(w.lines)-1] = "  dstport: 4789"
	}
	if f.UnderVRF != "" {
		w.take("the underlay %s is in the VRF %s, whose routes gw takes as the kernel does.", f.Underlay, f.UnderVRF)
	}
}

func (w *writer) tunnel() {
	f := w.f
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
	w.add("tunnel:")
	w.add("  ttl: %s", ttl)
	w.add("  tos: %s", tos)
	w.add("  df: %s", []string{"unset", "set", "inherit"}[min(f.DF, 2)])
	w.add("  udpcsum: %t", f.UDPCsum)
	w.add("  udp6zerocsumtx: %t", f.UDP6ZeroCsumTx)
	w.add("  udp6zerocsumrx: %t", f.UDP6ZeroCsumRx)
	w.add("  flowlabel: %s", label)
	switch lo, hi := f.PortRange[0], f.PortRange[1]; {
	case lo != 0 && lo <= hi:
		w.add("  srcport: [%d, %d]", lo, hi)
	case f.HostPorts[0] != 0:
		w.add("  srcport: [%d, %d] # net.ipv4.ip_local_port_range; [49152, 65535] is what RFC 7348 recommends", f.HostPorts[0], f.HostPorts[1])
	}
	switch used := f.ReservedBits &^ uint64(strictBits); {
	case used != 0:
		w.add("  reserved_bits: 0x%016x", f.ReservedBits&strictBits)
		w.take("reserved_bits had %#x, which hold the flags and the VNI.", used)
	case f.ReservedBits == strictBits:
		w.add("  reserved_bits: strict # as the kernel's device; ignore is what RFC 7348 asks for")
	case f.ReservedBits == 0:
		w.add("  reserved_bits: ignore")
	default:
		w.add("  reserved_bits: 0x%016x", f.ReservedBits)
	}
}

func (w *writer) vni() {
	f := w.f
	w.add("vnis:")
	w.add("  - vni: %d", f.VNI)
	w.floods()
	ports := w.ports()
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
	case len(f.Bridge.Addresses) > 0:
		return &f.Bridge.Link
	}
	return nil
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
	if l == nil {
		w.add("    device: null # the host has no address on the bridge")
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
			if slices.ContainsFunc(b.Ports, func(p Port) bool { return p.Name == e.Ifname && w.carried(p) != "" }) && e.MAC[0]&1 == 0 {
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
