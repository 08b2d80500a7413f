package doctor

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
	"vxgw/internal/ethtool"
	"vxgw/netdev"
)

func TestHealthy(t *testing.T) {
	r := judge(healthy())
	for _, f := range r.Findings {
		if f.Level != OK || f.Cure != "" || f.Text == "" {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Unseen) > 0 {
		t.Errorf("not seen: %+v", r.Unseen)
	}
	for _, c := range Checks() { // each has something to say of it
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == c.ID }) {
			t.Errorf("%s says nothing", c.ID)
		}
	}
}

// spoiled are the facts that each check complains of: one change to a healthy machine, and what has to be found then
// and at nothing else.
var spoiled = []struct {
	name  string
	spoil func(f *facts)
	id    string
	level Level
	cure  string // is in it
}{
	{"an old kernel", func(f *facts) { f.kernel.release = "5.15.0-76-generic" }, "kernel.version", Error, "6.1"},
	{"no AF_XDP", func(f *facts) { f.kernel.afXDP = unix.EAFNOSUPPORT }, "kernel.af_xdp", Error, "CONFIG_XDP_SOCKETS"},
	{"no BPF", func(f *facts) { f.kernel.bpf = unix.ENOSYS }, "kernel.bpf", Error, "CONFIG_BPF_SYSCALL"},
	{"interpreted", func(f *facts) { f.kernel.jit.value = 0 }, "kernel.jit", Warning, "bpf_jit_enable=1"},
	{"a slow clock", func(f *facts) { f.kernel.clock.value = "hpet" }, "kernel.clock", Warning, "echo tsc >"},
	{"a slow clock alone", func(f *facts) { f.kernel.clock.value, f.kernel.clocks = "acpi_pm", "acpi_pm" }, "kernel.clock", Warning, "dmesg"},
	{"no capability", func(f *facts) { f.user.missing.value = []string{"CAP_BPF"} }, "privilege.capabilities", Error, "AmbientCapabilities"},
	{"no priority", func(f *facts) { f.user.nice = false }, "privilege.capabilities", Warning, "CAP_SYS_NICE"},
	{"little locked memory", func(f *facts) { f.user.memlock.value = 8 << 20 }, "privilege.memlock", Error, "LimitMEMLOCK"},
	{"no folder", func(f *facts) { f.user.runDir = unix.EACCES }, "privilege.rundir", Error, "install -d -o 998 /run/gw"},
	{"no memory", func(f *facts) { f.memory.available.value = 32 << 20 }, "memory.available", Error, "frames"},
	{"no huge pages", func(f *facts) { f.memory.thp.value = "never" }, "memory.huge", Warning, "vm.nr_hugepages=32"},
	{"no interface", func(f *facts) { f.underlay.err = errors.New("no interface ens18") }, "underlay.link", Error, "ip link"},
	{"the loopback", func(f *facts) { f.underlay.fit = errors.New("is the loopback") }, "underlay.link", Error, "ip link"},
	{"down", func(f *facts) { f.underlay.info.Up = false }, "underlay.link", Error, "ip link set dev ens18 up"},
	{"no carrier", func(f *facts) { f.underlay.info.Carrier = false }, "underlay.link", Error, "ethtool ens18"},
	{"no address", func(f *facts) {
		f.underlay.addrs.value, f.remotes, f.groups = nil, nil, nil
		f.host.sysctls["ipv4/conf/ens18/rp_filter"] = fact[int]{}
	}, "underlay.address", Error, "ip address add"},
	{"another family", func(f *facts) { f.remotes = []netip.Addr{netip.MustParseAddr("2001:db8::1")} }, "underlay.address", Error, "ip address add"},
	{"a small MTU", func(f *facts) { f.underlay.info.MTU = 100; f.ports = nil }, "underlay.mtu", Error, "mtu 1500"},
	{"a large MTU on an old kernel", func(f *facts) { f.underlay.info.MTU = 9000; f.kernel.parts.value = false }, "underlay.mtu", Error, "mtu 3822"},
	{"IPv6 in a small tunnel", func(f *facts) {
		f.underlay.info.MTU, f.ports = 1300, nil
		f.Config.VNIs[0].Device = &config.Device{Addresses: []netip.Prefix{netip.MustParsePrefix("fd00::1/64")}}
	}, "underlay.mtu", Warning, "mtu 1330"},
	{"a program of others", func(f *facts) {
		f.underlay.program, f.underlay.remove = "XDP program 7 (lb)", "ip link set dev ens18 xdp off"
	}, "underlay.xdp", Error, "ip link set dev ens18 xdp off"},
	{"zero-copy refused", func(f *facts) {
		f.underlay.info.Driver = "virtio_net"
		f.underlay.notes.WhyRefused, f.underlay.notes.RefusedCure = "no IOMMU", "iommu_platform=on"
		f.underlay.bound.value = bound{mode: "copy", refused: unix.EINVAL, asked: true, how: "asked"}
	}, "underlay.mode", Warning, "iommu_platform=on"},
	{"a queue that is taken", func(f *facts) { f.underlay.bound.err = unix.EBUSY }, "underlay.mode", Error, "ss --xdp"},
	{"no native XDP", func(f *facts) {
		f.underlay.bound.value.native, f.underlay.offloads.value["rx-gro"] = unix.EOPNOTSUPP, false
	}, "underlay.mode", Warning, "--mode generic"},
	{"an MTU that igc does not take", func(f *facts) {
		f.underlay.info.Driver, f.underlay.notes.MaxMTU = "igc", 1500
	}, "underlay.driver", Warning, "mtu 1500"},
	{"LRO where the driver wants none", func(f *facts) {
		f.underlay.notes.NoLRO = true
		f.underlay.offloads = fact[map[string]bool]{value: map[string]bool{"rx-lro": true}}
	}, "underlay.driver", Warning, "ethtool -K ens18 lro off"},
	{"all queues in use", func(f *facts) {
		f.underlay.notes.HalfQueues = true
		f.underlay.channels.value.Combined = 4
	}, "underlay.driver", Warning, "ethtool -L ens18 combined 2"},
	{"a short ring", func(f *facts) { f.underlay.rings.Rx = 256 }, "underlay.driver", Warning, "ethtool -G ens18 rx 1024"},
	{"hardware GRO", func(f *facts) { f.underlay.offloads.value["rx-gro-hw"] = true }, "underlay.offloads", Warning, "rx-gro-hw off"},
	{"a VLAN whose tags XDP does not see", func(f *facts) {
		below := *f.underlay
		below.name, below.features.value.Metadata = "ens1", 0
		f.wire = &below
	}, "underlay.offloads", Warning, "ethtool -K ens1 rxvlan off"},
	{"one queue", func(f *facts) {
		f.underlay.info.RxQueues, f.underlay.channels.value.Combined, f.plan.value.Workers = 1, 1, 1
	}, "spread.queues", Warning, "ethtool -L ens18 combined 4"},
	{"more workers than queues", func(f *facts) { f.plan.value.Workers = 3 }, "spread.queues", Warning, "combined 3"},
	{"a table of one queue", func(f *facts) { f.underlay.table.value = []uint32{1, 1} }, "spread.table", Warning, "ethtool -X ens18 equal 2"},
	{"spread by address", func(f *facts) { f.underlay.ports4.value = false }, "spread.hash", Warning, "ethtool -N ens18 rx-flow-hash udp4 sdfn"},
	{"one CPU for interrupts", func(f *facts) {
		f.plan.value.Placement.Interrupts[1].CPUs = []int{0}
	}, "spread.interrupts", Warning, "/proc/irq/31/smp_affinity_list"},
	{"a worker's CPU", func(f *facts) {
		f.plan.value.Shared = []gateway.SharedCPU{{CPU: 2, Interrupts: "ens18-TxRx-0", Cure: "echo OTHER | tee /proc/irq/30/smp_affinity_list"}}
	}, "spread.interrupts", Warning, "echo 0 | tee /proc/irq/30"},
	{"another node", func(f *facts) { f.plan.value.CPUs = []int{4, 5} }, "spread.node", Warning, "--cpus 0,1,2,3"},
	{"a device with our VNI", func(f *facts) { f.host.vxlans = []vxlan{{"vxlan42", 42, 4789, 0, false}} }, "traffic.vxlan", Warning, "ip link del vxlan42"},
	{"a policy", func(f *facts) {
		f.groups = nil
		f.host.nft.value = &ruleset{chains: []*chain{{family: familyInet, table: "filter", name: "input", base: true, hook: uint32(input), drops: true, kind: "filter"}}}
	}, "traffic.firewall", Warning, "nft insert rule inet filter input udp dport 4789 accept"},
	{"a strict filter, and another way", func(f *facts) {
		f.host.sysctls["ipv4/conf/all/rp_filter"], f.host.sysctls["ipv4/conf/ens18/rp_filter"] = fact[int]{value: 1}, fact[int]{}
		f.underlay.reverse[f.remotes[0]] = fact[string]{value: "ens19"}
	}, "traffic.rp_filter", Warning, "rp_filter=2"},
	{"no room for fragments", func(f *facts) { f.host.sysctls["ipv4/ipfrag_high_thresh"] = fact[int]{value: 65536} }, "traffic.fragments", Warning, "ipfrag_high_thresh"},
	{"no memberships", func(f *facts) { f.host.sysctls["ipv4/igmp_max_memberships"] = fact[int]{} }, "traffic.igmp", Error, "igmp_max_memberships=20"},
	{"IGMPv1", func(f *facts) {
		f.host.sysctls["ipv4/conf/ens18/force_igmp_version"] = fact[int]{value: 1}
	}, "traffic.igmp", Warning, "force_igmp_version=0"},
	{"a bridge that snoops", func(f *facts) { f.underlay.bridge = fact[bridge]{value: bridge{name: "br0", snoops: true}} }, "traffic.igmp", Warning, "mcast_querier 1"},
	{"a port that is missing", func(f *facts) { f.ports[0].err = errors.New("no interface veth1") }, "port.link", Warning, "make it"},
	{"a port of a bridge", func(f *facts) {
		f.ports[0].fit = errors.New("it belongs to br0 (ip link set dev veth1 nomaster)")
	}, "port.link", Error, "ip link set dev veth1 nomaster"},
	{"a port that is down", func(f *facts) { f.ports[0].info.Up = false }, "port.link", Warning, "ip link set dev veth1 up"},
	{"a port without carrier", func(f *facts) { f.ports[0].info.Carrier = false }, "port.link", Warning, "ip link set dev eth0 up"},
	{"a port whose MTU is large", func(f *facts) { f.underlay.info.MTU = 1500 }, "port.mtu", Warning, "ip link set dev veth1 mtu 1450; ip link set dev eth0 mtu 1450"},
	{"a peer whose MTU is larger", func(f *facts) { f.ports[0].peer.value.mtu = 3000 }, "port.mtu", Warning, "ip link set dev eth0 mtu 1500"},
	{"a program on a port", func(f *facts) {
		f.ports[0].program, f.ports[0].remove = "XDP program 9", "ip link set dev veth1 xdp off"
	}, "port.xdp", Error, "veth1 xdp off"},
	{"a peer with more queues", func(f *facts) { f.ports[0].peer.value.txQueues = 4 }, "port.queues", Error, "ethtool -L eth0 tx 1"},
	{"a peer's MTU that XDP does not take", func(f *facts) {
		f.underlay.info.MTU, f.ports[0].info.MTU, f.ports[0].peer.value.mtu = 9050, 9000, 9000
	}, "port.driver", Error, "ip link set dev eth0 mtu 3506"},
	{"a port's ring", func(f *facts) {
		f.ports[0].notes.ShortRing, f.ports[0].rings = 1024, netdev.Rings{Rx: 256, MaxRx: 4096}
	}, "port.driver", Warning, "ethtool -G veth1 rx 1024"},
	{"a port's queue is taken", func(f *facts) { f.ports[0].bound.err = unix.EBUSY }, "port.mode", Error, "ss --xdp"},
	{"tags that are lost", func(f *facts) { f.ports[0].features.value.Metadata = 0 }, "port.tags", Warning, "ethtool -K eth0 txvlan off"},
	{"a port that joins", func(f *facts) { f.ports[0].offloads.value["rx-lro"] = true }, "port.offloads", Warning, "ethtool -K veth1 lro off"},
	{"a gw that does not answer", func(f *facts) { f.left.held = true }, "gateway.running", Warning, "gw status --wait"},
	{"a gw that complains", func(f *facts) {
		f.Running = &control.Status{Problems: []string{"remote 10.65.132.188 is no-route (no way) (ip route add 10.65.132.188 via GATEWAY)"}, Memory: control.Memory{Pages: "transparent"}}
	}, "gateway.running", Warning, "ip route add 10.65.132.188 via GATEWAY"},
	{"no CPU", func(f *facts) {
		f.plan.err = errors.New("16 workers do not fit on 8 CPUs (give fewer)")
	}, "gateway.start", Error, "give fewer"},
	{"a journal", func(f *facts) {
		f.left.changes.value = []netdev.Change{{Kind: netdev.KindPair, Link: netdev.LinkID{Name: "gw42"}}}
	}, "gateway.leftovers", Warning, "gw cleanup --iface ens18"},
	{"a socket of nobody", func(f *facts) { f.left.socket = true }, "gateway.leftovers", Warning, "gw cleanup --iface ens18"},
	{"metrics taken", func(f *facts) { f.host.metrics = unix.EADDRINUSE }, "gateway.metrics", Error, "sport = :9478"},
}

