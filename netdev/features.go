package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/internal/genl"
)

// Of the generic netlink family netdev (include/uapi/linux/netdev.h).
const (
	netdevFamily      = "netdev"
	netdevGet         = 1
	netdevIfindex     = 1 // __u32
	netdevXDPFeatures = 3 // __u64, a set of bits
	netdevZCSegments  = 4 // __u32
	netdevXDPMetadata = 5 // __u64, a set of bits
)

// Features says what the driver of an interface can do with XDP, in the words of the kernel's
// netdev family. What a kernel does not tell is absent; before 6.3 it tells nothing.
type Features struct {
	Known      bool // the kernel has told; else the others mean nothing
	XDP        XDPFeatures
	ZCSegments uint32 // frames that one packet may have in zero-copy mode
	Metadata   Metadata
}

// XDPFeatures is a set of enum netdev_xdp_act.
type XDPFeatures uint64

const (
	XDPBasic    XDPFeatures = 1 << iota // native programs
	XDPRedirect                         // that hand frames to others, AF_XDP sockets among them
	XDPTransmit                         // it takes frames that others redirect
	XDPZeroCopy                         // AF_XDP sockets without a copy
	XDPOffload                          // programs run on the NIC
	XDPRxSG                             // packets of several frames may come
	XDPTxSG                             // and be taken
)

// Metadata is a set of enum netdev_xdp_rx_metadata: what a program may ask of a packet.
type Metadata uint64

const (
	MetadataTimestamp Metadata = 1 << iota
	MetadataHash
	MetadataVLANTag
)

var (
	featureNames  = []string{"basic", "redirect", "ndo-xmit", "xsk-zerocopy", "hw-offload", "rx-sg", "ndo-xmit-sg"}
	metadataNames = []string{"timestamp", "hash", "vlan-tag"}
)

// Names lists the features as the kernel's specification does (Documentation/netlink/specs/netdev.yaml).
func (f XDPFeatures) Names() []string { return bits(uint64(f), featureNames) }

// Names lists what may be asked for, likewise.
func (m Metadata) Names() []string { return bits(uint64(m), metadataNames) }

// bits names those of a set; those without a name are left out.
func bits(set uint64, names []string) []string {
	out := []string{}
	for i, name := range names {
		if set>>i&1 != 0 {
			out = append(out, name)
		}
	}
	return out
}

// ZeroCopy reports whether the driver says that AF_XDP sockets can be bound without a copy. The
// kernel asks for all three (NETDEV_XDP_ACT_ZC in net/xdp/xsk_buff_pool.c). Some that say so refuse all the same.
func (f Features) ZeroCopy() bool {
	const need = XDPBasic | XDPRedirect | XDPZeroCopy
	return f.XDP&need == need
}

// FeaturesOf asks the kernel what the driver of an interface can do now: some change it with
// the program that is attached. Kernels before 6.3 answer nothing, which is no error. One
// interface at a time: the reader of a dump has to go on where a message ends.
func FeaturesOf(ifindex int) (Features, error) {
	f, err := askFeatures(netdevFamily, ifindex)
	if err != nil {
		return Features{}, fmt.Errorf("ask what XDP can do on interface %d: %w", ifindex, err)
	}
	return f, nil
}

func askFeatures(name string, ifindex int) (Features, error) {
	family, err := genl.Family(name)
	if errors.Is(err, unix.ENOENT) {
		return Features{}, nil
	}
	if err != nil {
		return Features{}, err
	}
	req := nl.NewNetlinkRequest(family, 0)
	req.AddData(genl.Header{netdevGet, 1})
	req.AddData(nl.NewRtAttr(netdevIfindex, nl.Uint32Attr(uint32(ifindex))))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return Features{}, err
	}
	if len(answers) != 1 {
		return Features{}, fmt.Errorf("%d answers", len(answers))
	}
	return parseFeatures(answers[0])
}

// parseFeatures reads an answer from its genlmsghdr on.
func parseFeatures(answer []byte) (Features, error) {
	if len(answer) < nl.SizeofGenlmsg {
		return Features{}, fmt.Errorf("an answer of %d bytes", len(answer))
	}
	attrs, err := nl.ParseRouteAttr(answer[nl.SizeofGenlmsg:])
	if err != nil {
		return Features{}, fmt.Errorf("read the answer: %w", err)
	}
	f := Features{Known: true}
	for _, a := range attrs {
		switch t := a.Attr.Type; {
		case t == netdevXDPFeatures && len(a.Value) == 8:
			f.XDP = XDPFeatures(binary.NativeEndian.Uint64(a.Value))
		case t == netdevXDPMetadata && len(a.Value) == 8:
			f.Metadata = Metadata(binary.NativeEndian.Uint64(a.Value))
		case t == netdevZCSegments && len(a.Value) == 4:
			f.ZCSegments = binary.NativeEndian.Uint32(a.Value)
		}
	}
	return f, nil
}
