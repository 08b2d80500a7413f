package fromkernel

import (
	"fmt"
	"slices"
	"strings"
)

// portList are the ports of the bridge, as elements of ports.
func (w *writer) portList() (all []string) {
	b := w.f.Bridge
	if b == nil {
		return nil
	}
	for _, p := range b.Ports {
		if w.isDevice(p.Name) {
			continue
		}
		words := w.carried(p)
		if words == "" {
			w.take("port %s is left out: it does not have the VLAN of %s (%s).", p.Name, w.f.Name, vlansText(b.Own.VLANs))
			continue
		}
		if other := w.ports[words]; other != "" {
			w.take("port %s is left out, since %s is in the same bridge or VLAN and has it: the kernel forwards from one tunnel into the other there, and gw does not.", p.Name, other)
			continue
		}
		w.ports[words] = w.f.Name
		all = append(all, words)
		w.flags(p)
	}
	return all
}

// carried is a port with the VLAN that the vxlan device is in, "" where it is not in that.
func (w *writer) carried(p Port) string {
	b := w.f.Bridge
	var words []string
	if p.Isolated {
		words = append(words, "isolated: true")
	}
	if b.Filtering {
		own := b.Own.native()
		i := slices.IndexFunc(p.VLANs, func(v VLAN) bool { return v.ID == own })
		switch {
		case own == 0 || i < 0:
			return ""
		case p.VLANs[i].PVID && p.VLANs[i].Untagged:
			words = append(words, "vlan: untagged")
		default:
			words = append(words, fmt.Sprintf("vlan: %d", p.VLANs[i].ID))
		}
	}
	if len(words) == 0 {
		return quote(p.Name)
	}
	return "{name: " + quote(p.Name) + ", " + strings.Join(words, ", ") + "}"
}

// native is the VLAN of what comes to a port without a tag, 0 for none.
func (p *Port) native() uint16 {
	if i := slices.IndexFunc(p.VLANs, func(v VLAN) bool { return v.PVID }); i >= 0 {
		return p.VLANs[i].ID
	}
	return 0
}

// hostIn says whether what the host sends by the bridge itself is in a VLAN.
func (b *Bridge) hostIn(vlan uint16) bool {
	self := Port{VLANs: b.VLANs}
	return self.native() == vlan
}

func vlansText(vlans []VLAN) string {
	if len(vlans) == 0 {
		return "none"
	}
	var text []string
	for _, v := range vlans {
		text = append(text, fmt.Sprint(v.ID))
	}
	return strings.Join(text, ", ")
}

// flags are those of a port that gw has for a whole VNI, or not at all.
func (w *writer) flags(p Port) {
	for _, f := range []struct {
		odd        bool
		name, word string
	}{
		{!p.Learning, "learning off", "learning, per VNI"},
		{!p.Flood, "flood off", "flood, per VNI"},
		{p.Hairpin, "hairpin on", "nothing like it"},
		{p.Guard, "guard on", "nothing like it"},
		{p.RootBlock, "root_block on", "nothing like it"},
		{p.ProxyArp, "proxy_arp on", "neigh_suppress, per VNI"},
	} {
		if f.odd {
			w.take("port %s has %s; gw has %s.", p.Name, f.name, f.word)
		}
	}
}

// oddities are options of the device and the bridge without an equivalent.
func (w *writer) oddities() {
	f := w.f
	for _, o := range []struct {
		set  bool
		text string
	}{
		{f.GBP, "gbp: group policies are neither sent nor read by gw; reserved_bits strict drops packets that have one."},
		{f.RemCsum, "remcsum: remote checksum offload is not spoken by gw."},
		{f.Proxy, "proxy: the kernel answers ARP and ND from its neighbour table; neigh_suppress: true, with neigh, is the nearest."},
		{f.RSC, "rsc: route short circuit is not done by gw: the host routes (README)."},
		{f.L2Miss, "l2miss: nobody is told of unknown addresses; gw fdb monitor tells what is learned."},
		{f.L3Miss, "l3miss: nobody is told of unknown neighbours."},
		{f.NoLocalBypass, "nolocalbypass: packets to a vxlan device on this host go by the underlay in any case."},
	} {
		if o.set {
			w.take("%s", o.text)
		}
	}
	b := f.Bridge
	if b == nil {
		return
	}
	if b.STP {
		w.take("the bridge %s speaks STP, gw does not: make sure that there is no loop, or switch it off on both.", b.Name)
	}
	if b.Filtering {
		w.take("the bridge %s filters VLANs: here is the VLAN of %s (%s); each of the others that crosses the tunnel wants a VNI with vlan.", b.Name, f.Name, vlansText(b.Own.VLANs))
	}
	if b.Own.Isolated {
		w.take("%s is an isolated port of the bridge: isolated ports of gw reach tunnels.", f.Name)
	}
	w.flags(b.Own)
}

// commands are what to type.
func (w *writer) commands(names []string) (all []string) {
	underlay := w.all[0].Underlay
	file := "/etc/gw/" + underlay + ".yaml"
	add := func(c string) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	add("gw config from-kernel " + strings.Join(names, " ") + " > " + file)
	add("gw config check " + file)
	for _, f := range w.all {
		add("ip link del " + f.Name)
	}
	for _, w.f = range w.all {
		for _, p := range w.bridgePorts() {
			add("ip link set dev " + p.Name + " nomaster")
		}
	}
	for _, w.f = range w.all {
		if l := w.hosts[w.f]; l != nil && w.f.Bridge != nil && w.deviceName(l) == w.f.Bridge.Name {
			add("ip link del " + l.Name + "    # gw makes a device of this name")
		}
	}
	add("systemctl start gw@" + underlay + "    # or: gw --config " + file)
	for _, w.f = range w.all {
		l := w.hosts[w.f]
		if l == nil {
			continue
		}
		name := w.deviceName(l)
		add(fmt.Sprintf("ip link set dev %s address %s    # others know it by", name, l.MAC))
		if w.f.VRF != "" {
			add("ip link set dev " + name + " master " + w.f.VRF)
		}
	}
	return all
}

// bridgePorts are the ports of the bridge that gw takes.
func (w *writer) bridgePorts() (all []Port) {
	if w.f.Bridge == nil {
		return nil
	}
	for _, p := range w.f.Bridge.Ports {
		if !w.isDevice(p.Name) && w.carried(p) != "" {
			all = append(all, p)
		}
	}
	return all
}

// isDevice says whether a port of a bridge is one of the devices that are written.
func (w *writer) isDevice(name string) bool {
	return slices.ContainsFunc(w.all, func(f *Found) bool { return f.Name == name })
}
