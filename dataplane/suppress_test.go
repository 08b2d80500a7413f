package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"vxgw/fdb"
	"vxgw/neigh"
	"vxgw/ring"
	"vxgw/vxlan"
)

const (
	ipA, ipB, ipR = "172.17.1.1", "172.17.1.2", "172.17.1.9" // of hostA, hostB and hostR
	llA, llR      = "fe80::1", "fe80::9"
)

// neighbours gives the domain a neighbour table; takes effect with publish.
func (r *rig) neighbours(announce bool) *neigh.Table {
	d := *r.snap.Domains[0]
	d.Neighbours, d.Announce = neigh.New(neigh.NewBudget(1<<16), 0, 300), announce
	r.snap.Domains = []*Domain{&d}
	return d.Neighbours
}

// neighbour enters one by hand.
func (r *rig) neighbour(ip string, mac uint64, router bool) {
	r.t.Helper()
	must(r.t, r.snap.Domains[0].Neighbours.Set(neighOf(ip, 0), neigh.Entry{MAC: mac, Kind: neigh.Static, Router: router, Sure: true}, false))
}

func neighOf(ip string, vlan uint16) neigh.Key {
	return neighKey(vxlan.MakeIP(netip.MustParseAddr(ip)), vlan)
}

// arpFrame is an ARP packet; tags are put in front of its type.
func arpFrame(dst, src uint64, op byte, sha uint64, spa string, tpa string, tags ...byte) []byte {
	f := append(make([]byte, 12), tags...)
	putMAC(f, dst)
	putMAC(f[6:], src)
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, op)
	m := macBytes(sha)
	f = append(append(f, m[:]...), netip.MustParseAddr(spa).AsSlice()...)
	return append(append(f, 0, 0, 0, 0, 0, 0), netip.MustParseAddr(tpa).AsSlice()...)
}

// ndFrame is a message about neighbours; link is an option, 0 for none.
func ndFrame(dst, src uint64, from, to string, typ, flags byte, target string, link uint64) []byte {
	f := make([]byte, 14+40)
	putMAC(f, dst)
	putMAC(f[6:], src)
	f[12], f[13], f[14], f[20], f[21] = 0x86, 0xdd, 0x60, 58, 255
	a, b := netip.MustParseAddr(from).As16(), netip.MustParseAddr(to).As16()
	copy(f[22:], a[:])
	copy(f[38:], b[:])
	f = append(f, typ, 0, 0, 0, flags, 0, 0, 0)
	f = append(f, netip.MustParseAddr(target).AsSlice()...)
	if link != 0 {
		m := macBytes(link)
		f = append(append(f, typ-134, 1), m[:]...)
	}
	n := len(f) - 54
	f[19] = byte(n)
	binary.BigEndian.PutUint16(f[56:], ^vxlan.Fold(vxlan.Sum(f[54:], vxlan.Sum(f[22:54], uint64(n)+58))))
	return f
}

// askFor is hostA's question for an address.
func askFor(ip string) []byte {
	if netip.MustParseAddr(ip).Is4() {
		return arpFrame(bcast, hostA, 1, hostA, ipA, ip)
	}
	return ndFrame(0x3333ff000009, hostA, llA, "ff02::1:ff00:9", 135, 0, ip, hostA)
}

// answerOf is what a host at mac answers to askFor.
func answerOf(ip string, mac uint64, router bool) []byte {
	if netip.MustParseAddr(ip).Is4() {
		f := arpFrame(hostA, mac, 2, mac, ip, ipA)
		putMAC(f[32:], hostA)
		return f
	}
	flags := byte(0x60)
	if router {
		flags = 0xe0
	}
	return ndFrame(hostA, mac, ip, llA, 136, flags, ip, mac)
}

func tagOf(f []byte, vlan byte) []byte {
	return bytes.Join([][]byte{f[:12], {0x81, 0, 0x60, vlan}, f[12:]}, nil)
}

