package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/gateway"
	"vxgw/netdev"
)

var underlayChecks = []Check{
	{"underlay.link", "Whether the underlay is there, is an Ethernet interface, is up and has a carrier.", "`ip link set dev DEV up`, a cable", "gateway/fit.go", underlayLink},
	{"underlay.address", "Whether it has the outer source address.", "`ip address add ADDRESS/LEN dev DEV`", "gateway/source.go", underlayAddress},
	{"underlay.mtu", "Whether its MTU carries the tunnel and what is in it: 118 to 65,262 bytes, above 3,822 from Linux 6.6 on; 50 bytes (over IPv6 70) more than the inner packets.",
		"`ip link set dev DEV mtu N`", "docs/mtu.md", underlayMTU},
	{"underlay.xdp", "XDP programs of others on the underlay, of which there can be one.", "`ip link set dev DEV xdp off`, or stop whose it is", "dev_xdp_attach in net/core/dev.c", foreignProgram},
	{"underlay.mode", "The mode that would bind: a socket is bound to a queue, zero-copy where the driver offers it, and the kernel is asked what that came to (XDP_OPTIONS). Without `--probe` only what leaves the interface alone is done; with it an XDP program that passes everything is attached, too. Of a running `gw` it is what that has bound.",
		"what the driver wants: docs/operations.md#drivers", "xsk_bind in net/xdp/xsk.c", underlayMode},
	{"underlay.driver", "What the driver is known for: what it wants for native XDP and does not say when it refuses (MTU, LRO, spare queues), and short receive rings, which bursts overrun.",
		"`ip link set dev DEV mtu N`, `ethtool -K DEV lro off`, `ethtool -L`, `ethtool -G DEV rx N`", "gateway/drivers.go, docs/operations.md#drivers", driverTraps},
	{"underlay.offloads", "Offloads that join packets before XDP sees them: LRO and hardware GRO in the driver, which some drivers switch off when XDP comes, and with which others refuse it; in generic mode GRO. And those that take VLAN tags out of them where the underlay is a VLAN.",
		"`ethtool -K DEV lro off rx-gro-hw off`", "docs/operations.md, net/ethtool/common.c", underlayOffloads},
}

func underlayLink(f *facts, n *notes) {
	if !f.named {
		n.unseen("gw doctor --iface IFACE", "the underlay: none is named, and no gw runs here")
		return
	}
	i := f.underlay
	n = n.of(i.name)
	switch {
	case i.err != nil:
		n.fail("name another: ip link", "%v", i.err)
	case i.fit != nil:
		text, cure := apart(i.fit.Error())
		n.fail(cmp.Or(cure, "name another: ip link"), "%s", text)
	case !i.info.Up:
		n.fail("ip link set dev "+i.name+" up", "it is down")
	case !i.info.Carrier:
		n.fail("plug it in: ethtool "+i.name+" tells of the link", "it has no carrier")
	default:
		n.ok("it is up (%s, driver %s)", i.info.Kind, cmp.Or(i.info.Driver, "none"))
	}
}

// there reports whether an interface can be looked at further; that it cannot is said once, by the check of the link.
func (i *iface) there() bool { return i != nil && i.err == nil && i.fit == nil }

func underlayAddress(f *facts, n *notes) {
	if !f.underlay.there() {
		return
	}
	n = n.of(f.underlay.name)
	addrs, ok := seen(n, f.underlay.addrs, "addresses")
	if !ok {
		return
	}
	local := f.Config.Underlay.Local
	switch {
	case local.IsValid() && !slices.Contains(addrs, local):
		n.warn(fmt.Sprintf("ip address add %s/LEN dev %s", local, f.underlay.name), "it has not the local address %s", local)
	case len(addrs) == 0:
		n.fail("ip address add ADDRESS/LEN dev "+f.underlay.name, "it has no global address, so there is no outer source")
	case f.misses(addrs, false):
		n.fail("ip address add ADDRESS/LEN dev "+f.underlay.name, "it has no IPv4 address, and remotes or groups have")
	case f.misses(addrs, true):
		n.fail("ip address add ADDRESS/LEN dev "+f.underlay.name, "it has no IPv6 address, and remotes or groups have")
	default:
		n.ok("its address is %s", cmp.Or(addrText(local), addrs[0].String()))
	}
}

