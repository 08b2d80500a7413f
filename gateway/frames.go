package gateway

import (
	"fmt"
	"math/bits"
)

// Each socket keeps as many frames in its fill ring, and may have as many under way
// to the kernel, as its rings have room for. The memory is registered with every
// device as a whole and the kernel keeps some 130 bytes per frame and socket
// (struct xdp_buff_xsk), so with many ports it is the rings that get smaller:
//
//	frames = working + underlay's queues * 2 rings + ports' queues * 2 rings + rest
//
// The rest is for ports that come later; each takes a part of it.

// Sizes of a ring in descriptors. A fill ring of the largest size takes in a burst of
// two milliseconds at a million packets a second; the smallest is what the kernel
// moves at once (NAPI_POLL_WEIGHT).
const (
	maxRing = 2048
	minRing = 64
)

// Bounds of the memory unless the configuration says otherwise, in frames.
const (
	fewestFrames = 1 << 14
	mostFrames   = 1 << 16
)

// laterShare is the part of what is left that one port which comes later may have.
const laterShare = 4

// frames is what becomes of the frame memory. It belongs to Start and then to the
// builder.
type frames struct {
	total, free int
	wire, port  uint32 // largest rings of an underlay's and a port's queue, in descriptors
}

// working is how many frames are for batches, pools, copies that flooding makes, and
// what is under way between workers, to the slow path and from the kernel.
func working(workers int) int { return 2048 + 1024*workers }

// planFrames divides the memory among the queues of the underlay and of the ports
// that are there at the start. asked is how many frames the configuration wants, or 0.
func planFrames(workers, wires, ports, asked int) frames {
	f := frames{total: asked, wire: maxRing, port: maxRing}
	base := working(workers)
	if asked == 0 {
		need := base + 2*maxRing*(wires+ports)
		f.total = min(max(1<<bits.Len(uint(need-1)), fewestFrames), mostFrames)
	}
	f.free = f.total - base
	for most := max(f.free/2, f.free-2*maxRing*ports); 2*int(f.wire)*wires > most && f.wire > minRing; {
		f.wire /= 2
	}
	for rest := f.free - 2*int(f.wire)*wires; 2*int(f.port)*ports > rest && f.port > minRing; {
		f.port /= 2
	}
	return f
}

// claim sets frames aside for an interface and returns how large its rings are, at
// most as large as asked for. part is the part of what is free that it may have.
func (f *frames) claim(name string, queues int, most uint32, part int) (size uint32, err error) {
	size = most
	for 2*int(size)*queues > f.free/part && size > minRing {
		size /= 2
	}
	if need := 2 * int(size) * queues; need > f.free {
		return 0, fmt.Errorf("too few frames for %s: its %d queues need %d, and of %d frames %d are free (give it fewer queues: ethtool -L; or set dataplane.frames to %d and start gw again)",
			name, queues, need, f.total, max(f.free, 0), 2*f.total)
	}
	f.free -= 2 * int(size) * queues
	return size, nil
}

// giveBack is the reverse of claim.
func (f *frames) giveBack(queues int, size uint32) { f.free += 2 * int(size) * queues }
