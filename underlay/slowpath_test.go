package underlay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// packet builds an outer IPv4/UDP packet of size bytes whose payload begins with the number id.
func packet(src, dst string, size int, df bool, id uint32) []byte {
	p := make([]byte, size)
	p[0], p[1], p[8], p[9] = 0x45, 0xb8, 77, unix.IPPROTO_UDP
	if df {
		p[6] = 0x40
	}
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(p[12:], s[:])
	copy(p[16:], d[:])
	binary.BigEndian.PutUint16(p[20:], 55555)
	binary.BigEndian.PutUint16(p[22:], 4789)
	binary.BigEndian.PutUint16(p[24:], uint16(size-20))
	binary.BigEndian.PutUint32(p[28:], id)
	return p
}

func (h *host) raw() *Raw {
	h.t.Helper()
	var r *Raw
	index := h.index("u0")
	h.do(func() (err error) { r, err = OpenRaw(index, "u0"); return err })
	h.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return r
}

// outer returns the number in one of our packets, or false for another frame.
func outer(frame []byte) (id uint32, ok bool) {
	if len(frame) < 14+32 || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_IP || binary.BigEndian.Uint16(frame[14+22:]) != 4789 {
		return 0, false
	}
	return binary.BigEndian.Uint32(frame[14+28:]), true
}

func TestRawFirstPacketsSurviveResolution(t *testing.T) {
	us, peer := pair(t)
	us.sysctl("net/ipv4/neigh/u0/mcast_solicit", "1000") // for longer than any wait
	r, tap := us.raw(), peer.tap("p0")
	peer.silent("p0", true)
	const burst = 100
	for i := range uint32(burst) {
		if err := r.Send(packet("10.0.0.1", "10.0.0.2", 150, true, i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := us.neigh("u0", "10.0.0.2"); n.usable() {
		t.Fatalf("resolved before the burst ended: %+v", n)
	}
	peer.silent("p0", false)
	next := uint32(0)
	tap.until("the burst", func(frame []byte) bool {
		id, ok := outer(frame)
		if !ok {
			return false
		}
		if id != next {
			t.Fatalf("packet %d where %d was due", id, next)
		}
		next++
		want := packet("10.0.0.1", "10.0.0.2", 150, true, id)
		got := append([]byte(nil), frame[14:]...)
		if binary.BigEndian.Uint16(got[2:]) != 150 || binary.BigEndian.Uint16(got[10:]) == 0 {
			t.Errorf("total length %d, header checksum %#x", binary.BigEndian.Uint16(got[2:]), binary.BigEndian.Uint16(got[10:]))
		}
		clear(got[2:6]) // total length and identification, which the kernel fills in
		clear(got[10:12])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet changed on its way (-sent +received):\n%s", diff)
		}
		return next == burst
	})
}

func TestRawCloseKeepsWhatWaits(t *testing.T) {
	us, peer := pair(t)
	us.sysctl("net/ipv4/neigh/u0/mcast_solicit", "1000") // for longer than any wait
	tap, index := peer.tap("p0"), us.index("u0")
	peer.silent("p0", true)
	us.do(func() error {
		r, err := OpenRaw(index, "u0")
		if err != nil {
			return err
		}
		return errors.Join(r.Send(packet("10.0.0.1", "10.0.0.2", 150, true, 42)), r.Close())
	})
	peer.silent("p0", false)
	tap.until("the packet", func(frame []byte) bool { id, ok := outer(frame); return ok && id == 42 })
}

func TestRawMulticast(t *testing.T) {
	us, peer := pair(t)
	r, tap, own := us.raw(), peer.tap("p0"), us.tap("u0")
	for i := range uint32(2) {
		if err := r.Send(packet("10.0.0.1", "239.1.2.3", 100, false, i)); err != nil {
			t.Fatal(err)
		}
	}
	tap.until("multicast", func(frame []byte) bool {
		id, ok := outer(frame)
		if ok && [6]byte(frame) != groupMAC(netip.MustParseAddr("239.1.2.3")) {
			t.Errorf("sent to %x", frame[:6])
		}
		return ok && id == 1
	})
	own.until("own multicast leaving", func(frame []byte) bool { _, ok := outer(frame); return ok })
}

func TestRawErrors(t *testing.T) {
	us, _ := pair(t)
	us.route("u0", "10.0.0.3/32", "", 1300)
	r := us.raw()
	for _, c := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"link mtu", packet("10.0.0.1", "10.0.0.2", 1500, true, 0), nil},
		{"above link mtu", packet("10.0.0.1", "10.0.0.2", 1501, false, 0), unix.EMSGSIZE},
		{"above route mtu", packet("10.0.0.1", "10.0.0.3", 1301, true, 0), unix.EMSGSIZE},
		{"above route mtu without DF", packet("10.0.0.1", "10.0.0.3", 1301, false, 0), nil},
		{"no source", packet("0.0.0.0", "10.0.0.2", 100, true, 0), ErrBadPacket},
		{"short", make([]byte, 19), ErrBadPacket},
		{"IPv6 from ::", append([]byte{0x60}, make([]byte, 60)...), ErrBadPacket},
		{"nothing", nil, ErrBadPacket},
	} {
		if err := r.Send(c.packet); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	us.down("u0")
	if err := r.Send(packet("10.0.0.1", "10.0.0.2", 100, true, 0)); !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("send with the link down: %v", err)
	}
	us.do(func() error {
		if r, err := OpenRaw(4711, "nowhere0"); !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("open on a missing interface: %v, %v", r, err)
		}
		if r, err := OpenRaw(1, "u0"); !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("open with another interface's index: %v, %v", r, err)
		}
		return nil
	})
}

