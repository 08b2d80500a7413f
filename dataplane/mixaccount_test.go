package dataplane

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// mix is random traffic of every kind for the VNIs and VLANs of a trunk's rig.
type mix struct {
	*rand.Rand
	t    *testing.T
	macs []uint64
}

// frame is what a station says.
func (m mix) frame() []byte {
	mac := func() uint64 { return m.macs[m.IntN(len(m.macs))] }
	if m.IntN(4) == 0 {
		return askFor([]string{ipR, llR, ipB, "172.17.1.200", "fe80::200", ipA}[m.IntN(6)])
	}
	f := ipFrame(mac(), mac(), uint16(m.Uint32()), m.IntN(1500))
	f[22] = byte(m.IntN(3)) * 90
	return f
}

// fromTrunk is a frame with a tag, or without.
func (m mix) fromTrunk() []byte {
	f := m.frame()
	if m.IntN(3) > 0 {
		f = tagged(f, []uint16{0x8100, 0x8100, 0x88a8}[m.IntN(3)], []uint16{0, 100, 200, 300, 0x2064}[m.IntN(5)])
	}
	if m.IntN(3) > 0 {
		f = tagged(f, []uint16{0x8100, 0x8100, 0x88a8}[m.IntN(3)], []uint16{0, 100, 200, 300, 0x2064}[m.IntN(5)])
	}
	return m.cut(f)
}

// fromTunnel is a packet of one of several VTEPs, of either family.
func (m mix) fromTunnel(six bool) []byte {
	inner, vni := m.frame(), 42+uint32(m.IntN(40)/13)
	var p []byte
	at := vxlan.Overhead
	if six {
		src := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(2 + m.IntN(4))})
		p, at = packet6(m.t, src, local6, inner, func([]byte) {}), vxlan.Overhead6
	} else {
		p = tunnelled(m.t, netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + m.IntN(4))}), vni, uint8(m.IntN(4)), inner)
	}
	switch m.IntN(12) {
	case 0:
		p[at-8] |= 1 // a reserved bit
	case 1:
		p[m.IntN(len(p))] ^= 1 << m.IntN(8)
	case 2:
		p = m.cut(p)
	}
	return p
}

func (m mix) cut(f []byte) []byte {
	if m.IntN(12) == 0 {
		return f[:1+m.IntN(len(f))]
	}
	return f
}

// Random traffic with all that there is at once: VLANs of a trunk beside an isolated port, neighbours that are answered for, VTEPs
// over both families and with ports and VNIs of their own, some of whom may not send, limits, options of the tunnel that need a
// second look, moves that freeze, packets by way of the kernel, ways that drain, interfaces that go down. No frame is lost, none
// has two owners, and every frame has one verdict.
func TestConservationMixed(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) { conserveMixed(t, workers) })
	}
}

func conserveMixed(t *testing.T, workers int) {
	r := newTrunkRig(t, workers, 0x8100)
	m := mix{rand.New(rand.NewPCG(21, uint64(workers))), t, []uint64{hostA, hostB, hostR, bcast, 0, bridgeGroup, device, 0x01005e000001, 0x0200000000ff}}
	six, err := r.plane.Remotes.Add(remote6)
	must(t, err)
	special := Endpoint{third, 8472, 100}
	n, err := r.plane.Remotes.AddEndpoint(special)
	must(t, err)
	states := []PathState{PathDirect, PathSlow, PathDraining, PathNoRoute}
	ways := func() {
		r.path(0, states[m.IntN(4)])
		r.path(six, states[m.IntN(4)])
		r.pathTo(n, special, states[m.IntN(4)])
	}
	ways()
	r.suppressing()
	allow := NewAllow([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/30"), netip.MustParsePrefix("2001:db8::/126")})
	tunnels := []*Tunnel{r.snap.Domains[0].Tunnel}
	for i := range 3 {
		o := *tunnels[0]
		o.InheritTTL, o.InheritDF, o.UDPChecksum = i == 0, i == 1, i == 2
		o.ZeroChecksumRx, o.Reserved = i != 0, []uint64{0, vxlan.Reserved, 0}[i]
		tunnels = append(tunnels, &o)
	}
	storm := new(Storm)
	r.everywhere(func(d *Domain) {
		d.FloodRemotes = [][]uint32{{0, six}, {n}, {0, n, six}}[d.Index]
		d.Flooding = Flooding{Limit: [ClassCount]uint32{40, 30, 20}, Storm: storm}
		r.plane.FDB.SetMoveLimit(d.Index, fdb.MoveLimit{Moves: 3, Within: 10, Freeze: 2})
	})
	for step := range 4_000 {
		e, from := r.wire, func() []byte { return m.fromTunnel(m.IntN(3) == 0) }
		switch m.IntN(4) {
		case 0:
			e, from = r.ports[0], func() []byte { return m.cut(m.frame()) }
		case 1, 2:
			e, from = r.ports[1], m.fromTrunk
		}
		for range m.IntN(6) {
			r.byKernel(m)
		}
		for range m.IntN(60) {
			e.kernel.Deliver(from())
		}
		r.workers[m.IntN(workers)].Round()
		if m.IntN(4) == 0 {
			all := r.ends()
			r.take(all[m.IntN(len(all))])
		}
		if m.IntN(40) == 0 {
			r.snap.Underlay = m.IntN(3) > 0
			up := m.IntN(3) > 0
			next := append([]*Port(nil), r.snap.Ports...)
			for i := 1; i < len(next); i++ { // the trunk and its VLANs
				p := *next[i]
				p.Up = up
				next[i] = &p
			}
			r.snap.Ports = next
			ways()
			r.everywhere(func(d *Domain) {
				d.Tunnel = tunnels[m.IntN(len(tunnels))]
				if d.Allow = nil; m.IntN(2) == 0 {
					d.Allow = allow
				}
			})
			r.publish()
		}
		if m.IntN(20) == 0 {
			for _, w := range r.workers {
				for w.Slow.carry(&recorder{}, func(uint32) {}, time.Now()) > 0 {
				}
			}
		}
		if step%25 == 0 {
			r.plane.Tick(uint32(step / 25))
		}
		if step%100 == 0 {
			r.account()
		}
	}
	for range 20 {
		for _, e := range r.ends() {
			r.take(e)
		}
		for _, w := range r.workers {
			for w.Slow.carry(&recorder{}, func(uint32) {}, time.Now().Add(time.Hour)) > 0 {
			}
		}
		r.run()
	}
	for _, w := range r.workers {
		if len(w.hold.frames) > 0 {
			t.Errorf("%d frames are held back for good", len(w.hold.frames))
		}
	}
	r.account()
	checkBalance(t, r)
	want := []Verdict{ToPort, ToRemote, Flooded, ToKernel, Answered, Suppressed, Short, UnknownVNI, InnerShort, InnerVLAN, BadSourceMAC, LinkLocal,
		PortDown, TooBig, NoRoute, OwnMACLoop, ReservedBits, RemoteNotAllowed, UDPChecksum, StaticConflict, MoveFrozen, StormLimit, Isolated, SplitHorizon, SamePort}
	for _, v := range want {
		if f, c := r.verdicts(v); f+c == 0 {
			t.Errorf("the traffic never came to %v", v)
		}
	}
}

// byKernel has a packet come by way of the kernel.
func (r *rig) byKernel(m mix) {
	six := m.IntN(2) == 0
	p := m.fromTunnel(six)
	if len(p) <= ethernet {
		return
	}
	j := r.worker.Inject
	if binary.BigEndian.Uint16(p[12:]) == 0x86dd {
		j = r.worker.Inject6
	}
	r.injectBy(j, p)
}