// Where questions and announcements of a port go, by what is known. Columns of where: the port that asks, another one, the tunnel.
func TestSuppress(t *testing.T) {
	for _, c := range []struct {
		name     string
		frame    []byte
		announce bool
		where    string
		answer   []byte
		verdict  Verdict
	}{
		{"ARP for a host behind a tunnel", askFor(ipR), false, "[1 1 0]", answerOf(ipR, hostR, false), Answered},
		{"ARP for a host behind a port", askFor(ipB), false, "[0 1 0]", nil, Suppressed},
		{"ARP for a stranger", askFor("172.17.1.200"), false, "[0 1 1]", nil, Flooded},
		{"ARP for one whose MAC is not known", askFor("172.17.1.10"), false, "[0 1 1]", nil, Flooded},
		{"ARP for one's own address", arpFrame(bcast, hostA, 1, hostA, ipA, ipA), false, "[0 1 0]", nil, Suppressed},
		{"the same, let through", arpFrame(bcast, hostA, 1, hostA, ipA, ipA), true, "[0 1 1]", nil, Flooded},
		{"ARP reply to everyone", arpFrame(bcast, hostA, 2, hostA, ipA, ipR), false, "[0 1 1]", nil, Flooded},
		{"ARP probe", arpFrame(bcast, hostA, 1, hostA, "0.0.0.0", ipR), false, "[0 1 0]", nil, Suppressed},
		{"the same, let through", arpFrame(bcast, hostA, 1, hostA, "0.0.0.0", ipR), true, "[0 1 1]", nil, Flooded},
		{"ARP with a tag, known without", tagOf(askFor(ipR), 10), false, "[0 1 1]", nil, Flooded},
		{"ARP with a tag", tagOf(askFor(ipR), 20), false, "[1 1 0]", tagOf(answerOf(ipR, hostR, false), 20), Answered},
		{"ND for a host behind a tunnel", askFor(llR), false, "[1 1 0]", answerOf(llR, hostR, false), Answered},
		{"ND for a router", askFor("fe80::a"), false, "[1 1 0]", answerOf("fe80::a", hostR, true), Answered},
		{"ND for a stranger", askFor("fe80::200"), false, "[0 1 1]", nil, Flooded},
		{"detection of duplicates", ndFrame(0x3333ff000009, hostA, "::", "ff02::1:ff00:9", 135, 0, llR, 0), false, "[0 1 0]", nil, Suppressed},
		{"the same, let through", ndFrame(0x3333ff000009, hostA, "::", "ff02::1:ff00:9", 135, 0, llR, 0), true, "[0 1 1]", nil, Flooded},
		{"unsolicited advertisement", ndFrame(0x333300000001, hostA, llA, "ff02::1", 136, 0x20, llA, hostA), false, "[0 1 0]", nil, Suppressed},
		{"an ND message that is none", func() []byte { f := askFor(llR); f[21] = 254; return f }(), false, "[0 1 1]", nil, Flooded},
		{"another multicast", ipFrame(0x01005e000001, hostA, 1, 0), false, "[0 1 1]", nil, Flooded},
		{"broadcast", ipFrame(bcast, hostA, 1, 0), false, "[0 1 1]", nil, Flooded},
		{"ARP to one station that is not known", arpFrame(0x020000000099, hostA, 1, hostA, ipA, ipR), false, "[0 1 1]", nil, Flooded},
	} {
		r := newRig(t, 2)
		table := r.neighbours(c.announce)
		r.pin(hostR, fdb.RemoteDest(0))
		r.pin(hostB, fdb.PortDest(1))
		r.neighbour(ipR, hostR, false)
		r.neighbour(llR, hostR, false)
		r.neighbour("fe80::a", hostR, true)
		r.neighbour(ipB, hostB, false)
		r.neighbour("172.17.1.10", 0x020000000099, false)
		must(t, table.Set(neighOf(ipR, 20), neigh.Entry{MAC: hostR, Kind: neigh.Static, Sure: true}, false))
		r.publish()
		r.deliver(r.ports[0], bytes.Clone(c.frame))
		r.run()
		own, other, wire := r.take(r.ports[0]), r.take(r.ports[1]), r.take(r.wire)
		if got := fmt.Sprint([]int{len(own), len(other), len(wire)}); got != c.where {
			t.Errorf("%s: came out at %s, want %s", c.name, got, c.where)
		}
		if len(own) == 1 && !bytes.Equal(own[0].data, c.answer) {
			t.Errorf("%s: answered\n%x, want\n%x", c.name, own[0].data, c.answer)
		}
		if len(other) == 1 && !bytes.Equal(other[0].data, c.frame) {
			t.Errorf("%s: copied as\n%x, want\n%x", c.name, other[0].data, c.frame)
		}
		if n, _ := r.verdicts(c.verdict); n != 1 {
			t.Errorf("%s: verdicts %v, want %v", c.name, r.nonzero(), c.verdict)
		}
		if table.Counts.Answered.Load() != bool64(c.verdict == Answered) || table.Counts.Suppressed.Load() != bool64(c.verdict == Suppressed) {
			t.Errorf("%s: %d answered, %d suppressed", c.name, table.Counts.Answered.Load(), table.Counts.Suppressed.Load())
		}
		checkBalance(t, r)
		r.account()
		// What comes from a tunnel is never answered, and floods to ports as ever.
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, c.frame))
		r.run()
		if got := r.cameOut(); got != "[1 1 0]" {
			t.Errorf("%s: from a tunnel it came out at %s", c.name, got)
		}
	}
}

