package lab

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// VXLANConfig is what stands behind `ip link add NAME type vxlan`. The request carries only what is set here; all else
// is the kernel's default (drivers/net/vxlan/vxlan_core.c, vxlan_nl2conf), but for the port.
type VXLANConfig struct {
	Name    string           // of the device
	VNI     uint32           // id
	Dev     string           // underlay link; needed for a group
	Local   netip.Addr       // zero: chosen by the route
	Remote  netip.Addr       // or Group or neither
	Group   netip.Addr       // multicast group, joined on Dev
	Port    uint16           // dstport; 0: 4789 (the kernel's own default is 8472)
	SrcPort [2]uint16        // first and last; zero: the kernel's local port range
	TTL     uint8            // 0: auto
	TTLFrom string           // inherit: the inner packet's; else TTL says it
	TOS     uint8            // 1: inherit
	DF      string           // unset (default), set or inherit
	MAC     net.HardwareAddr // nil: random
	MTU     int              // bytes; 0: of Dev less 50 (IPv6: 70), 1500 without Dev
	Ageing  uint32           // seconds; 0: 300
	Master  string           // bridge that it is put into
	Address string           // CIDR; empty: none

	NoLearning     bool
	NoUDPCSum      bool // IPv4: send zero UDP checksums
	UDP6ZeroCSumTx bool
	UDP6ZeroCSumRx bool
	FlowLabel      uint32 // IPv6: fixed
	LabelInherit   bool   // IPv6: the inner packet's flow label (Linux 6.8)

	// ReservedBits are those of the VXLAN header that drop a packet (Linux 6.14); nil: all but the
	// I flag and the VNI.
	ReservedBits *uint64
}

// KernelVXLAN makes a VXLAN device of the kernel on the host, brings it up and gives it its address. It is the far end
// that gw is compared with.
func (h *Host) KernelVXLAN(c VXLANConfig) error {
	if err := h.addVXLAN(c); err != nil {
		return fmt.Errorf("make vxlan %s on %s: %w", c.Name, h.name, err)
	}
	if c.ReservedBits != nil {
		if err := h.checkReserved(c); err != nil {
			return errors.Join(fmt.Errorf("make vxlan %s on %s: %w", c.Name, h.name, err), h.DeleteLink(c.Name))
		}
	}
	if c.Master != "" {
		if err := h.SetMaster(c.Name, c.Master); err != nil {
			return err
		}
	}
	if c.Address != "" {
		if err := h.AddAddress(c.Name, c.Address); err != nil {
			return err
		}
	}
	return h.SetUp(c.Name)
}

// addVXLAN sends the request itself: package netlink always sends attributes of its own choice and cannot send
// noudpcsum.
func (h *Host) addVXLAN(c VXLANConfig) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(c.Name)))
	if c.MTU != 0 {
		req.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(c.MTU))))
	}
	if c.MAC != nil {
		req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, c.MAC))
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(unix.IFLA_INFO_KIND, []byte("vxlan"))
	data := info.AddRtAttr(unix.IFLA_INFO_DATA, nil)
	if err := h.vxlanAttrs(data, c); err != nil {
		return err
	}
	req.AddData(info)
	return h.Do(func() error {
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}

// iflaReservedBits is IFLA_VXLAN_RESERVED_BITS, which package unix does not name yet.
const iflaReservedBits = 33

// vxlanAttrs fills in IFLA_INFO_DATA (include/uapi/linux/if_link.h, IFLA_VXLAN_*).
func (h *Host) vxlanAttrs(data *nl.RtAttr, c VXLANConfig) error {
	data.AddRtAttr(unix.IFLA_VXLAN_ID, nl.Uint32Attr(c.VNI))
	if c.Dev != "" {
		l, err := h.Link(c.Dev)
		if err != nil {
			return err
		}
		data.AddRtAttr(unix.IFLA_VXLAN_LINK, nl.Uint32Attr(uint32(l.Attrs().Index)))
	}
	if c.Remote.IsValid() && c.Group.IsValid() {
		return fmt.Errorf("remote %s and group %s exclude one another", c.Remote, c.Group)
	}
	addAddr(data, unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6, c.Local)
	addAddr(data, unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6, c.Remote) // one attribute for both, as the kernel has it
	addAddr(data, unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6, c.Group)

	data.AddRtAttr(unix.IFLA_VXLAN_PORT, binary.BigEndian.AppendUint16(nil, cmp.Or(c.Port, 4789)))
	if c.SrcPort != [2]uint16{} {
		ports := binary.BigEndian.AppendUint16(nil, c.SrcPort[0])
		data.AddRtAttr(unix.IFLA_VXLAN_PORT_RANGE, binary.BigEndian.AppendUint16(ports, c.SrcPort[1]))
	}
	addByte(data, unix.IFLA_VXLAN_TTL, c.TTL, c.TTL != 0)
	switch c.TTLFrom {
	case "":
	case "inherit":
		data.AddRtAttr(unix.IFLA_VXLAN_TTL_INHERIT, nil) // a flag; iproute2 adds a byte of 1
	default:
		return fmt.Errorf("ttl %q is not inherit", c.TTLFrom)
	}
	if c.ReservedBits != nil {
		data.AddRtAttr(iflaReservedBits, binary.BigEndian.AppendUint64(nil, *c.ReservedBits))
	}
	addByte(data, unix.IFLA_VXLAN_TOS, c.TOS, c.TOS != 0)
	switch c.DF {
	case "", "unset":
	case "set":
		data.AddRtAttr(unix.IFLA_VXLAN_DF, []byte{1})
	case "inherit":
		data.AddRtAttr(unix.IFLA_VXLAN_DF, []byte{2})
	default:
		return fmt.Errorf("df %q is not unset, set or inherit", c.DF)
	}
	if c.Ageing != 0 {
		data.AddRtAttr(unix.IFLA_VXLAN_AGEING, nl.Uint32Attr(c.Ageing))
	}
	addByte(data, unix.IFLA_VXLAN_LEARNING, 0, c.NoLearning)
	addByte(data, unix.IFLA_VXLAN_UDP_CSUM, 0, c.NoUDPCSum)
	addByte(data, unix.IFLA_VXLAN_UDP_ZERO_CSUM6_TX, 1, c.UDP6ZeroCSumTx)
	addByte(data, unix.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1, c.UDP6ZeroCSumRx)
	if c.FlowLabel != 0 {
		data.AddRtAttr(unix.IFLA_VXLAN_LABEL, binary.BigEndian.AppendUint32(nil, c.FlowLabel))
	}
	if c.LabelInherit {
		const labelPolicy, inherit = 32, 1 // IFLA_VXLAN_LABEL_POLICY, VXLAN_LABEL_INHERIT
		data.AddRtAttr(labelPolicy, nl.Uint32Attr(inherit))
	}
	return nil
}

func addByte(data *nl.RtAttr, kind int, value uint8, set bool) {
	if set {
		data.AddRtAttr(kind, []byte{value})
	}
}

func addAddr(data *nl.RtAttr, v4, v6 int, a netip.Addr) {
	switch {
	case a.Is4():
		data.AddRtAttr(v4, a.AsSlice())
	case a.Is6():
		data.AddRtAttr(v6, a.AsSlice())
	}
}
