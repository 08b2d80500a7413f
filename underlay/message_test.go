package underlay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// frame puts a netlink header before body.
func frame(kind, flags uint16, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = append(b, make([]byte, 8)...)
	b = append(b, body...)
	return append(b, make([]byte, align(len(body))-len(body))...)
}

func seeds() map[string][]byte {
	head := func(size int, set func(b []byte)) []byte {
		b := make([]byte, size)
		b[0] = unix.AF_INET
		set(b)
		return b
	}
	ip := []byte{10, 0, 0, 2}
	link := head(unix.SizeofIfInfomsg, func(b []byte) {
		b[0] = 0
		binary.NativeEndian.PutUint32(b[4:], 7)
		binary.NativeEndian.PutUint32(b[8:], upFlags)
	})
	link = attribute(link, unix.IFLA_IFNAME, []byte("ens18\x00"))
	link = attribute(link, unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1})
	link = attribute32(link, unix.IFLA_MTU, 1500)
	addr := head(unix.SizeofIfAddrmsg, func(b []byte) { b[1] = 24; binary.NativeEndian.PutUint32(b[4:], 7) })
	addr = attribute(attribute(addr, unix.IFA_ADDRESS, []byte{10, 0, 0, 9}), unix.IFA_LOCAL, ip)
	route := head(unix.SizeofRtMsg, func(b []byte) { b[1], b[7] = 32, unix.RTN_UNICAST })
	route = attribute(route, unix.RTA_DST, ip)
	route = attribute(route, unix.RTA_VIA, append([]byte{unix.AF_INET6, 0}, netip.MustParseAddr("fe80::1").AsSlice()...))
	route = attribute(route, unix.RTA_METRICS|unix.NLA_F_NESTED, attribute32(nil, unix.RTAX_MTU, 1400))
	route = attribute32(route, unix.RTA_OIF, 7)
	neigh := head(unix.SizeofNdMsg, func(b []byte) {
		binary.NativeEndian.PutUint32(b[4:], 7)
		binary.NativeEndian.PutUint16(b[8:], unix.NUD_REACHABLE)
		b[10] = unix.NTF_EXT_LEARNED
	})
	neigh = attribute(neigh, unix.NDA_DST, ip)
	neigh = attribute(neigh, unix.NDA_LLADDR, []byte{2, 0, 0, 0, 0, 1})
	neigh = attribute32(neigh, ndaFlagsExt, ntfExtManaged)
	conf := make([]byte, 12)
	binary.NativeEndian.PutUint32(conf[8:], 1400)
	link = attribute(link, unix.IFLA_AF_SPEC, attribute(nil, unix.AF_INET6, attribute(nil, unix.IFLA_INET6_CONF, conf)))
	six := netip.MustParseAddr("2001:db8::2").AsSlice()
	addr6 := head(unix.SizeofIfAddrmsg, func(b []byte) { b[0], b[1] = unix.AF_INET6, 64; binary.NativeEndian.PutUint32(b[4:], 7) })
	addr6 = attribute32(attribute(addr6, unix.IFA_ADDRESS, six), unix.IFA_FLAGS, unix.IFA_F_TENTATIVE|1<<10)
	route6 := head(unix.SizeofRtMsg, func(b []byte) { b[0], b[1], b[7] = unix.AF_INET6, 64, unix.RTN_UNICAST })
	route6 = attribute32(attribute(attribute(route6, unix.RTA_DST, six), unix.RTA_GATEWAY, netip.MustParseAddr("fe80::1").AsSlice()), unix.RTA_OIF, 7)
	neigh6 := head(unix.SizeofNdMsg, func(b []byte) { b[0] = unix.AF_INET6; binary.NativeEndian.PutUint32(b[4:], 7) })
	neigh6 = attribute(neigh6, unix.NDA_DST, six)
	return map[string][]byte{"link": link, "addr": addr, "route": route, "neigh": neigh, "addr6": addr6, "route6": route6, "neigh6": neigh6}
}

