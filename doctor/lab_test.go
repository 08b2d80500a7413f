package doctor

import (
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"vxgw/config"
	"vxgw/gateway"
	"vxgw/internal/lab"
	"vxgw/netdev"
	"vxgw/ring"
)

// A host as it should be: nothing of the network's is complained of, and all of it was seen.
func TestAsItShouldBe(t *testing.T) {
	t.Parallel()
	b := newBed(t, lab.VethOptions{}, lab.VethOptions{})
	r := b.examine()
	r.alone(t)
	r.finds(t, "underlay.mode", "ens18", OK, "copy mode, as a socket on a queue was answered")
	r.finds(t, "port.mode", "veth1", OK, "copy mode")
	r.finds(t, "traffic.firewall", "ens18", OK, "no rule drops")
	r.finds(t, "privilege.capabilities", "", OK, "")
	r.finds(t, "kernel.bpf", "", OK, "")
	if len(r.Unseen) > 0 {
		t.Errorf("not seen: %+v", r.Unseen)
	}
}

// What is wrong with a host, and what is said of it: that, and nothing else.
func TestProvoked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		under, port lab.VethOptions
		spoil       func(t *testing.T, b *bed)
		id, subject string
		level       Level
		words       string
		also        []string // ids that may be there, too
	}{
		{name: "a program by a link", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.Do(func() error {
				l, err := netlink.LinkByName("ens18")
				must(t, err)
				detach, err := attachPassing(l.Attrs().Index, 0)
				t.Cleanup(detach)
				return err
			}))
		}, id: "underlay.xdp", subject: "ens18", level: Error, words: "bpftool link detach id"},
		{name: "a program by netlink", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.Do(func() error {
				l, err := netlink.LinkByName("veth1")
				must(t, err)
				prog, err := ebpf.NewProgram(passing())
				must(t, err)
				defer prog.Close()
				return netlink.LinkSetXdpFd(l, prog.FD())
			}))
		}, id: "port.xdp", subject: "veth1", level: Error, words: "ip link set dev veth1 xdp off"},
		{name: "a kernel device", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.KernelVXLAN(lab.VXLANConfig{Name: "vxlan42", VNI: 42, Remote: remote}))
		}, id: "traffic.vxlan", subject: "vxlan42", level: Warning, words: "ip link del vxlan42"},
		{name: "a kernel device with another VNI", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.KernelVXLAN(lab.VXLANConfig{Name: "vxlan43", VNI: 43, Remote: remote}))
		}, id: "traffic.vxlan", level: OK, words: "vxlan43 (VNI 43)"},
		{name: "a small MTU", spoil: func(t *testing.T, b *bed) { must(t, b.host.SetMTU("ens18", 100)) },
			id: "underlay.mtu", subject: "ens18", level: Error, words: "mtu 1500", also: []string{"port.mtu", "gateway.start"}},
		{name: "a port's MTU", under: lab.VethOptions{MTU: 1500}, id: "port.mtu", subject: "veth1", level: Warning, words: "ip link set dev veth1 mtu 1450"},
		{name: "a container's MTU", spoil: func(t *testing.T, b *bed) { must(t, b.box.SetMTU("veth0", 1800)) },
			id: "port.mtu", subject: "veth1", level: Warning, words: "ip link set dev veth0 mtu 1500"},
		{name: "down", spoil: func(t *testing.T, b *bed) { must(t, b.host.SetDown("ens18")) },
			id: "underlay.link", subject: "ens18", level: Error, words: "ip link set dev ens18 up"},
		{name: "no carrier", spoil: func(t *testing.T, b *bed) { must(t, b.box.SetDown("veth0")) },
			id: "port.link", subject: "veth1", level: Warning, words: "carrier"},
		{name: "no address", spoil: func(t *testing.T, b *bed) { must(t, b.host.DeleteAddress("ens18", "10.65.132.187/24")) },
			id: "underlay.address", subject: "ens18", level: Error, words: "ip address add"},
		{name: "a strict filter", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.SetSysctl("net.ipv4.conf.ens18.rp_filter", "1"))
			b.flags.Remotes = []string{"192.0.2.9"} // to which there is no way
		}, id: "traffic.rp_filter", subject: "ens18", level: Warning, words: "sysctl -w net.ipv4.conf.ens18.rp_filter=2"},
		{name: "a strict filter that does no harm", spoil: func(t *testing.T, b *bed) { must(t, b.host.SetSysctl("net.ipv4.conf.ens18.rp_filter", "1")) },
			id: "traffic.rp_filter", subject: "ens18", level: OK, words: "strict"},
		{name: "no room for fragments", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.SetSysctl("net.ipv4.ipfrag_low_thresh", "1000"))
			must(t, b.host.SetSysctl("net.ipv4.ipfrag_high_thresh", "65536"))
		}, id: "traffic.fragments", level: Warning, words: "sysctl -w net.ipv4.ipfrag_high_thresh"},
		{name: "no memberships", spoil: func(t *testing.T, b *bed) {
			b.flags.Remotes, b.flags.Group = nil, "224.1.1.1"
			must(t, b.host.SetSysctl("net.ipv4.igmp_max_memberships", "0"))
		}, id: "traffic.igmp", subject: "ens18", level: Error, words: "igmp_max_memberships=20"},
		{name: "IGMPv1", spoil: func(t *testing.T, b *bed) {
			b.flags.Remotes, b.flags.Group = nil, "224.1.1.1"
			must(t, b.host.SetSysctl("net.ipv4.conf.ens18.force_igmp_version", "1"))
		}, id: "traffic.igmp", subject: "ens18", level: Warning, words: "force_igmp_version=0"},
		{name: "a group", spoil: func(t *testing.T, b *bed) { b.flags.Remotes, b.flags.Group = nil, "224.1.1.1" },
			id: "traffic.igmp", subject: "ens18", level: OK, words: "1 group can be joined (IGMPv3)"},
		{name: "a port with fewer queues", port: lab.VethOptions{BQueues: 2}, id: "port.queues", subject: "veth1", level: Error, words: "-box ethtool -L veth0 tx 1"},
		{name: "generic", spoil: func(t *testing.T, b *bed) { b.flags.Mode = "generic" },
			id: "port.offloads", subject: "veth1", level: Warning, words: "ethtool -K veth0 tso off gso off tx-udp-segmentation off", also: []string{"port.tags"}},
		{name: "generic, and tags beside frames", spoil: func(t *testing.T, b *bed) {
			b.flags.Mode = "generic"
			for _, f := range []string{"tso", "gso", "tx-udp-segmentation"} {
				must(t, b.box.SetOffload("veth0", f, false))
			}
		}, id: "port.tags", subject: "veth1", level: Warning, words: "ethtool -K veth0 txvlan off tx-vlan-stag-hw-insert off"},
		{name: "zero-copy that is not there", spoil: func(t *testing.T, b *bed) { b.flags.Mode = "zerocopy" },
			id: "underlay.mode", subject: "ens18", level: Error, words: "--mode copy"},
		{name: "no such port", spoil: func(t *testing.T, b *bed) { b.flags.Ports = []string{"veth7"} },
			id: "port.link", subject: "veth7", level: Warning, words: `no interface "veth7"`},
		{name: "no such underlay", spoil: func(t *testing.T, b *bed) { b.flags.Iface = "ens81" },
			id: "underlay.link", subject: "ens81", level: Error, words: "did you mean ens18"},
		{name: "the loopback", spoil: func(t *testing.T, b *bed) { b.flags.Iface = "lo" },
			id: "underlay.link", subject: "lo", level: Error, words: "loopback"},
		{name: "a bridge's port", spoil: func(t *testing.T, b *bed) { must(t, b.host.Bridge("br0", "veth1")) },
			id: "port.link", subject: "veth1", level: Error, words: "ip link set dev veth1 nomaster"},
		{name: "a bridge as underlay", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.Bridge("br0"))
			must(t, b.host.AddAddress("br0", "10.65.133.1/24"))
			b.flags.Iface, b.flags.Remotes = "br0", nil
		}, id: "underlay.mode", subject: "br0", level: Warning, words: "in the stack",
			also: []string{"underlay.link", "port.mtu", "underlay.offloads"}},
		{name: "metrics", spoil: func(t *testing.T, b *bed) {
			must(t, b.host.Do(func() error {
				l, err := net.Listen("tcp", "127.0.0.1:9478")
				must(t, err)
				t.Cleanup(func() { l.Close() })
				return nil
			}))
		}, id: "gateway.metrics", level: Error, words: "ss -lntp sport = :9478"},
		{name: "too many workers", spoil: func(t *testing.T, b *bed) { b.flags.Workers = 250 },
			id: "gateway.start", level: Error, words: "250 workers do not fit"},
		{name: "more workers than queues", spoil: func(t *testing.T, b *bed) { b.flags.Workers = 2 },
			id: "spread.queues", subject: "ens18", level: Warning, words: "2 workers are asked for, and it has 1 queues"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.under, c.port)
			if c.spoil != nil {
				c.spoil(t, b)
			}
			r := b.examine()
			r.finds(t, c.id, c.subject, c.level, c.words)
			r.alone(t, append(c.also, c.id)...)
		})
	}
}

