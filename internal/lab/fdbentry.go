package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TunnelEntry is a destination in the table of a VXLAN device of the kernel, with what may differ from the device's own.
type TunnelEntry struct {
	MAC   net.HardwareAddr
	Dst   netip.Addr // IPv4
	Port  uint16     // UDP; 0: the device's
	VNI   uint32     // 0: the device's
	State string     // permanent, static or dynamic, empty for permanent
}

// states are the words of bridge(8) for them, as fdb_modify of iproute2 bridge/fdb.c translates them.
var states = map[string]uint16{
	"":          netlink.NUD_PERMANENT | netlink.NUD_NOARP,
	"permanent": netlink.NUD_PERMANENT | netlink.NUD_NOARP,
	"static":    netlink.NUD_REACHABLE | netlink.NUD_NOARP,
	"dynamic":   netlink.NUD_REACHABLE,
}

// chosen are the words of flush: the bits that it looks at, and what they have to be (fdb_flush there).
var chosen = map[string]struct{ mask, state uint16 }{
	"permanent":   {netlink.NUD_PERMANENT, netlink.NUD_PERMANENT},
	"nopermanent": {netlink.NUD_PERMANENT, 0},
	"static":      {netlink.NUD_PERMANENT | netlink.NUD_NOARP, netlink.NUD_NOARP},
	"nostatic":    {netlink.NUD_NOARP, 0},
	"dynamic":     {netlink.NUD_PERMANENT | netlink.NUD_NOARP, 0},
	"nodynamic":   {netlink.NUD_NOARP, netlink.NUD_NOARP},
}

// Attributes of neighbours that golang.org/x/sys/unix does not name (include/uapi/linux/neighbour.h).
const (
	ndaSrcVNI    = 11
	ndaStateMask = 16
	nlmBulk      = 0x200 // NLM_F_BULK of include/uapi/linux/netlink.h
)

// ChangeTunnel adds, appends, replaces or deletes (del) an entry of a VXLAN device, as `bridge fdb VERB` does.
func (h *Host) ChangeTunnel(dev, verb string, e TunnelEntry) error {
	kind, flags := unix.RTM_NEWNEIGH, unix.NLM_F_ACK
	switch verb {
	case "add":
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	case "append":
		flags |= unix.NLM_F_CREATE | unix.NLM_F_APPEND
	case "replace":
		flags |= unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	case "del":
		kind = unix.RTM_DELNEIGH
	default:
		return fmt.Errorf("bridge fdb %s: no such verb", verb)
	}
	attrs := append(tunnelAttrs(e.Dst, e.Port, e.VNI), nl.NewRtAttr(unix.NDA_LLADDR, e.MAC))
	return h.neigh(dev, verb+" an fdb entry of", kind, flags, states[e.State], attrs)
}

// FlushTunnel flushes what a filter chooses, as `bridge fdb flush dev DEV self` with its words does: zero values choose all.
func (h *Host) FlushTunnel(dev string, f TunnelEntry, srcVNI uint32) error {
	attrs := tunnelAttrs(f.Dst, f.Port, f.VNI)
	if srcVNI != 0 {
		attrs = append(attrs, nl.NewRtAttr(ndaSrcVNI, nl.Uint32Attr(srcVNI)))
	}
	c := chosen[f.State]
	if f.State != "" {
		attrs = append(attrs, nl.NewRtAttr(ndaStateMask, nl.Uint16Attr(c.mask)))
	}
	return h.neigh(dev, "flush the fdb of", unix.RTM_DELNEIGH, unix.NLM_F_ACK|nlmBulk, c.state, attrs)
}

func tunnelAttrs(dst netip.Addr, port uint16, vni uint32) (attrs []*nl.RtAttr) {
	if dst.IsValid() {
		attrs = append(attrs, nl.NewRtAttr(unix.NDA_DST, dst.AsSlice()))
	}
	if port != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.NDA_PORT, binary.BigEndian.AppendUint16(nil, port)))
	}
	if vni != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.NDA_VNI, nl.Uint32Attr(vni)))
	}
	return attrs
}

// ndmsg is struct ndmsg of include/uapi/linux/neighbour.h.
type ndmsg struct {
	index int
	state uint16
}

func (m ndmsg) Len() int { return 12 }

func (m ndmsg) Serialize() []byte {
	b := make([]byte, 12)
	b[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(b[4:], uint32(m.index))
	binary.NativeEndian.PutUint16(b[8:], m.state)
	b[10] = netlink.NTF_SELF
	return b
}

func (h *Host) neigh(dev, what string, kind, flags int, state uint16, attrs []*nl.RtAttr) error {
	return h.change(dev, what, func(l netlink.Link) error {
		return h.Do(func() error {
			req := nl.NewNetlinkRequest(kind, flags)
			req.AddData(ndmsg{l.Attrs().Index, state})
			for _, a := range attrs {
				req.AddData(a)
			}
			_, err := req.Execute(unix.NETLINK_ROUTE, 0)
			return err
		})
	})
}

// TunnelFDB lists the table of a VXLAN device in the words of `bridge fdb show dev DEV self`, sorted.
func (h *Host) TunnelFDB(dev string) (lines []string, err error) {
	err = h.change(dev, "list fdb of", func(l netlink.Link) error {
		return h.Do(func() error {
			req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, unix.NLM_F_DUMP)
			req.AddData(ndmsg{index: l.Attrs().Index})
			all, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
			if err != nil {
				return err
			}
			for _, m := range all {
				line, err := tunnelLine(dev, l.Attrs().Index, m)
				if err != nil {
					return err
				}
				if line != "" {
					lines = append(lines, line)
				}
			}
			return nil
		})
	})
	slices.Sort(lines)
	return lines, err
}

// tunnelLine describes one message of a dump, "" if it is another device's.
func tunnelLine(dev string, index int, m []byte) (string, error) {
	if int(binary.NativeEndian.Uint32(m[4:])) != index || m[10]&netlink.NTF_SELF == 0 {
		return "", nil
	}
	attrs, err := nl.ParseRouteAttr(m[12:])
	if err != nil {
		return "", err
	}
	said := map[uint16]string{}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.NDA_LLADDR:
			said[a.Attr.Type] = net.HardwareAddr(a.Value).String()
		case unix.NDA_DST:
			said[a.Attr.Type] = net.IP(a.Value).String()
		case unix.NDA_PORT:
			said[a.Attr.Type] = fmt.Sprint(binary.BigEndian.Uint16(a.Value))
		case unix.NDA_VNI, ndaSrcVNI:
			said[a.Attr.Type] = fmt.Sprint(binary.NativeEndian.Uint32(a.Value))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", said[unix.NDA_LLADDR], dev)
	for _, w := range []struct { // in the order of fdb_print of bridge/fdb.c
		attr uint16
		word string
	}{{unix.NDA_DST, "dst"}, {unix.NDA_PORT, "port"}, {unix.NDA_VNI, "vni"}, {ndaSrcVNI, "src_vni"}} {
		if text := said[w.attr]; text != "" {
			fmt.Fprintf(&b, " %s %s", w.word, text)
		}
	}
	b.WriteString(" self")
	switch state := binary.NativeEndian.Uint16(m[8:]); {
	case state&netlink.NUD_PERMANENT != 0:
		b.WriteString(" permanent")
	case state&netlink.NUD_NOARP != 0:
		b.WriteString(" static")
	}
	return b.String(), nil
}
