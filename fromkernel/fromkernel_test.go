package fromkernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/config"
)

// found is a device as it comes from `ip link add vxlan0 type vxlan id 42 dstport 4789 dev ens18`.
func found(change func(*Found)) *Found {
	f := &Found{
		Device: Device{VNI: 42, Port: 4789, UDPCsum: true, Learning: true, Ageing: 300, ReservedBits: strictBits},
		Link:   Link{Name: "vxlan0", MTU: 1450, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}}, Underlay: "ens18", UnderMTU: 1500,
	}
	change(f)
	return f
}

func host(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, last}) }

func floodTo(a netip.Addr) Entry { return Entry{MAC: make(net.HardwareAddr, 6), Dst: a, Static: true} }

func mac(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, last} }

// Odd devices: what the file says of them, which gw accepts, and what is noted.
func TestWrite(t *testing.T) {
	on := netlink.Protinfo{Learning: true, Flood: true}
	vlan := func(id uint16, native bool) []VLAN { return []VLAN{{id, native, native}} }
	for _, c := range []struct {
		name   string
		change func(*Found)
		want   []string
		lacks  []string
	}{
		{"plain", func(*Found) {}, []string{`  iface: "ens18"`, "  - vni: 42", `      name: "vxlan0"`, "# Note: nothing is flooded to any VTEP"}, []string{"mtu:", "srcport", "local:", "ports:"}},
		{"remotes", func(f *Found) {
			f.Entries = []Entry{floodTo(host(2)), {MAC: make(net.HardwareAddr, 6), Dst: host(3), Port: 8472, VNI: 7}}
		}, []string{`    remotes: ["10.0.0.2", {dst: "10.0.0.3", port: 8472, vni: 7}]`}, []string{"group", "Note"}},
		{"two groups", func(f *Found) {
			f.Entries = []Entry{floodTo(netip.MustParseAddr("224.1.1.1")), floodTo(netip.MustParseAddr("224.1.1.2"))}
		}, []string{`    group: "224.1.1.1"`, "# Note: it is flooded to the group 224.1.1.2 as well"}, nil},
		{"a group that is not flooded to", func(f *Found) { f.Dst = netip.MustParseAddr("224.1.1.1") }, []string{"# Note: nothing is flooded to the group 224.1.1.1"}, []string{"    group:"}},
		{"options", func(f *Found) {
			f.TTL, f.TOS, f.DF, f.Label, f.UDPCsum, f.Learning, f.Ageing, f.Limit = 9, 0xb8, 2, 0x123, false, false, 0, 5
			f.PortRange, f.ReservedBits, f.Local = [2]uint16{5000, 6000}, 0, host(1)
		}, []string{"  ttl: 9", "  tos: 184", "  df: inherit", "  flowlabel: 291", "  udpcsum: false", "    learning: false", "    ageing: 0s", "    maxaddress: 5", "  srcport: [5000, 6000]", "  reserved_bits: ignore", `  local: "10.0.0.1"`}, nil},
		{"inherited", func(f *Found) { f.TTL, f.TTLInherit, f.TOS, f.LabelInherit = 7, true, 1, true }, []string{"  ttl: inherit", "  tos: inherit", "  flowlabel: inherit"}, nil},
		{"bits of the header", func(f *Found) { f.ReservedBits = ^uint64(0) }, []string{"  reserved_bits: 0xf7ffffff000000ff", "# Note: reserved_bits had 0x8000000ffffff00"}, nil},
		{"over IPv6", func(f *Found) {
			f.MTU, f.Entries = 1430, []Entry{floodTo(netip.MustParseAddr("2001:db8::2"))}
		}, []string{`    remotes: ["2001:db8::2"]`}, []string{"mtu:"}},
		{"another MTU", func(f *Found) { f.MTU = 9000 }, []string{"      mtu: 9000 # without it: 1450"}, nil},
		{"a long name", func(f *Found) { f.Name = "vxlan-to-berlin" }, []string{`      name: "gw42"`, "# Note: the name vxlan-to-berlin is too long", "#   ip link set dev gw42 address 02:00:00:00:00:09"}, nil},
		{"a VRF", func(f *Found) { f.VRF, f.UnderVRF = "red", "blue" }, []string{"#   ip link set dev vxlan0 master red", "# Note: vxlan0 is in the VRF red", "# Note: the underlay ens18 is in the VRF blue"}, nil},
		{"entries", func(f *Found) {
			f.Entries = []Entry{
				{MAC: mac(1), Dst: host(2), Static: true, Port: 4790}, {MAC: mac(2), Dst: host(2)}, {MAC: net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, Dst: host(2), Static: true},
				{MAC: mac(3), Static: true, Nexthop: true}, {MAC: mac(4), Static: true}, {MAC: mac(5), Dst: host(2), Via: "eth1", Static: true},
			}
		}, []string{`      - {mac: "02:00:00:00:00:01", dst: "10.0.0.2", port: 4790}`, "# Note: 1 learned FDB entries are left out", "is of a multicast address", "02:00:00:00:00:03 is at a group of next hops", "02:00:00:00:00:04 has no dst", "02:00:00:00:00:05 dst 10.0.0.2 goes via eth1"},
			[]string{`"02:00:00:00:00:02"`, `"02:00:00:00:00:05"`}},
		{"what gw has not", func(f *Found) {
			f.GBP, f.RemCsum, f.Proxy, f.RSC, f.L2Miss, f.L3Miss, f.NoLocalBypass = true, true, true, true, true, true, true
		}, []string{"# Note: gbp:", "# Note: remcsum:", "# Note: proxy:", "# Note: rsc:", "# Note: l2miss:", "# Note: l3miss:", "# Note: nolocalbypass:"}, nil},
		{"a bridge", func(f *Found) {
			isolated, odd := on, on
			isolated.Isolated, odd.Learning, odd.Hairpin = true, false, true
			f.Bridge = &Bridge{Link: Link{Name: "br0"}, STP: true, Own: Port{Name: "vxlan0", Protinfo: on},
				Ports: []Port{{Name: "veth1", Protinfo: isolated}, {Name: "veth2", Protinfo: odd}}, Entries: []Entry{{MAC: mac(1), Ifname: "veth1", Static: true}}}
		}, []string{"    device: null", `    ports: [{name: "veth1", isolated: true}, "veth2"]`, `      - {mac: "02:00:00:00:00:01", port: "veth1"}`, "# Note: port veth2 has learning off", "# Note: port veth2 has hairpin on", "speaks STP",
			"#   ip link set dev veth1 nomaster"}, []string{"ip link del br0", "ip link set dev vxlan0 address"}},
		{"a bridge with VLANs", func(f *Found) {
			f.Bridge = &Bridge{Link: Link{Name: "br0"}, Filtering: true, Own: Port{Name: "vxlan0", Protinfo: on, VLANs: vlan(10, true)},
				Ports: []Port{{Name: "veth1", Protinfo: on, VLANs: vlan(10, true)}, {Name: "eth1", Protinfo: on, VLANs: vlan(10, false)}, {Name: "eth2", Protinfo: on, VLANs: vlan(20, false)}}}
		}, []string{`    ports: [{name: "veth1", vlan: untagged}, {name: "eth1", vlan: 10}]`, "# Note: port eth2 is left out", "filters VLANs"}, []string{"dev eth2 nomaster"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkWritten(t, c.want, c.lacks, found(c.change))
		})
	}
	for want, change := range map[string]func(*Found){
		"external": func(f *Found) { f.External = true }, "bridge vni show dev vxlan0": func(f *Found) { f.External, f.VNIFilter = true, true }, "gpe": func(f *Found) { f.GPE = true }, "VNI 0": func(f *Found) { f.VNI = 0 },
	} {
		if _, err := Write(found(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Several devices: VNIs of one file, a trunk where they are in VLANs of one bridge, and what keeps them apart.
func TestWriteSeveral(t *testing.T) {
	on := netlink.Protinfo{Learning: true, Flood: true}
	six := netip.MustParseAddr("2001:db8::1")
	device := func(vni uint32, change func(*Found)) *Found {
		return found(func(f *Found) { f.Name, f.VNI = fmt.Sprintf("vxlan%d", vni), vni; change(f) })
	}
	vlans := func(native uint16, tagged ...uint16) (all []VLAN) {
		if native != 0 {
			all = []VLAN{{native, true, true}}
		}
		for _, id := range tagged {
			all = append(all, VLAN{ID: id})
		}
		return all
	}
	// in is a bridge with both devices, a trunk and a port, as it looks to the one of a VLAN.
	in := func(own, other uint16, filtering bool) func(*Found) {
		return func(f *Found) {
			f.Bridge = &Bridge{Link: Link{Name: "br0", MTU: 1450, MAC: mac(8), Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24")}}, Filtering: filtering, VLANs: vlans(10),
				Own: Port{Name: f.Name, Protinfo: on, VLANs: vlans(own)}, Entries: []Entry{{MAC: mac(byte(own)), Ifname: "eth1", VLAN: own, Static: true}, {MAC: mac(byte(other)), Ifname: "eth1", VLAN: other, Static: true}},
				Ports: []Port{{Name: "eth1", Protinfo: on, VLANs: vlans(0, 10, 20)}, {Name: "veth1", Protinfo: on, VLANs: vlans(20)}, {Name: fmt.Sprintf("vxlan%d", other), Protinfo: on, VLANs: vlans(other)}}}
		}
	}
	for _, c := range []struct {
		name  string
		all   []*Found
		want  []string
		lacks []string
	}{
		{"two", []*Found{device(42, func(f *Found) { f.Local, f.Entries = host(1), []Entry{floodTo(host(2))} }), device(43, func(f *Found) { f.Local, f.TTL = six, 9 })},
			[]string{"# What the kernel's vxlan42, vxlan43 do, for gw.", "#   gw config from-kernel vxlan42 vxlan43 > /etc/gw/ens18.yaml\n", `  local: "10.0.0.1"` + "\n" + `  local6: "2001:db8::1"`, "tunnel:\n  ttl: auto", "    tunnel:\n      ttl: 9\n",
				"# Note: vxlan43: nothing is flooded to any VTEP", "#   ip link del vxlan42\n#   ip link del vxlan43\n"}, []string{"# Note: vxlan42"}},
		{"one tunnel", []*Found{device(42, func(*Found) {}), device(43, func(*Found) {})}, nil, []string{"    tunnel:"}},
		{"a bridge with VLANs", []*Found{device(10, in(10, 20, true)), device(20, in(20, 10, true))},
			[]string{`    ports: [{name: "eth1", vlan: 10}]`, `    ports: [{name: "eth1", vlan: 20}, {name: "veth1", vlan: untagged}]`, "  - vni: 10\n    device:\n      name: \"br0\"", "  - vni: 20\n    device: null", "# Note: vxlan20: the addresses of br0 are in another VLAN",
				"    fdb:\n      - {mac: \"02:00:00:00:00:0a\", port: \"eth1\"}\n  - vni: 20", "    fdb:\n      - {mac: \"02:00:00:00:00:14\", port: \"eth1\"}\n", "#   ip link del br0"}, []string{"dev vxlan10 nomaster", "dev vxlan20 nomaster"}},
		{"a bridge without VLANs", []*Found{device(10, in(10, 20, false)), device(20, in(20, 10, false))},
			[]string{`    ports: ["eth1", "veth1"]`, "# Note: vxlan20: port eth1 is left out, since vxlan10 is in the same bridge", "# Note: vxlan20: the addresses of br0 are those of the device of VNI 10"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkWritten(t, c.want, c.lacks, c.all...)
		})
	}
	for want, change := range map[string]func(*Found){
		"vxlan43 goes by eth1, vxlan42 by ens18": func(f *Found) { f.Underlay = "eth1" }, "dstport 8472": func(f *Found) { f.Device.Port = 8472 },
		"both have VNI 42": func(f *Found) { f.VNI = 42 }, "has the address 10.0.0.2": func(f *Found) { f.Local = host(2) }, "external": func(f *Found) { f.External = true },
	} {
		if _, err := Write(device(42, func(f *Found) { f.Local = host(1) }), device(43, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// deviceData is the IFLA_INFO_DATA of a device, as the kernel writes it.
func deviceData() []byte {
	var out []byte
	add := func(kind int, value []byte) { out = append(out, nl.NewRtAttr(kind, value).Serialize()...) }
	add(nl.IFLA_VXLAN_ID, nl.Uint32Attr(42))
	add(nl.IFLA_VXLAN_GROUP6, netip.MustParseAddr("ff05::100").AsSlice())
	add(nl.IFLA_VXLAN_LOCAL, []byte{10, 0, 0, 1})
	add(nl.IFLA_VXLAN_PORT, binary.BigEndian.AppendUint16(nil, 4789))
	add(nl.IFLA_VXLAN_PORT_RANGE, []byte{0x10, 0, 0x20, 0})
	add(iflaDF, []byte{1})
	add(iflaTTLInherit, nil)
	add(nl.IFLA_VXLAN_GBP, nil)
	return out
}

func TestParseDevice(t *testing.T) {
	d, err := ParseDevice(deviceData())
	want := Device{VNI: 42, Dst: netip.MustParseAddr("ff05::100"), Local: host(1), Port: 4789, PortRange: [2]uint16{0x1000, 0x2000}, DF: 1, TTLInherit: true, GBP: true, ReservedBits: strictBits}
	if err != nil || d != want {
		t.Errorf("%+v, %v, want %+v", d, err, want)
	}
	if _, err := ParseDevice(nil); err == nil {
		t.Error("nothing is a device")
	}
}

// Whatever the kernel's messages are, they do no harm, and a file that comes of them is one that can be read.
func FuzzDevice(f *testing.F) {
	f.Add(deviceData())
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDevice(data)
		if err != nil {
			return
		}
		text, err := Write(found(func(f *Found) { f.Device = d }))
		if err != nil {
			return
		}
		if _, err := config.Parse(text, "written"); err != nil && strings.Contains(err.Error(), "YAML") {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

func FuzzEntry(f *testing.F) {
	m := make([]byte, ndmsgLen)
	m[0], m[10] = unix.AF_BRIDGE, netlink.NTF_SELF
	m = append(m, nl.NewRtAttr(unix.NDA_LLADDR, mac(1)).Serialize()...)
	m = append(m, nl.NewRtAttr(unix.NDA_DST, []byte{10, 0, 0, 2}).Serialize()...)
	f.Add(m)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEntry(data)
		if err != nil {
			return
		}
		if len(e.MAC) != 6 {
			t.Fatalf("%+v", e)
		}
		text, err := Write(found(func(f *Found) { f.Entries = []Entry{e} }))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(text, "written"); err != nil && strings.Contains(err.Error(), "YAML") {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

// checkWritten writes what was found, and fails unless that is a configuration with all that is wanted and nothing of what it has to lack.
func checkWritten(t *testing.T, want, lacks []string, all ...*Found) {
	t.Helper()
	text, err := Write(all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(text), w) {
			t.Errorf("it lacks %q", w)
		}
	}
	for _, w := range lacks {
		if strings.Contains(string(text), w) {
			t.Errorf("it has %q", w)
		}
	}
	if _, err := config.Parse(text, "written"); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}