// What a container calls its interface is no part of a command.
func TestNamesAreQuoted(t *testing.T) {
	f := healthy()
	p := f.ports[0]
	p.name, p.info.Up = "it's; id", false
	p.peer.value.name, p.peer.value.mtu = word("a;$(id)"), 9000
	r, cures := judge(f), map[string]string{}
	for _, is := range r.Findings {
		if is.Subject == p.name {
			cures[is.ID] = is.Cure
		}
	}
	for id, want := range map[string]string{"port.link": `ip link set dev 'it'\''s; id' up`, "port.mtu": `ip link set dev 'a;$(id)' mtu 1500`} {
		if cures[id] != want {
			t.Errorf("%s: %s", id, cures[id])
		}
	}
}

// What a port's tunnel carries is what its own VNI's does, as the running gateway has it.
func TestPortMTUIsOfItsVNI(t *testing.T) {
	f := healthy()
	f.Running = &control.Status{Version: gateway.Version, VNIs: []control.VNI{{VNI: 42, TunnelMTU: 1500}, {VNI: 43, TunnelMTU: 1480}}, Ports: []control.Port{{VNI: 43}}}
	f.Running.Underlay.MTU, f.Running.Ports[0].Name = f.underlay.info.MTU, "veth1"
	for vni, want := range map[uint32]string{42: "its MTU of 1500 fits the tunnel's 1500", 43: "the tunnel carries 1480"} {
		f.Running.Ports[0].VNI = vni
		f.Config.VNIs[0].VNI, f.Config.VNIs[0].Ports = 0, nil // as without flags
		r := judge(f)
		if !slices.ContainsFunc(r.Findings, func(is Finding) bool { return is.ID == "port.mtu" && strings.Contains(is.Text, want) }) {
			t.Errorf("vni %d: no %q: %+v", vni, want, r.Findings)
		}
	}
}