func TestDecode(t *testing.T) {
	s := seeds()
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	if got, ok := decodeLink(s["link"]); !ok || got != (linkMessage{ifindex: 7, flags: upFlags, name: "ens18", mac: mac, mtu: 1500, mtu6: 1400}) {
		t.Errorf("link %+v", got)
	}
	in := attribute(bytes.Clone(s["link"]), unix.IFLA_LINKINFO|unix.NLA_F_NESTED, attribute(nil, unix.IFLA_INFO_SLAVE_KIND, []byte("vrf\x00")))
	in = attribute32(in, unix.IFLA_MASTER, 9)
	if got, ok := decodeLink(in); !ok || got.master != 9 || got.belongs != "vrf" || got.mtu != 1500 {
		t.Errorf("link in a VRF %+v", got)
	}
	if got, ok := decodeAddress(s["addr"]); !ok || got != (addressMessage{ifindex: 7, prefix: netip.MustParsePrefix("10.0.0.2/24")}) {
		t.Errorf("address %+v", got)
	}
	want := routeMessage{kind: unix.RTN_UNICAST, dst: netip.MustParsePrefix("10.0.0.2/32"), oif: 7, gateway: netip.MustParseAddr("fe80::1"), mtu: 1400}
	if got, ok := decodeRoute(s["route"]); !ok || got != want {
		t.Errorf("route %+v", got)
	}
	wantN := neighbour{addr: netip.MustParseAddr("10.0.0.2"), ifindex: 7, present: true, state: unix.NUD_REACHABLE, flags: unix.NTF_EXT_LEARNED, ext: ntfExtManaged, mac: mac}
	if got, ok := decodeNeighbour(s["neigh"]); !ok || got != wantN {
		t.Errorf("neighbour %+v", got)
	}
	if got, ok := decodeAddress(s["addr6"]); !ok || got != (addressMessage{ifindex: 7, flags: unix.IFA_F_TENTATIVE | 1<<10, prefix: netip.MustParsePrefix("2001:db8::2/64")}) {
		t.Errorf("IPv6 address %+v", got)
	}
	want6 := routeMessage{kind: unix.RTN_UNICAST, dst: netip.MustParsePrefix("2001:db8::2/64"), oif: 7, gateway: netip.MustParseAddr("fe80::1")}
	if got, ok := decodeRoute(s["route6"]); !ok || got != want6 {
		t.Errorf("IPv6 route %+v", got)
	}
	if got, ok := decodeNeighbour(s["neigh6"]); !ok || got != (neighbour{addr: netip.MustParseAddr("2001:db8::2"), ifindex: 7, present: true}) {
		t.Errorf("IPv6 neighbour %+v", got)
	}
}

func TestRefusalReadsTheKernelsSentence(t *testing.T) {
	body := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EINVAL)+1)
	body = append(body, make([]byte, unix.NLMSG_HDRLEN)...)
	body = attribute(body, unix.NLMSGERR_ATTR_MSG, []byte("Wrong thing\x00"))
	for m := range messages(frame(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, body)) {
		if err := m.refusal(); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "(Wrong thing)") {
			t.Errorf("refusal %v", err)
		}
	}
	if err := (message{kind: unix.NLMSG_ERROR, body: make([]byte, 4)}).refusal(); err != nil {
		t.Errorf("acknowledgement read as %v", err)
	}
}

// FuzzDecode has any bytes pass through everything that reads from the kernel.
func FuzzDecode(f *testing.F) {
	var all []byte
	kinds := map[string]uint16{"link": unix.RTM_NEWLINK, "addr": unix.RTM_NEWADDR, "route": unix.RTM_NEWROUTE, "neigh": unix.RTM_NEWNEIGH,
		"addr6": unix.RTM_NEWADDR, "route6": unix.RTM_NEWROUTE, "neigh6": unix.RTM_NEWNEIGH}
	for name, body := range seeds() {
		b := frame(kinds[name], 0, body)
		f.Add(b)
		f.Add(b[:len(b)-3])
		all = append(all, b...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		kept := bytes.Clone(b)
		total := 0
		m := &Mirror{cfg: Config{Ifindex: 7}, tracked: map[netip.Addr]struct{}{netip.MustParseAddr("10.0.0.2"): {}}}
		for e := range messages(b) {
			total += unix.NLMSG_HDRLEN + len(e.body)
			_ = e.refusal()
			decodeLink(e.body)
			if a, ok := decodeAddress(e.body); ok && !a.prefix.IsValid() {
				t.Errorf("invalid prefix %v", a.prefix)
			}
			if r, ok := decodeRoute(e.body); ok && !r.dst.IsValid() {
				t.Errorf("invalid destination %v", r.dst)
			}
			if n, ok := decodeNeighbour(e.body); ok && family(n.addr) != e.body[0] {
				t.Errorf("neighbour %v", n)
			}
		}
		if total > len(b) {
			t.Errorf("%d bytes of messages in %d", total, len(b))
		}
		m.note(b)
		if !bytes.Equal(b, kept) {
			t.Error("decoding changed its input")
		}
	})
}