// A queue that somebody's socket has.
func TestQueueTaken(t *testing.T) {
	t.Parallel()
	b := newBed(t, lab.VethOptions{}, lab.VethOptions{})
	must(t, b.host.Do(func() error {
		info, err := netdev.Lookup("ens18")
		must(t, err)
		m, err := ring.NewMemory(128, 4096)
		must(t, err)
		pool := ring.NewDepot(m).NewPool()
		d, err := m.Open(ring.DeviceConfig{Ifindex: info.Index, Name: "ens18", Mode: ring.Copy, RxSize: 64, TxSize: 64, FillSize: 64})
		must(t, err)
		s, err := d.Bind(0, pool)
		must(t, err)
		t.Cleanup(func() { must(t, s.Close(pool)); d.Close(); m.Close() })
		return nil
	}))
	r := b.examine()
	r.finds(t, "underlay.mode", "ens18", Error, "ss --xdp")
	r.alone(t, "underlay.mode")
}

// Where time has run out, the rest is not asked, and so it is said.
func TestLate(t *testing.T) {
	t.Parallel()
	b := newBed(t, lab.VethOptions{}, lab.VethOptions{})
	must(t, b.host.Do(func() error {
		cfg := config.Default()
		f := &facts{Options: Options{Config: &cfg}, deadline: time.Now().Add(-time.Second)}
		i := f.lookAt("veth1", gateway.FitPort)
		if i.err != nil || i.bound.err != errLate || i.peer.err != errLate {
			t.Errorf("%v, bound %v, peer %v", i.err, i.bound.err, i.peer.err)
		}
		return nil
	}))
}

// With Probe a program is attached for as long as it takes, and no longer; without it none is.
func TestProbe(t *testing.T) {
	t.Parallel()
	b := newBed(t, lab.VethOptions{}, lab.VethOptions{})
	b.probe = true
	r := b.examine()
	r.finds(t, "underlay.mode", "ens18", OK, "with an XDP program in the driver")
	r.alone(t)
	must(t, b.host.Do(func() error {
		for _, name := range []string{"ens18", "veth1"} {
			if i, err := netdev.Lookup(name); err != nil || i.XDPProgID != 0 {
				t.Errorf("%s has program %d afterwards, %v", name, i.XDPProgID, err)
			}
		}
		return nil
	}))

	must(t, b.far.SetMTU("ens18", 9000)) // with which a veth refuses what does not take packets in parts
	r = b.examine()
	r.finds(t, "underlay.mode", "ens18", OK, "with an XDP program in the driver")
	r.alone(t) // frames would be larger
	b.frameSize = 4096
	r = b.examine()
	r.finds(t, "underlay.mode", "ens18", Error, "native XDP is refused")
	r.finds(t, "underlay.driver", "ens18", Error, "ip link set dev ens18 mtu 3506")
}