// A thousand remotes that fail are some lines.
func TestManyProblems(t *testing.T) {
	f := healthy()
	f.Running = &control.Status{Version: gateway.Version, Problems: slices.Repeat([]string{"remote 10.65.132.188 is failed"}, 1000), Memory: control.Memory{Pages: "transparent"}}
	r, n := judge(f), 0
	for _, is := range r.Findings {
		if is.ID == "gateway.running" {
			n++
		}
	}
	if last := r.Findings[len(r.Findings)-1]; n != mostProblems+1 || last.Text != "990 more problems" || last.Cure != "gw status -j has all" {
		t.Errorf("%d findings, the last %+v", n, last)
	}
}

func TestSpoiled(t *testing.T) {
	provoked := map[string]bool{}
	for _, c := range spoiled {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.spoil(f)
			r := judge(f)
			found := false
			for _, f := range r.Findings {
				switch {
				case f.ID == c.id && f.Level == c.level && strings.Contains(f.Cure, c.cure):
					found = true
				case f.Level != OK:
					t.Errorf("besides: %+v", f)
				}
			}
			if !found {
				t.Errorf("no %s of %s with %q in its cure: %+v", c.level, c.id, c.cure, r.Findings)
			}
			provoked[c.id] = true
		})
	}
	for _, c := range Checks() {
		if !provoked[c.ID] {
			t.Errorf("%s is provoked by nothing", c.ID)
		}
	}
}

