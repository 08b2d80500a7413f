package fromkernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Entry is one of an FDB, of the vxlan device or of its bridge.
type Entry struct {
	MAC                net.HardwareAddr
	Ifname             string // what it is at
	Dst                netip.Addr
	Port               uint16 // 0: the device's
	VNI                uint32 // 0: the device's
	SrcVNI             uint32 // of an external device
	Via                string // "" or dev's: the device's
	VLAN               uint16
	Static             bool // it neither ages nor moves
	Nexthop            bool // it is at a group of next hops
	index, via, master int
	self               bool
	local              bool // an address of the bridge port itself
}

// Flood says whether it is a destination of what is flooded.
func (e *Entry) Flood() bool { return len(e.MAC) == 6 && [6]byte(e.MAC) == [6]byte{} }

const (
	ndaSrcVNI = 11 // NDA_SRC_VNI
	ndaNHID   = 13 // NDA_NH_ID
	ndmsgLen  = 12
)

// ParseEntry reads a message of the dump of all FDBs (struct ndmsg and its attributes, include/uapi/linux/neighbour.h).
func ParseEntry(m []byte) (e Entry, err error) {
	if len(m) < ndmsgLen {
		return e, errors.New("read an FDB entry: it is too short")
	}
	e.index = int(int32(binary.NativeEndian.Uint32(m[4:])))
	state, flags := binary.NativeEndian.Uint16(m[8:]), m[10]
	e.self = flags&netlink.NTF_SELF != 0
	e.local = state&netlink.NUD_PERMANENT != 0
	e.Static = state&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0 && flags&netlink.NTF_EXT_LEARNED == 0
	for kind, v := range attributes(m[ndmsgLen:], &err) {
		switch kind {
		case unix.NDA_LLADDR:
			e.MAC = net.HardwareAddr(v)
		case unix.NDA_DST:
			e.Dst = v.addr()
		case unix.NDA_PORT:
			e.Port = v.be16(0)
		case unix.NDA_VNI:
			e.VNI = v.u32()
		case ndaSrcVNI:
			e.SrcVNI = v.u32()
		case unix.NDA_IFINDEX:
			e.via = int(int32(v.u32()))
		case unix.NDA_MASTER:
			e.master = int(int32(v.u32()))
		case unix.NDA_VLAN:
			if len(v) >= 2 {
				e.VLAN = binary.NativeEndian.Uint16(v)
			}
		case ndaNHID:
			e.Nexthop = true
		}
	}
	if err == nil && len(e.MAC) != 6 {
		err = errors.New("its address has not six bytes")
	}
	if err != nil {
		return e, fmt.Errorf("read an FDB entry: %w", err)
	}
	return e, nil
}