func bool64(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// An answer needs no flooding: where that is switched off, limited, or ports are isolated, only the copies are missing.
func TestSuppressWithoutFlooding(t *testing.T) {
	for name, set := range map[string]func(r *rig){
		"off":      func(r *rig) { r.flooding(Flooding{Off: [ClassCount]bool{Broadcast: true}}) },
		"limited":  func(r *rig) { r.flooding(Flooding{Limit: [ClassCount]uint32{Broadcast: 1}, Storm: &Storm{}}) },
		"isolated": func(r *rig) { r.isolate(0, 1) },
		"alone":    func(*rig) {},
	} {
		ports := 2
		if name == "alone" {
			ports = 1
		}
		r := newRig(t, ports)
		r.neighbours(false)
		r.pin(hostR, fdb.RemoteDest(0))
		r.neighbour(ipR, hostR, false)
		set(r)
		r.publish()
		if name == "limited" {
			r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
			r.run()
			r.cameOut()
		}
		for range 3 {
			r.deliver(r.ports[0], askFor(ipR))
		}
		r.run()
		if out := r.take(r.ports[0]); len(out) != 3 || !bytes.Equal(out[0].data, answerOf(ipR, hostR, false)) {
			t.Errorf("%s: %d answers", name, len(out))
		}
		if n, _ := r.verdicts(Answered); n != 3 || len(r.take(r.wire)) != 0 || ports == 2 && len(r.take(r.ports[1])) != 0 {
			t.Errorf("%s: verdicts %v", name, r.nonzero())
		}
		// A local host's, with nobody to flood it to, goes nowhere and is no drop.
		r.neighbour(ipB, hostB, false)
		r.pin(hostB, fdb.PortDest(0))
		r.deliver(r.ports[0], askFor(ipB))
		r.run()
		v, want := r.nonzero(), Suppressed
		switch name {
		case "off":
			want = FloodOff
		case "limited":
			want = StormLimit
		}
		if n, _ := r.verdicts(want); n != 1 {
			t.Errorf("%s: verdicts %v, want %v", name, v, want)
		}
		checkBalance(t, r)
		r.account()
	}
}

// What is seen of neighbours: from ports and from tunnels, flooded or on its way to one station, and only of the frame's own source
// where that is allowed to be.
func TestSnoop(t *testing.T) {
	r := newRig(t, 2)
	table := r.neighbours(true)
	r.publish()
	at := func(ip string, vlan uint16, mac uint64) {
		t.Helper()
		if e, ok := table.Lookup(neighOf(ip, vlan), r.plane.Now()); ok != (mac != 0) || e.MAC != mac {
			t.Errorf("%s is at %012x, want %012x", ip, e.MAC, mac)
		}
	}
	far := func(f []byte) { r.deliver(r.wire, tunnelled(t, remote, 42, 0, f)); r.run() }
	near := func(f []byte) { r.deliver(r.ports[0], f); r.run() }
	near(askFor("172.17.1.200"))
	at(ipA, 0, hostA)
	at("172.17.1.200", 0, 0)
	far(answerOf(ipR, hostR, false)) // to hostA alone, which is known
	at(ipR, 0, hostR)
	near(tagOf(arpFrame(bcast, hostA, 1, hostA, ipA, ipR), 7))
	at(ipA, 7, hostA)
	near(arpFrame(bcast, hostA, 1, hostA, "172.17.1.50", "172.17.1.50"))
	at("172.17.1.50", 0, hostA)
	near(arpFrame(bcast, hostA, 1, hostB, "172.17.1.51", ipR)) // another's hardware address
	at("172.17.1.51", 0, 0)
	near(askFor(llR))
	if e, ok := table.Lookup(neighOf(llA, 0), 1); !ok || e.MAC != hostA || e.Sure {
		t.Errorf("%s: %+v, %v; a solicitation does not say whether a router asks", llA, e, ok)
	}
	far(answerOf(llR, hostR, true))
	if e, ok := table.Lookup(neighOf(llR, 0), 1); !ok || e.MAC != hostR || !e.Sure || !e.Router {
		t.Errorf("%s: %+v, %v", llR, e, ok)
	}
	forged := table.Counts.RefusedForged.Load()
	if forged != 1 {
		t.Errorf("%d forged", forged)
	}
	r.pin(hostB, fdb.PortDest(1)) // nobody else has it, whatever it says
	far(arpFrame(bcast, hostB, 1, hostB, "172.17.1.52", ipR))
	near(arpFrame(bcast, hostB, 1, hostB, "172.17.1.53", ipR))
	at("172.17.1.52", 0, 0)
	at("172.17.1.53", 0, 0)
	if n := table.Counts.RefusedForged.Load(); n != forged+2 {
		t.Errorf("%d forged", n)
	}
	// Questions are answered from it at once, and by whoever has the address now.
	r.cameOut()
	near(askFor(llR))
	if out := r.take(r.ports[0]); len(out) != 1 || !bytes.Equal(out[0].data, answerOf(llR, hostR, true)) {
		t.Errorf("answers %x", out)
	}
	far(arpFrame(bcast, 0x020000000008, 1, 0x020000000008, ipR, ipR))
	r.cameOut()
	near(askFor(ipR))
	if out := r.take(r.ports[0]); len(out) != 1 || !bytes.Equal(out[0].data, answerOf(ipR, 0x020000000008, false)) {
		t.Errorf("answers %x", out)
	}
	// A host that only asked is not answered for: it might be a router.
	far(ndFrame(0x3333ff000001, hostR, "fe80::30", "ff02::1:ff00:1", 135, 0, llA, hostR))
	r.cameOut()
	near(askFor("fe80::30"))
	if got := r.cameOut(); got != "[0 1 1]" {
		t.Errorf("a question for one that only asked came out at %s", got)
	}
	// Nor is one whose MAC address has aged, or that has not been seen for as long.
	must(t, r.plane.FDB.Delete(fdb.MakeKey(0, hostR)))
	near(askFor(llR))
	if got := r.cameOut(); got != "[0 1 1]" {
		t.Errorf("a question for one whose MAC address is not known came out at %s", got)
	}
	r.plane.Tick(1000)
	r.pin(hostR, fdb.RemoteDest(0))
	near(askFor(llR))
	if got := r.cameOut(); got != "[0 1 1]" {
		t.Errorf("a question for one that has aged came out at %s", got)
	}
	checkBalance(t, r)
	r.account()

	// Without learning, nothing is taken from traffic.
	d := *r.snap.Domains[0]
	d.Learning = false
	r.snap.Domains = []*Domain{&d}
	r.publish()
	near(arpFrame(bcast, hostA, 1, hostA, "172.17.1.60", ipR))
	at("172.17.1.60", 0, 0)
}

// A frame whose memory ends too near has no room for its answer, and is flooded.
func TestSuppressNoRoom(t *testing.T) {
	r := newRig(t, 2)
	r.neighbours(false)
	r.pin(hostR, fdb.RemoteDest(0))
	r.neighbour(llR, hostR, false)
	r.publish()
	k := r.ports[0].kernel
	f := askFor(llR)
	k.Fill.Peek(1)
	addr := k.Fill.At(0)&^4095 + 4096 - uint64(len(f))
	k.Fill.Release(1)
	copy(r.plane.Memory.Bytes(addr, uint32(len(f))), f)
	k.DeliverDesc(ring.Desc{Addr: addr, Len: uint32(len(f))})
	r.run()
	if got := r.cameOut(); got != "[0 1 1]" {
		t.Errorf("came out at %s; verdicts %v", got, r.nonzero())
	}
	r.account()
}

// A storm of forged claims leaves the worker at work, takes bounded memory, and does nothing to another domain.
func TestClaimStorm(t *testing.T) {
	r := newRig(t, 2)
	table := r.neighbours(true)
	table.Bound(1000, 300)
	must(t, table.Set(neighOf(ipR, 0), neigh.Entry{MAC: hostR, Kind: neigh.Static, Sure: true}, true))
	r.pin(hostR, fdb.RemoteDest(0))
	r.publish()
	for n := range 20_000 {
		r.deliver(r.ports[0], arpFrame(bcast, hostA, 1, hostA, fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), ipB))
		r.run()
		r.cameOut()
		table.Grow()
	}
	if n := table.Len(); n > 1001 || table.Counts.RefusedLimit.Load() == 0 {
		t.Errorf("%d entries, %d refused", n, table.Counts.RefusedLimit.Load())
	}
	r.deliver(r.ports[0], askFor(ipR))
	r.run()
	if got := r.cameOut(); got != "[1 1 0]" {
		t.Errorf("a question came out at %s", got)
	}
	checkBalance(t, r)
	r.account()
}

func TestSuppressNoAllocations(t *testing.T) {
	r := newRig(t, 2)
	r.neighbours(false)
	r.pin(hostR, fdb.RemoteDest(0))
	r.neighbour(ipR, hostR, false)
	r.publish()
	n, ends := 0, r.ends()
	questions := [][]byte{askFor(ipR), askFor(llR), askFor(ipB)}
	if a := testing.AllocsPerRun(100, func() {
		for range 3 {
			n++
			f := questions[n%3]
			f[31] = byte(n) // a claim of another address
			r.deliver(r.ports[0], f)
		}
		r.run()
		for _, e := range ends {
			e.kernel.Take(func(uint64, []byte) {})
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
