// Package genl finds families of generic netlink and asks them. Messages of package nl take two bytes of whatever lies
// behind their header along, which some families refuse and other goroutines may be writing.
package genl

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Header is a struct genlmsghdr (include/uapi/linux/genetlink.h): command, version, and two bytes that have to be 0.
type Header [unix.GENL_HDRLEN]byte

// Len is the length in bytes.
func (h Header) Len() int { return len(h) }

// Serialize returns the bytes of the header.
func (h Header) Serialize() []byte { return h[:] }

// Family returns the number of a family. The error is ENOENT where the kernel has none of that name.
func Family(name string) (id int, err error) {
	const version = 2
	req := nl.NewNetlinkRequest(unix.GENL_ID_CTRL, 0)
	req.AddData(Header{unix.CTRL_CMD_GETFAMILY, version})
	req.AddData(nl.NewRtAttr(unix.CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		if len(a) < unix.GENL_HDRLEN {
			continue
		}
		attrs, err := nl.ParseRouteAttr(a[unix.GENL_HDRLEN:])
		if err != nil {
			return 0, fmt.Errorf("read the answer about family %s: %w", name, err)
		}
		for _, attr := range attrs {
			if attr.Attr.Type == unix.CTRL_ATTR_FAMILY_ID && len(attr.Value) == 2 {
				return int(binary.NativeEndian.Uint16(attr.Value)), nil
			}
		}
	}
	return 0, fmt.Errorf("the answer about family %s has no number", name)
}
