package lab

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ErrNoReservedBits says that a kernel before 6.14 does not let the reserved bits of a vxlan device be chosen:
// it ignores that they are asked for.
var ErrNoReservedBits = errors.New("this kernel has no reserved_bits (Linux 6.14 has)")

// checkReserved asks what has become of the reserved bits that were asked for.
func (h *Host) checkReserved(c VXLANConfig) error {
	l, err := h.Link(c.Name)
	if err != nil {
		return err
	}
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(l.Attrs().Index)
	req.AddData(msg)
	var answers [][]byte
	if err := h.Do(func() (err error) {
		answers, err = req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
		return err
	}); err != nil || len(answers) != 1 {
		return fmt.Errorf("read the device back: %d answers: %w", len(answers), err)
	}
	b := answers[0][unix.SizeofIfInfomsg:]
	for _, kind := range []uint16{unix.IFLA_LINKINFO, unix.IFLA_INFO_DATA, iflaReservedBits} {
		attrs, err := nl.ParseRouteAttr(b)
		if err != nil {
			return fmt.Errorf("read the device back: %w", err)
		}
		b = nil
		for _, a := range attrs {
			if a.Attr.Type&^unix.NLA_F_NESTED == kind {
				b = a.Value
			}
		}
	}
	switch {
	case len(b) != 8:
		return ErrNoReservedBits
	case binary.BigEndian.Uint64(b) != *c.ReservedBits:
		return fmt.Errorf("the kernel made reserved_bits %#x of %#x", binary.BigEndian.Uint64(b), *c.ReservedBits)
	}
	return nil
}
