package fromkernel

import (
	"fmt"
	"slices"
	"strings"
)

// ports are those of the bridge, as elements of ports.
func (w *writer) ports() (all []string) {
	b := w.f.Bridge
	if b == nil {
		return nil
	}
	for _, p := range b.Ports {
		words := w.carried(p)
		if words == "" {
			w.take("port %s is left out: it does not have the VLAN of %s (%s).", p.Name, w.f.Name, vlansText(b.Own.VLANs))
			continue
		}
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
		own := slices.IndexFunc(b.Own.VLANs, func(v VLAN) bool { return v.PVID })
		if own < 0 {
			return ""
		}
		i := slices.IndexFunc(p.VLANs, func(v VLAN) bool { return v.ID == b.Own.VLANs[own].ID })
		switch {
		case i < 0:
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
		{f.VNIFilter, "vnifilter: only the device's own VNI is here; bridge vni show lists others, each of which wants an element of vnis."},
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
func (w *writer) commands() (all []string) {
	f, b := w.f, w.f.Bridge
	file := "/etc/gw/" + f.Underlay + ".yaml"
	all = append(all, "gw config from-kernel "+f.Name+" > "+file, "gw config check "+file, "ip link del "+f.Name)
	if b != nil {
		for _, p := range b.Ports {
			if w.carried(p) != "" {
				all = append(all, "ip link set dev "+p.Name+" nomaster")
			}
		}
		if l := w.host(); l != nil && w.deviceName(l) == b.Name {
			all = append(all, "ip link del "+b.Name+"    # gw makes a device of this name")
		}
	}
	all = append(all, "systemctl start gw@"+f.Underlay+"    # or: gw --config "+file)
	if l := w.host(); l != nil {
		name := w.deviceName(l)
		all = append(all, fmt.Sprintf("ip link set dev %s address %s    # others know it by", name, l.MAC))
		if f.VRF != "" {
			all = append(all, "ip link set dev "+name+" master "+f.VRF)
		}
	}
	return all
}
