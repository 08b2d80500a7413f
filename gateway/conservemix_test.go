package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// The same with all that there is at once, and two workers: VLANs of a trunk beside an isolated port, questions for neighbours that
// are answered, remotes over both families and with a port and VNI of their own, some of whom may not send, limits, and options of
// the tunnel that need a second look.
func TestMixedFramesSurviveLinkFlaps(t *testing.T) {
	dst6 := netip.MustParseAddr("2001:db8::2")
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(b *bed, cfg *config.Config) {
		must(t, b.container.SetOffload("veth0", "txvlan", false))
		must(t, b.host.LinkLocal()) // the kernel asks for neighbours from there
		must(t, b.remote.LinkLocal())
		must(t, b.host.AddAddress("ens18", "2001:db8::1/64"))
		must(t, b.remote.AddAddress("ens18", "2001:db8::2/64"))
		_, err := b.host.BridgePort("p0", "box", "172.20.0.2/24", lab.VethOptions{})
		must(t, err)
		cfg.Dataplane.Workers = 2
		v := &cfg.VNIs[0]
		v.Ports = []config.Port{{Name: "veth1", VLAN: 100, Isolated: true}, {Name: "p0", Isolated: true}}
		v.Remotes = []config.Remote{{Dst: remoteAddr}, {Dst: dst6}, {Dst: remoteAddr, Port: 8472, VNI: 100}}
		v.FDB = []config.Static{{MAC: config.MAC{2, 0, 0, 0, 0, 3}, Dst: dst6}}
		v.Allow = config.Allow{{}}
		v.Tunnel.TTL, v.Tunnel.ReservedBits = config.TTLInherit, config.ReservedBits(vxlan.Reserved)
		v.NeighSuppress = true
		v.Neigh = []config.Neighbour{{IP: netip.MustParseAddr("172.17.0.3"), MAC: v.FDB[0].MAC}}
		w := cfg.NewVNI(43)
		w.Ports, w.Remotes, w.Device = []config.Port{{Name: "veth1", VLAN: config.VLANUntagged}}, []config.Remote{{Dst: dst6}}, nil
		w.Storm, w.Tunnel.UDP6ZeroCsumRx = config.Storm{Broadcast: 500, Unknown: 500, Multicast: 500}, true
		cfg.VNIs = append(cfg.VNIs, w)
	})
	b.direct()
	b.await("the way over IPv6 is direct", func() bool {
		n, ok := b.g.plane.Remotes.Find(dst6)
		s := b.g.plane.Snapshot()
		return ok && int(n) < len(s.Paths[0]) && s.Paths[0][n].State == dataplane.PathDirect
	})
	rnd := rand.New(rand.NewPCG(7, 8))
	port, wire := packetSocket(t, b.container, "veth0", 0), packetSocket(t, b.remote, "ens18", 0)
	inner := func() []byte {
		f := frame(byte([]int{0xff, 1, 2, 3}[rnd.IntN(4)]), byte(1+rnd.IntN(3)), 14+rnd.IntN(1300))
		if rnd.IntN(3) == 0 {
			f = ask(f[:12], netip.AddrFrom4([4]byte{172, 17, 0, byte(rnd.IntN(6))}))
		}
		return f
	}
	for i := range 24_000 {
		b.keepUp(i)
		f := inner()
		if rnd.IntN(2) == 0 {
			f = slices.Concat(f[:12], []byte{0x81, 0, 0, byte([]int{100, 100, 101, 0}[rnd.IntN(4)])}, f[12:])
		}
		send(t, port, f)
		vni := 42 + uint32(rnd.IntN(9)/4)
		p := b.packetFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + rnd.IntN(8)/6)}), inner())
		if rnd.IntN(3) == 0 {
			p = b.packet6(dst6, inner(), rnd.IntN(2) == 0)
		}
		var at int // of the VXLAN header
		switch {
		case p[12] == 0x08:
			at = 42
		case p[20] == 17:
			at = 62
		default:
			at = 70
		}
		binary.BigEndian.PutUint32(p[at+4:], vni<<8)
		if rnd.IntN(8) == 0 {
			p[at+7] = 1
		}
		switch rnd.IntN(6) {
		case 0, 1:
			p = p[:14+rnd.IntN(len(p)-13)]
		case 2:
			if p[12] == 0x08 {
				for _, piece := range fragments(p, uint16(i), 8*(1+rnd.IntN((len(p)-35)/8))) {
					send(t, wire, piece)
				}
				continue
			}
		}
		send(t, wire, p)
		if i%6_000 == 3_000 {
			if b.flap(i / 6_000); i/6_000%3 == 0 {
				must(t, b.host.AddAddress("ens18", "2001:db8::1/64")) // which went with the link
			}
		}
	}
	b.quiet()
	total := map[string]uint64{}
	for _, w := range b.g.Status().Workers {
		for v, n := range w.Verdicts {
			total[v] += n
		}
	}
	for _, v := range []dataplane.Verdict{dataplane.ToPort, dataplane.Flooded, dataplane.Answered, dataplane.InnerVLAN, dataplane.ReservedBits, dataplane.ZeroChecksum} {
		if total[v.String()] == 0 {
			t.Errorf("the traffic never came to %v: %v", v, total)
		}
	}
	b.balanced(5_000)
}

// ask is an ARP question with the addresses of an Ethernet header, to everyone.
func ask(addrs []byte, target netip.Addr) []byte {
	f := slices.Concat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, addrs[6:12], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, addrs[6:12], []byte{172, 17, 0, 200})
	return append(append(f, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
}

// packet6 is packet over IPv6, without a UDP checksum; with options it takes the way through the kernel.
func (b *bed) packet6(vtep netip.Addr, inner []byte, options bool) []byte {
	b.t.Helper()
	h, err := vxlan.NewHeaders(vxlan.TemplateConfig{
		SrcMAC: [6]byte{2, 0, 0, 0, 0, 99}, DstMAC: b.g.mirror.Link().MAC, Src: vtep, Dst: netip.MustParseAddr("2001:db8::1"), DstPort: 4789, TTL: 64,
	})
	must(b.t, err)
	p := append(make([]byte, h.Len()), inner...)
	h.Put(p, 42, 0, 1)
	if options {
		p = slices.Concat(p[:54], []byte{17, 0, 1, 4, 0, 0, 0, 0}, p[54:])
		p[20] = 60
		binary.BigEndian.PutUint16(p[18:], uint16(len(p)-54))
	}
	return p
}
