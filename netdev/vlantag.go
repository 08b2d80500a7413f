package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Of the generic netlink family netdev (include/uapi/linux/netdev.h).
const (
	netdevFamily       = "netdev"
	netdevGet          = 1
	netdevIfindex      = 1 // __u32
	netdevXDPMetadata  = 5 // __u64, a set of bits
	metadataHasVLANTag = 4
)

// netdevRequest is a struct genlmsghdr: command, version, and two bytes that this
// family wants to be 0, which those behind a nl.Genlmsg need not be.
type netdevRequest [nl.SizeofGenlmsg]byte

// Len is the length in bytes.
func (r netdevRequest) Len() int { return len(r) }

// Serialize returns the bytes of the message.
func (r netdevRequest) Serialize() []byte { return r[:] }

// TellsVLANTag reports whether a native XDP program on an interface can ask the
// driver for the VLAN tag that travels beside a frame (the kfunc
// bpf_xdp_metadata_rx_vlan_tag). Kernels before 6.8, and drivers that do not
// know how, cannot.
func TellsVLANTag(ifindex int) (bool, error) {
	family, err := netlink.GenlFamilyGet(netdevFamily)
	if errors.Is(err, unix.ENOENT) {
		return false, nil // before 6.3
	}
	if err != nil {
		return false, fmt.Errorf("ask what XDP can do on interface %d: %w", ifindex, err)
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	req.AddData(netdevRequest{netdevGet, 1})
	req.AddData(nl.NewRtAttr(netdevIfindex, nl.Uint32Attr(uint32(ifindex))))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return false, fmt.Errorf("ask what XDP can do on interface %d: %w", ifindex, err)
	}
	for _, a := range answers {
		attrs, err := nl.ParseRouteAttr(a[nl.SizeofGenlmsg:])
		if err != nil {
			return false, fmt.Errorf("ask what XDP can do on interface %d: %w", ifindex, err)
		}
		for _, attr := range attrs {
			if attr.Attr.Type == netdevXDPMetadata && len(attr.Value) == 8 {
				return binary.NativeEndian.Uint64(attr.Value)&metadataHasVLANTag != 0, nil
			}
		}
	}
	return false, nil
}