// misses reports whether there is a VTEP or group of a family, and no address.
func (f *facts) misses(addrs []netip.Addr, six bool) bool {
	is := func(a netip.Addr) bool { return a.Is6() == six }
	return (slices.ContainsFunc(f.remotes, is) || slices.ContainsFunc(f.groups, is)) && !slices.ContainsFunc(addrs, is)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func underlayMTU(f *facts, n *notes) {
	if !f.underlay.there() {
		return
	}
	i := f.underlay
	n = n.of(i.name)
	mtu, takes := i.info.MTU, f.takes()
	w := f.wire
	switch {
	case mtu < leastMTU+takes:
		n.fail("ip link set dev "+i.name+" mtu 1500", "its MTU is %d, of which the tunnel takes %d: too little is left", mtu, takes)
	case mtu > mostMTU:
		n.fail(fmt.Sprintf("ip link set dev %s mtu 9000", i.name), "its MTU is %d, and frames carry %d at most", mtu, mostMTU)
	case mtu > mostPlainMTU && f.kernel.parts.err == nil && !f.kernel.parts.value:
		n.fail(fmt.Sprintf("ip link set dev %s mtu %d, or Linux 6.6", i.name, mostPlainMTU), "its MTU is %d, and this kernel's AF_XDP takes packets of a page", mtu)
	case w.there() && w.info.MTU < mtu:
		n.fail(fmt.Sprintf("ip link set dev %s mtu %d", w.name, mtu), "its MTU is %d, and %s below it has %d", mtu, w.name, w.info.MTU)
	case mtu-takes < 1280 && f.six():
		n.warn(fmt.Sprintf("ip link set dev %s mtu %d", i.name, 1280+takes), "its MTU of %d leaves %d for the overlay, and IPv6 there needs 1280", mtu, mtu-takes)
	default:
		n.ok("its MTU of %d leaves %d for the overlay", mtu, mtu-takes)
	}
}

// Bounds of MTUs, of which docs/mtu.md tells where they are from: of an IPv4 link, of frames of a page, and of the largest ones.
const (
	leastMTU     = 68
	mostPlainMTU = 3822
	mostMTU      = 65262
)

// six reports whether a device of the configuration has an IPv6 address.
func (f *facts) six() bool {
	for i := range f.Config.VNIs {
		if d := f.Config.VNIs[i].Device; d != nil && slices.ContainsFunc(d.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			return true
		}
	}
	return false
}

// takes is what the tunnel takes of the MTU.
func (f *facts) takes() int { return f.takesOf(func(uint32) bool { return true }) }

// takesOf is what the tunnels of some VNIs take.
func (f *facts) takesOf(is func(vni uint32) bool) int {
	takes := gateway.TunnelTakes(&config.VNI{})
	for i := range f.Config.VNIs {
		if v := &f.Config.VNIs[i]; is(v.VNI) {
			takes = max(takes, gateway.TunnelTakes(v))
		}
	}
	if s := f.Running; s != nil {
		for _, v := range s.VNIs {
			if is(v.VNI) && v.TunnelMTU > 0 {
				takes = max(takes, s.Underlay.MTU-v.TunnelMTU)
			}
		}
	}
	return takes
}

// portTakes is what the tunnels of a port's VNIs take.
func (f *facts) portTakes(name string) int {
	own := map[uint32]bool{}
	for i := range f.Config.VNIs {
		v := &f.Config.VNIs[i]
		own[v.VNI] = slices.ContainsFunc(v.Ports, func(p config.Port) bool { return p.Name == name })
	}
	if s := f.Running; s != nil {
		for _, p := range s.Ports {
			if p.Name != name {
				continue
			}
			own[p.VNI] = true
			for _, l := range p.VLANs {
				own[l.VNI] = true
			}
		}
	}
	return f.takesOf(func(vni uint32) bool { return own[vni] })
}

func foreignProgram(f *facts, n *notes) {
	all := []*iface{f.underlay}
	if f.wire != f.underlay {
		all = append(all, f.wire)
	}
	for _, i := range all {
		f.noProgram(i, n)
	}
}

// noProgram wants no XDP program of others on an interface.
func (f *facts) noProgram(i *iface, n *notes) {
	if !i.there() {
		return
	}
	n = n.of(i.name)
	if i.program != "" && f.left.held && f.Running == nil {
		n.unseen("gw status --control PATH", "whose %s is: a gw holds the underlay, and does not answer", i.program)
		return
	}
	if i.program != "" {
		n.fail(i.remove, "%s is attached, and an interface has one at a time", i.program)
		return
	}
	n.ok("no XDP program of others is attached")
}

func underlayMode(f *facts, n *notes) { mode(f, f.wire, n) }

// mode tells what was bound, or would be.
func mode(f *facts, i *iface, n *notes) {
	if !i.there() {
		return
	}
	n = n.of(i.name)
	if errors.Is(i.bound.err, unix.EBUSY) {
		n.fail("stop the program that holds it: ss --xdp -p tells which", "its queue is taken: %v", i.bound.err)
		return
	}
	b, ok := seen(n, i.bound, "the mode that would bind")
	if !ok {
		return
	}
	probe := "gw doctor --probe --iface " + i.name
	offers := i.features.err == nil && i.features.value.ZeroCopy()
	switch {
	case b.native != nil && b.meant:
		n.ok("generic mode, as asked")
	case b.native != nil && (b.fatal || f.only(i)):
		n.fail(cmp.Or(i.notes.Wants, "--mode generic does without"), "native XDP is refused, and gw does not start: %v", b.native)
	case b.native != nil:
		n.warn(cmp.Or(i.notes.Wants, "--mode generic says that this is meant"), "XDP %s in the stack, not in the driver: %v", f.will("runs", "run"), b.native)
	case f.only(i) && f.Config.Underlay.Mode == config.ModeZeroCopy && b.asked && b.mode != "zerocopy":
		n.fail(cmp.Or(i.notes.RefusedCure, "--mode copy, or auto for the best that there is"), "zero-copy is asked for, and the driver %s binds in %s", cmp.Or(i.info.Driver, i.info.Kind), b.text())
	case b.refused != nil && offers:
		why := ""
		if i.notes.WhyRefused != "" {
			why = ": " + i.notes.WhyRefused
		}
		n.warn(cmp.Or(i.notes.RefusedCure, "dmesg may tell why; --mode copy says that this is meant"), "%s; the driver %s offers zero-copy and refused it: %v%s", b.text(), i.info.Driver, b.refused, why)
	case !b.asked:
		n.ok("%s is what the driver %s offers", b.text(), i.info.Driver)
		n.unseen(probe, "whether zero-copy binds: asking %s stops its queues for a moment", i.info.Driver)
	default:
		n.ok("%s, as %s", b.text(), b.how)
	}
}

// only reports whether an interface is to be bound as the configuration says or not at all: of ports zero-copy is not asked.
func (f *facts) only(i *iface) bool {
	mode := f.Config.Underlay.Mode
	return mode == config.ModeCopy || mode == config.ModeZeroCopy && i == f.wire
}

// will is what a gateway does that runs, or would do.
func (f *facts) will(does, do string) string {
	if f.Running != nil {
		return does
	}
	return "would " + do
}

func (b bound) text() string {
	switch b.mode {
	case "zerocopy":
		return "zero-copy"
	case "":
		return "no mode"
	}
	return b.mode + " mode"
}

func driverTraps(f *facts, n *notes) { traps(f, f.wire, n) }

// traps tells what the driver of an interface is known for and somebody can do something about.
func traps(f *facts, i *iface, n *notes) {
	if !i.there() {
		return
	}
	n = n.of(i.name)
	before := len(n.report.Findings)
	d := i.notes
	native := f.Config.Underlay.Mode != config.ModeGeneric && !f.sg(i) && d.MaxMTU > 0
	switch other, ok := i.peer.value, i.peer.err == nil; {
	case native && ok && other.mtu > d.MaxMTU: // veth_xdp_set in drivers/net/veth.c; it is no error that lets gw go on
		n.fail(other.at(fmt.Sprintf("ip link set dev %s mtu %d", other.name, d.MaxMTU)), "its other end %s has an MTU of %d, and native XDP is refused above %d", other.name, other.mtu, d.MaxMTU)
	case native && !ok && i.info.MTU > d.MaxMTU:
		n.warn(fmt.Sprintf("ip link set dev %s mtu %d", i.name, d.MaxMTU), "the driver %s has native XDP up to an MTU of %d, and this is %d", i.info.Driver, d.MaxMTU, i.info.MTU)
	}
	for _, j := range joining {
		if on := i.offloads; d.NoLRO && on.err == nil && on.value[j.feature] {
			n.warn("ethtool -K "+i.name+" "+j.word+" off", "the driver %s has no native XDP with %s on", i.info.Driver, j.word)
		}
	}
	if c := i.channels; d.HalfQueues && c.err == nil {
		if use, most := max(c.value.Combined, c.value.Rx), max(c.value.MaxCombined, c.value.MaxRx); use > most/2 && most > 1 {
			n.warn(half(i.name, c.value.MaxCombined > 0, most/2), "the driver %s wants half of its queues spare for native XDP, and %d of %d are in use", i.info.Driver, use, most)
		}
	}
	if r := i.rings; r.Rx > 0 && r.Rx < d.ShortRing && r.MaxRx > r.Rx {
		n.warn(fmt.Sprintf("before gw starts: ethtool -G %s rx %d", i.name, min(d.ShortRing, r.MaxRx)), "its receive ring holds %d packets, which bursts overrun", r.Rx)
	}
	if len(n.report.Findings) == before {
		n.ok("nothing that the driver %s is known for is in the way", cmp.Or(i.info.Driver, i.info.Kind))
	}
}

// sg reports whether an interface would have packets of several frames, which the limits of native XDP are not for.
func (f *facts) sg(i *iface) bool {
	const page = 4096
	return f.plan.value.FrameSize > page && i.features.err == nil && i.features.value.XDP&netdev.XDPRxSG != 0
}

func half(name string, combined bool, n uint32) string {
	if combined {
		return fmt.Sprintf("ethtool -L %s combined %d", name, n)
	}
	return fmt.Sprintf("ethtool -L %s rx %d tx %d", name, n, n)
}

// joining are the features that make one packet of several before XDP sees them.
var joining = []struct{ feature, word string }{{"rx-lro", "lro"}, {"rx-gro-hw", "rx-gro-hw"}}

// joins are those of an interface that stay on when XDP comes: in generic mode the kernel switches them off (generic_xdp_install
// in net/core/dev.c). What a driver is known for is said by traps.
func (f *facts) joins(i *iface, on map[string]bool) (words, names []string) {
	if f.Running == nil && (f.generic(i) || i.notes.Parts) {
		return nil, nil
	}
	for _, j := range joining {
		if on[j.feature] && !i.notes.NoLRO {
			words, names = append(words, j.word+" off"), append(names, j.word)
		}
	}
	return words, names
}

func underlayOffloads(f *facts, n *notes) {
	w := f.wire
	if !w.there() {
		return
	}
	n = n.of(w.name)
	on, ok := seen(n, w.offloads, "offloads")
	if !ok {
		return
	}
	words, names := f.joins(w, on)
	if f.generic(w) && on["rx-gro"] && !w.info.IsVeth {
		words, names = append(words, "gro off"), append(names, "gro")
	}
	before := len(n.report.Findings)
	if len(words) > 0 {
		n.warn("ethtool -K "+w.name+" "+strings.Join(words, " "), "it joins packets (%s), and what is longer than the MTU is lost", strings.Join(names, ", "))
	}
	if w != f.underlay && !tells(w) && on["rx-vlan-hw-parse"] && w.info.Kind == "device" {
		n.warn("ethtool -K "+w.name+" rxvlan off", "it takes VLAN tags out of packets and does not tell XDP, so packets of %s take the long way unless gw can switch that off", f.underlay.name)
	}
	if len(n.report.Findings) == before {
		n.ok("no offload joins packets or takes tags away unseen")
	}
}

// generic reports whether XDP would run in the stack on an interface.
func (f *facts) generic(i *iface) bool {
	if f.Config.Underlay.Mode == config.ModeGeneric {
		return true
	}
	b := i.bound
	return b.err == nil && b.value.native != nil
}

// tells reports whether XDP can ask the driver for VLAN tags.
func tells(i *iface) bool {
	return i.features.err == nil && i.features.value.Metadata&netdev.MetadataVLANTag != 0
}