func TestRawSendAllocatesNothing(t *testing.T) {
	us, _ := pair(t)
	r := us.raw()
	good, big, bad := packet("10.0.0.1", "10.0.0.2", 100, true, 0), packet("10.0.0.1", "10.0.0.2", 1501, true, 0), packet("0.0.0.0", "10.0.0.2", 100, true, 0)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = r.Send(good), r.Send(big), r.Send(bad) }); n != 0 {
		t.Errorf("%v allocations per round", n)
	}
}

func TestMemberships(t *testing.T) {
	us, peer := pair(t)
	tap := peer.tap("p0")
	index := us.index("u0")
	var m *Memberships
	us.do(func() error { m = OpenMemberships(index); return nil })
	group := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{239, 7, 0, byte(i)}) }
	const groups = 45
	for range 2 { // joining twice is joining once
		for i := range groups {
			if err := m.Join(group(i)); err != nil { // from a thread outside the namespace
				t.Fatal(err)
			}
		}
	}
	if len(m.sockets) != 3 {
		t.Errorf("%d groups over %d sockets, want 3", groups, len(m.sockets))
	}
	joined := func() (n int) {
		list := us.procIGMP()
		for i := range groups {
			if list[group(i).String()] {
				n++
			}
		}
		return n
	}
	if n := joined(); n != groups {
		t.Errorf("/proc/net/igmp lists %d of our groups, want %d", n, groups)
	}
	us.down("u0")
	us.up("u0")
	if n := joined(); n != groups {
		t.Errorf("after link down and up: %d groups", n)
	}
	tap.until("membership report", func(frame []byte) bool { return reports(frame, 4, group(groups-1)) })

	for i := range 40 {
		if err := m.Leave(group(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := joined(); n != 5 || len(m.sockets) != 1 {
		t.Errorf("after leaving 40: %d groups, %d sockets", n, len(m.sockets))
	}
	tap.until("leave report", func(frame []byte) bool { return reports(frame, 3, group(39)) })
	if err := errors.Join(m.Leave(group(0)), m.Close(), m.Close(), m.Leave(group(44))); err != nil {
		t.Fatal(err)
	}
	if n := joined(); n != 0 {
		t.Errorf("after close: %d groups", n)
	}
	if err := m.Join(group(0)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("join after close: %v", err)
	}
}

// reports says whether frame is an IGMPv3 report with a record of the kind for group: 4 is a join, 3 a
// leave (RFC 3376 section 4.2.12).
func reports(frame []byte, kind byte, group netip.Addr) bool {
	if len(frame) < 14+24+8 || frame[12] != 8 || frame[13] != 0 || frame[14+9] != unix.IPPROTO_IGMP {
		return false
	}
	igmp := frame[14+4*int(frame[14]&15):]
	if igmp[0] != 0x22 {
		return false
	}
	for rec := igmp[8:]; len(rec) >= 8; {
		if rec[0] == kind && [4]byte(rec[4:8]) == group.As4() {
			return true
		}
		rec = rec[min(len(rec), 8+4*int(binary.BigEndian.Uint16(rec[2:]))):]
	}
	return false
}

func TestMembershipRefusals(t *testing.T) {
	us, _ := pair(t)
	us.sysctl("net/ipv4/igmp_max_memberships", "2")
	index := us.index("u0")
	var m, nowhere *Memberships
	us.do(func() error { m, nowhere = OpenMemberships(index), OpenMemberships(4711); return nil })
	for addr, want := range map[string]error{"239.1.1.1": nil, "239.1.1.2": nil} {
		if err := m.Join(netip.MustParseAddr(addr)); !errors.Is(err, want) {
			t.Errorf("join %s: %v, want %v", addr, err, want)
		}
	}
	if err := m.Join(netip.MustParseAddr("239.1.1.3")); err != nil || len(m.sockets) != 2 {
		t.Errorf("join beyond what a socket takes: %v, %d sockets", err, len(m.sockets))
	}
	us.sysctl("net/ipv4/igmp_max_memberships", "0")
	if err := m.Join(netip.MustParseAddr("239.1.1.4")); !errors.Is(err, unix.ENOBUFS) || len(m.sockets) != 2 {
		t.Errorf("join where no socket may: %v, %d sockets", err, len(m.sockets))
	}
	if err := m.Join(netip.MustParseAddr("10.0.0.2")); err == nil {
		t.Error("join of a unicast address: no error")
	}
	if err := nowhere.Join(netip.MustParseAddr("239.1.1.1")); !errors.Is(err, unix.ENODEV) || len(nowhere.sockets) != 0 {
		t.Errorf("join on a missing interface: %v, %d sockets", err, len(nowhere.sockets))
	}
	us.must(us.nl.LinkDel(us.link("u0")))
	if err := errors.Join(m.Leave(netip.MustParseAddr("239.1.1.1")), m.Close(), nowhere.Close()); err != nil {
		t.Errorf("after the interface went: %v", err)
	}
}

func BenchmarkRawSend(b *testing.B) {
	us, _ := pair(b)
	m := us.open(false)
	watch(b, m, "10.0.0.2")
	awaitPath(b, m, "10.0.0.2", "direct", inState(Direct))
	r, p := us.raw(), packet("10.0.0.1", "10.0.0.2", 1450, true, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Send(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/packet")
}

func BenchmarkLookup(b *testing.B) {
	us, _ := pair(b)
	us.route("u0", "192.0.2.0/24", "10.0.0.2", 0)
	var c *conn
	us.do(func() (err error) { c, err = dial(); return err })
	defer c.close()
	index, remote := us.index("u0"), netip.MustParseAddr("192.0.2.1")
	link := Link{Sources: Sources{Four: netip.MustParseAddr("10.0.0.1")}}
	for name, remote := range map[string]netip.Addr{"behind a router": remote, "on the link": netip.MustParseAddr("10.0.0.3")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := c.lookup(link, index, remote); r.err != "" || r.assumed {
					b.Fatalf("%+v", r)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/remote")
		})
	}
}
