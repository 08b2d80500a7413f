package gateway

import (
	"fmt"

	"github.com/vishvananda/netlink"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/netdev"
	"vxgw/ring"
)

// How large frames are is decided by the MTUs there are at the start, unless the configuration says it:
//
//	chooseFrameSize   the least that holds every interface's packets
//	takesParts        which interfaces then have packets longer than a page
//
// A frame of a page is one descriptor in every mode of every driver. Larger ones are several (ring/parts.go), which not every
// driver can without a copy, so that an interface which does not need it does without.

const (
	// pageFrame is the size in bytes of a frame that every driver takes whole: igb cuts packets above
	// 1,024 bytes in two with 2,048.
	pageFrame = 4096
	// maxFrame is the largest one: what an skb holds.
	maxFrame = 1 << 16
	// plainMTU is up to which MTU what comes in and what goes out, wherever its outer headers begin, lies within a page.
	plainMTU = pageFrame - 256 - 14 - 4 - 70
)

// mostMTU is the largest MTU of which a packet lies in one frame with the kernel's 256
// bytes in front, its Ethernet header and one tag.
func mostMTU(frameSize int) int { return frameSize - 256 - 14 - 4 }

// frameFor is the least size of a frame that holds packets of an MTU, maxFrame if none does.
func frameFor(mtu int) int {
	size := pageFrame
	for mostMTU(size) < mtu && size < maxFrame {
		size *= 2
	}
	return size
}

// chooseFrameSize sets the size of frames. Ports that need larger ones than the kernel has get those that there are,
// an underlay is refused. others are the ports, and what is below the underlay if that is a VLAN.
func (g *Gateway) chooseFrameSize(link netdev.Info, others []netdev.Info, vnis []config.VNI) error {
	size := int(g.cfg.Dataplane.FrameSize)
	if size == 0 {
		size = frameFor(sentTo(link))
		for _, o := range others {
			size = max(size, frameFor(sentTo(o)))
		}
		for i := range vnis {
			if dev := vnis[i].Device; dev != nil && dev.MTU > maxDeviceMTU {
				size = max(size, frameFor(int(dev.MTU)), 2*pageFrame)
			}
		}
	}
	if size > pageFrame {
		can, err := ring.TakesParts()
		switch {
		case err != nil:
			return err
		case can:
		case g.cfg.Dataplane.FrameSize > 0:
			return &config.Error{Problem: fmt.Sprintf("dataplane.framesize: %d: this kernel's AF_XDP takes packets of a page at most (needs Linux 6.6, or leave it out)", size)}
		case link.MTU > mostMTU(pageFrame):
			return fmt.Errorf("underlay %s has an MTU of %d, and this kernel's AF_XDP takes packets of a page at most (ip link set dev %s mtu %d, or Linux 6.6)",
				link.Name, link.MTU, link.Name, maxDeviceMTU)
		default:
			size = pageFrame
		}
	}
	g.frameSize = size
	return fitUnderlayMTU(link.Name, link.MTU, mostMTU(size))
}

// sentTo is the largest MTU that packets to an interface may be sent with: its own, or that of the other end of a veth pair,
// for whose sake native XDP may be refused (veth_xdp_set in drivers/net/veth.c).
func sentTo(info netdev.Info) int {
	mtu := info.MTU
	if !info.IsVeth {
		return mtu
	}
	if l, err := netlink.LinkByIndex(info.Index); err == nil {
		_ = bpf.AtPeer(l, func(end netlink.Link, _ string) error { // or it is not to be seen from here
			mtu = max(mtu, end.Attrs().MTU)
			return nil
		})
	}
	return mtu
}

// takesParts reports whether packets of an interface may be longer than a page. A veth's always
// may where frames are: it costs nothing there, and its MTU may change.
func (g *Gateway) takesParts(info netdev.Info) bool {
	return g.frameSize > pageFrame && (info.MTU > plainMTU || info.IsVeth)
}

// holds is the largest MTU of which an interface's sockets carry every packet.
func (g *Gateway) holds(parts bool) int {
	if g.frameSize > pageFrame && !parts {
		return plainMTU
	}
	return mostMTU(g.frameSize)
}