// A driver that switches off by itself what joins packets is not complained of, unless it has not done so.
func TestPartsByItself(t *testing.T) {
	f := healthy()
	f.underlay.notes.Parts = true
	f.underlay.offloads.value["rx-gro-hw"] = true
	if r := judge(f); r.Worst() != OK {
		t.Errorf("%+v", r.Findings)
	}
	f.Running = &control.Status{Memory: control.Memory{Pages: "transparent"}}
	judge(f).finds(t, "underlay.offloads", "ens18", Warning, "rx-gro-hw off")
}

// A command for another network namespace is one that can be typed.
func TestAtPeer(t *testing.T) {
	for path, want := range map[string]string{
		"":                "ethtool -L eth0 tx 1",
		"/run/netns/box":  "ip netns exec box ethtool -L eth0 tx 1",
		"/proc/77/ns/net": "nsenter -t 77 -n ethtool -L eth0 tx 1",
	} {
		if got := (peer{path: path}).at("ethtool -L eth0 tx 1"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// In generic mode everything that comes before the stack's XDP counts.
func TestGeneric(t *testing.T) {
	f := healthy()
	f.Config.Underlay.Mode = config.ModeGeneric
	f.underlay.bound.value.native, f.underlay.bound.value.meant = errors.New("asked for"), true
	f.ports[0].bound.value.native, f.ports[0].bound.value.meant = errors.New("asked for"), true
	r := judge(f)
	for id, cure := range map[string]string{
		"underlay.offloads": "ethtool -K ens18 gro off",
		"port.offloads":     "ethtool -K eth0 tso off gso off tx-udp-segmentation off",
		"port.tags":         "ethtool -K eth0 txvlan off",
	} {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == id && f.Level == Warning && strings.Contains(f.Cure, cure) }) {
			t.Errorf("no %s with %q: %+v", id, cure, r.Findings)
		}
	}
}

// What cannot be seen is said, and nothing else is made of it.
func TestUnseen(t *testing.T) {
	f := healthy()
	f.host.nft.err, f.host.tables.err = unix.EPERM, fs.ErrPermission
	f.kernel.afXDP, f.kernel.bpf = unix.EPERM, unix.EPERM
	f.underlay.bound.err, f.left.changes.err = unix.EPERM, fs.ErrPermission
	f.ports[0].peer.err = errors.New("it is in a network namespace that this process cannot see")
	f.underlay.channels = fact[ethtool.Channels]{err: unix.EOPNOTSUPP}
	r := judge(f)
	if r.Worst() != OK {
		t.Errorf("%+v", r.Findings)
	}
	for _, id := range []string{"traffic.firewall", "kernel.af_xdp", "kernel.bpf", "underlay.mode", "gateway.leftovers", "port.queues"} {
		if !slices.ContainsFunc(r.Unseen, func(u Unseen) bool { return u.ID == id }) {
			t.Errorf("%s does not say that it sees nothing: %+v", id, r.Unseen)
		}
	}
}
