package underlay

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Attributes and flags of include/uapi/linux/neighbour.h that golang.org/x/sys/unix does not name.
const (
	ndaFlagsExt     = 15
	ntfExtManaged   = 1 << 0
	ntfExtValidated = 1 << 2
)

// Neighbour states of include/uapi/linux/neighbour.h: the ones whose MAC may be used, and the ones that
// somebody set by hand or that need no resolution.
const (
	nudUsable = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT | unix.NUD_NOARP
	nudFixed  = unix.NUD_PERMANENT | unix.NUD_NOARP
)

// linkMessage is what RTM_NEWLINK and RTM_DELLINK say.
type linkMessage struct {
	family  uint8 // AF_UNSPEC, or AF_BRIDGE for news about a bridge port that is no news about the link
	hwType  uint16
	ifindex int
	flags   uint32
	name    string
	mac     [6]byte
	mtu     int
	mtu6    int    // of IPv6 on the interface, which routers may tell (RFC 4861 section 4.6.4); 0 without IPv6
	master  int    // index of what it belongs to, 0 for nothing
	belongs string // as what: vrf, bridge, bond
}

func decodeLink(b []byte) (m linkMessage, ok bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return m, false
	}
	m.family = b[0]
	m.hwType = binary.NativeEndian.Uint16(b[2:])
	m.ifindex = int(int32(binary.NativeEndian.Uint32(b[4:])))
	m.flags = binary.NativeEndian.Uint32(b[8:])
	for kind, v := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch {
		case kind == unix.IFLA_IFNAME:
			m.name = unix.ByteSliceToString(v)
		case kind == unix.IFLA_ADDRESS && len(v) == 6:
			m.mac = [6]byte(v)
		case kind == unix.IFLA_MTU && len(v) == 4:
			m.mtu = int(binary.NativeEndian.Uint32(v))
		case kind == unix.IFLA_AF_SPEC:
			m.mtu6 = decodeMTU6(v)
		case kind == unix.IFLA_MASTER && len(v) == 4:
			m.master = int(int32(binary.NativeEndian.Uint32(v)))
		case kind == unix.IFLA_LINKINFO:
			for kind, v := range attributes(v) {
				if kind == unix.IFLA_INFO_SLAVE_KIND {
					m.belongs = unix.ByteSliceToString(v)
				}
			}
		}
	}
	return m, true
}

// decodeMTU6 finds the MTU among what IPv6 says of an interface (net/ipv6/addrconf.c, inet6_fill_ifla6_attrs).
func decodeMTU6(spec []byte) int {
	const mtu6 = 2 // DEVCONF_MTU6 of include/uapi/linux/ipv6.h
	for family, v := range attributes(spec) {
		if family != unix.AF_INET6 {
			continue
		}
		for kind, conf := range attributes(v) {
			if kind == unix.IFLA_INET6_CONF && len(conf) >= 4*(mtu6+1) {
				return int(int32(binary.NativeEndian.Uint32(conf[4*mtu6:])))
			}
		}
	}
	return 0
}

// family is the kernel's word for that of an address.
func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// ofFamily says whether a message is about IPv4 or IPv6.
func ofFamily(f uint8) bool { return f == unix.AF_INET || f == unix.AF_INET6 }

// addressMessage is what RTM_NEWADDR and RTM_DELADDR say.
type addressMessage struct {
	ifindex int
	scope   uint8
	flags   uint32       // IFA_F_*
	prefix  netip.Prefix // the interface's own address, not a point-to-point peer's
}

func decodeAddress(b []byte) (m addressMessage, ok bool) {
	if len(b) < unix.SizeofIfAddrmsg || !ofFamily(b[0]) {
		return m, false
	}
	m.flags, m.scope = uint32(b[2]), b[3]
	m.ifindex = int(int32(binary.NativeEndian.Uint32(b[4:])))
	var local, address netip.Addr
	for kind, v := range attributes(b[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		case unix.IFA_FLAGS:
			if len(v) == 4 {
				m.flags = binary.NativeEndian.Uint32(v)
			}
		}
	}
	if !local.IsValid() {
		local = address
	}
	m.prefix = netip.PrefixFrom(local, int(b[1]))
	return m, m.prefix.IsValid() && family(m.prefix.Addr()) == b[0]
}

