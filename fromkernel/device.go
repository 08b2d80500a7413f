// Package fromkernel says in a file of gw what the kernel's vxlan device, its bridge, its FDB and its addresses do:
//
//	Read (netlink, the calling thread's network namespace) -> Found -> Write (a file, with what to take care of)
package fromkernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
)

// Device is what a vxlan device was made with (include/uapi/linux/if_link.h, IFLA_VXLAN_*).
type Device struct {
	VNI            uint32
	Dst            netip.Addr // remote or group; the zero Addr for none
	Local          netip.Addr
	Link           int // index of dev, 0 for none
	Port           uint16
	PortRange      [2]uint16 // zero: the host's
	TTL            uint8     // 0: auto
	TTLInherit     bool
	TOS            uint8 // 1: inherit
	DF             uint8 // 0 unset, 1 set, 2 inherit
	Label          uint32
	LabelInherit   bool
	UDPCsum        bool
	UDP6ZeroCsumTx bool
	UDP6ZeroCsumRx bool
	Learning       bool
	Ageing         uint32 // seconds
	Limit          uint32 // 0: none
	ReservedBits   uint64 // those that drop a packet

	Proxy, RSC, L2Miss, L3Miss             bool
	GBP, GPE, RemCsum, External, VNIFilter bool
	NoLocalBypass                          bool
}

// attributes that package nl does not name (include/uapi/linux/if_link.h).
const (
	iflaTTLInherit   = 28
	iflaLabel        = 26
	iflaGPE          = 27
	iflaDF           = 29
	iflaVNIFilter    = 30
	iflaLocalBypass  = 31
	iflaLabelPolicy  = 32
	iflaReservedBits = 33

	strictBits = 0xf7ffffff_000000ff // of a kernel that does not tell (before 6.14)
)

// ParseDevice reads IFLA_INFO_DATA of a vxlan device.
func ParseDevice(data []byte) (d Device, err error) {
	d.ReservedBits = strictBits
	known := false
	for kind, v := range attributes(data, &err) {
		switch kind {
		case nl.IFLA_VXLAN_ID:
			d.VNI, known = v.u32(), len(v) >= 4
		case nl.IFLA_VXLAN_GROUP, nl.IFLA_VXLAN_GROUP6:
			d.Dst = v.addr()
		case nl.IFLA_VXLAN_LOCAL, nl.IFLA_VXLAN_LOCAL6:
			d.Local = v.addr()
		case nl.IFLA_VXLAN_LINK:
			d.Link = int(int32(v.u32()))
		case nl.IFLA_VXLAN_PORT:
			d.Port = v.be16(0)
		case nl.IFLA_VXLAN_PORT_RANGE:
			d.PortRange = [2]uint16{v.be16(0), v.be16(2)}
		case nl.IFLA_VXLAN_TTL:
			d.TTL = v.u8()
		case iflaTTLInherit:
			d.TTLInherit = len(v) == 0 || v.u8() != 0
		case nl.IFLA_VXLAN_TOS:
			d.TOS = v.u8()
		case iflaDF:
			d.DF = v.u8()
		case iflaLabel:
			if len(v) >= 4 {
				d.Label = binary.BigEndian.Uint32(v) & 0xfffff
			}
		case iflaLabelPolicy:
			d.LabelInherit = v.u32() == 1
		case nl.IFLA_VXLAN_UDP_CSUM:
			d.UDPCsum = v.u8() != 0
		case nl.IFLA_VXLAN_UDP_ZERO_CSUM6_TX:
			d.UDP6ZeroCsumTx = v.u8() != 0
		case nl.IFLA_VXLAN_UDP_ZERO_CSUM6_RX:
			d.UDP6ZeroCsumRx = v.u8() != 0
		case nl.IFLA_VXLAN_LEARNING:
			d.Learning = v.u8() != 0
		case nl.IFLA_VXLAN_AGEING:
			d.Ageing = v.u32()
		case nl.IFLA_VXLAN_LIMIT:
			d.Limit = v.u32()
		case iflaReservedBits:
			if len(v) == 8 {
				d.ReservedBits = binary.BigEndian.Uint64(v)
			}
		case nl.IFLA_VXLAN_PROXY:
			d.Proxy = v.u8() != 0
		case nl.IFLA_VXLAN_RSC:
			d.RSC = v.u8() != 0
		case nl.IFLA_VXLAN_L2MISS:
			d.L2Miss = v.u8() != 0
		case nl.IFLA_VXLAN_L3MISS:
			d.L3Miss = v.u8() != 0
		case nl.IFLA_VXLAN_REMCSUM_TX, nl.IFLA_VXLAN_REMCSUM_RX:
			d.RemCsum = d.RemCsum || v.u8() != 0
		case nl.IFLA_VXLAN_GBP:
			d.GBP = true
		case iflaGPE:
			d.GPE = true
		case nl.IFLA_VXLAN_FLOWBASED:
			d.External = v.u8() != 0
		case iflaVNIFilter:
			d.VNIFilter = v.u8() != 0
		case iflaLocalBypass:
			d.NoLocalBypass = v.u8() == 0
		}
	}
	if err == nil && !known {
		err = errors.New("it has no VNI")
	}
	if err != nil {
		return d, fmt.Errorf("read a vxlan device: %w", err)
	}
	return d, nil
}
