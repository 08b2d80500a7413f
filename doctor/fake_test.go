package doctor

import (
	"net/netip"

	"vxgw/config"
	"vxgw/gateway"
	"vxgw/internal/ethtool"
	"vxgw/netdev"
)

// healthy are the facts of a machine of which there is nothing to complain: an igb that is bound zero-copy, a container
// at a veth, one remote and one group.
func healthy() *facts {
	remote, group, local := netip.MustParseAddr("10.65.132.188"), netip.MustParseAddr("224.1.1.1"), netip.MustParseAddr("10.65.132.187")
	cfg := config.Default()
	cfg.Underlay.Iface = "ens18"
	v := cfg.NewVNI(42)
	v.Device, v.Ports = nil, []config.Port{{Name: "veth1"}}
	cfg.VNIs = []config.VNI{v}
	nic := netdev.Info{Name: "ens18", Index: 2, MTU: 1550, Up: true, Carrier: true, RxQueues: 2, Kind: "device", Driver: "igb", Ethernet: true}
	all := netdev.Features{Known: true, XDP: netdev.XDPBasic | netdev.XDPRedirect | netdev.XDPZeroCopy, Metadata: netdev.MetadataVLANTag}
	u := &iface{
		name: "ens18", info: nic, notes: gateway.NotesOn(nic),
		features: fact[netdev.Features]{value: all},
		rings:    netdev.Rings{Rx: 1024, MaxRx: 4096},
		channels: fact[ethtool.Channels]{value: ethtool.Channels{MaxCombined: 4, Combined: 2}},
		offloads: fact[map[string]bool]{value: map[string]bool{"rx-gro": true, "rx-vlan-hw-parse": true}},
		table:    fact[[]uint32]{value: []uint32{0, 1, 0, 1}},
		ports4:   fact[bool]{value: true},
		ports6:   fact[bool]{value: true},
		peer:     fact[peer]{err: errNone},
		addrs:    fact[[]netip.Addr]{value: []netip.Addr{local}},
		bound:    fact[bound]{value: bound{mode: "zerocopy", how: "a socket was answered", asked: true}},
		bridge:   fact[bridge]{err: errNone},
		reverse:  map[netip.Addr]fact[string]{remote: {value: "ens18"}},
	}
	veth := netdev.Info{Name: "veth1", Index: 3, MTU: 1500, Up: true, Carrier: true, RxQueues: 1, Kind: "veth", Driver: "veth", IsVeth: true, Ethernet: true}
	p := &iface{
		name: "veth1", info: veth, notes: gateway.NotesOn(veth),
		features: fact[netdev.Features]{value: netdev.Features{Known: true, XDP: netdev.XDPBasic | netdev.XDPRedirect, Metadata: netdev.MetadataVLANTag}},
		channels: fact[ethtool.Channels]{value: ethtool.Channels{MaxRx: 1, MaxTx: 1, Rx: 1, Tx: 1}},
		offloads: fact[map[string]bool]{value: map[string]bool{"rx-gro": true}},
		table:    fact[[]uint32]{err: errNone},
		peer: fact[peer]{value: peer{name: "eth0", elsewhere: true, txQueues: 1, mtu: 1500, offloads: map[string]bool{
			"tx-vlan-hw-insert": true, "tx-tcp-segmentation": true, "tx-generic-segmentation": true, "tx-udp-segmentation": true}}},
		bound: fact[bound]{value: bound{mode: "copy", how: "a socket was answered", asked: true}},
	}
	return &facts{
		Options: Options{Config: &cfg, Paths: netdev.Paths{Lock: "/run/gw/ens18.lock"}},
		named:   true,
		kernel: kernelFacts{release: "6.12.0-amd64", parts: fact[bool]{value: true}, budget: fact[bool]{value: true}, features: fact[bool]{value: true},
			jit: fact[int]{value: 1}, clock: fact[string]{value: "tsc"}, clocks: "tsc hpet acpi_pm", cpus: 8},
		user:     userFacts{uid: 998, nice: true, memlock: fact[uint64]{value: 1 << 30}, dir: "/run/gw"},
		memory:   memoryFacts{available: fact[uint64]{value: 8 << 30}, thp: fact[string]{value: "madvise"}},
		underlay: u, wire: u, ports: []*iface{p},
		plan: fact[gateway.Plan]{value: gateway.Plan{Workers: 2, CPUs: []int{2, 3}, Frames: 1 << 14, FrameSize: 4096, Placement: netdev.Placement{
			Node:       []int{0, 1, 2, 3},
			Interrupts: []netdev.Interrupt{{Number: 30, Name: "ens18-TxRx-0", CPUs: []int{0}}, {Number: 31, Name: "ens18-TxRx-1", CPUs: []int{1}}}}}},
		host: hostFacts{
			sysctls: map[string]fact[int]{
				"ipv4/conf/all/rp_filter": {value: 0}, "ipv4/conf/ens18/rp_filter": {value: 2},
				"ipv4/ipfrag_high_thresh": {value: 4 << 20}, "ipv6/ip6frag_high_thresh": {value: 4 << 20}, "ipv4/igmp_max_memberships": {value: 20},
				"ipv4/conf/all/force_igmp_version": {}, "ipv4/conf/ens18/force_igmp_version": {},
			},
			igmp: fact[map[string]string]{value: map[string]string{"ens18": "v3"}},
			nft:  fact[*ruleset]{value: &ruleset{}},
		},
		vnis: []uint32{42}, remotes: []netip.Addr{remote}, groups: []netip.Addr{group},
	}
}