// routeMessage is what RTM_NEWROUTE and RTM_DELROUTE say.
type routeMessage struct {
	kind    uint8        // RTN_UNICAST, RTN_LOCAL, ...
	dst     netip.Prefix // 0.0.0.0/0 or ::/0 for the default route
	oif     int
	gateway netip.Addr // the zero Addr on the link; IPv6 where an IPv4 route goes through an IPv6 router
	mtu     int        // 0: the link's
	locked  bool       // nobody may tell that the MTU is less
}

func decodeRoute(b []byte) (m routeMessage, ok bool) {
	if len(b) < unix.SizeofRtMsg || !ofFamily(b[0]) {
		return m, false
	}
	m.kind = b[7]
	dst, size := netip.IPv4Unspecified(), 4
	if b[0] == unix.AF_INET6 {
		dst, size = netip.IPv6Unspecified(), 16
	}
	for kind, v := range attributes(b[unix.SizeofRtMsg:]) {
		switch {
		case kind == unix.RTA_DST && len(v) == size:
			dst, _ = netip.AddrFromSlice(v)
		case kind == unix.RTA_OIF && len(v) == 4:
			m.oif = int(int32(binary.NativeEndian.Uint32(v)))
		case kind == unix.RTA_GATEWAY && len(v) == size:
			m.gateway, _ = netip.AddrFromSlice(v)
		case kind == unix.RTA_VIA && len(v) > 2:
			m.gateway, _ = netip.AddrFromSlice(v[2:])
		case kind == unix.RTA_METRICS:
			for metric, v := range attributes(v) {
				if metric == unix.RTAX_MTU && len(v) == 4 {
					m.mtu = int(binary.NativeEndian.Uint32(v))
				}
				if metric == unix.RTAX_LOCK && len(v) == 4 {
					m.locked = binary.NativeEndian.Uint32(v)&(1<<unix.RTAX_MTU) != 0
				}
			}
		}
	}
	m.dst = netip.PrefixFrom(dst, int(b[1]))
	return m, m.dst.IsValid()
}

// neighbour is one entry of the kernel's table, or, with present false, the lack of one.
type neighbour struct {
	addr    netip.Addr
	ifindex int
	present bool
	state   uint16
	flags   uint8
	ext     uint32
	mac     [6]byte
}

func decodeNeighbour(b []byte) (n neighbour, ok bool) {
	if len(b) < unix.SizeofNdMsg || !ofFamily(b[0]) {
		return n, false
	}
	n.present = true
	n.ifindex = int(int32(binary.NativeEndian.Uint32(b[4:])))
	n.state = binary.NativeEndian.Uint16(b[8:])
	n.flags = b[10]
	for kind, v := range attributes(b[unix.SizeofNdMsg:]) {
		switch {
		case kind == unix.NDA_DST:
			n.addr, _ = netip.AddrFromSlice(v)
		case kind == unix.NDA_LLADDR && len(v) == 6:
			n.mac = [6]byte(v)
		case kind == ndaFlagsExt && len(v) == 4:
			n.ext = binary.NativeEndian.Uint32(v)
		}
	}
	return n, n.addr.IsValid() && family(n.addr) == b[0]
}

// usable says whether frames may be sent to the entry's MAC.
func (n neighbour) usable() bool {
	return n.present && n.state&nudUsable != 0 && n.mac != [6]byte{}
}

// fixed says whether the entry is somebody's own setting, which a mark would destroy: the kernel takes
// NUD_PERMANENT off an entry it is asked to use (net/core/neighbour.c, __neigh_update).
func (n neighbour) fixed() bool {
	return n.present && (n.state&nudFixed != 0 || n.ext&ntfExtValidated != 0)
}

func (n neighbour) managed() bool { return n.present && n.ext&ntfExtManaged != 0 }
