package gateway

import (
	"math/bits"

	"vxgw/ring"
)

// rings are the sizes of an interface's rings in descriptors, the same for each of its queues.
// The zero rings are none.
type rings struct {
	queues       int
	rx, tx, fill uint32
	nic          uint32 // of the NIC's own receive ring, as far as it takes frames of ours
}

// frames is how many frames the kernel may have at once: those in the fill ring or in the
// rx ring, of which the fill ring is not topped up meanwhile, those in the NIC's own, and those that are sent.
func (r rings) frames() int { return r.queues * int(r.fill+r.nic+r.tx) }

// device is the part of a ring.DeviceConfig that says sizes.
func (r rings) device() ring.DeviceConfig {
	return ring.DeviceConfig{RxSize: r.rx, TxSize: r.tx, FillSize: r.fill, CompletionSize: r.tx}
}

// nic is what decides about the rings of an interface whose memory is its own NIC's as
// well. The zero nic is any other: what receives copies, or has no ring.
type nic struct {
	ring uint32 // its receive ring, in packets
	dry  bool   // the driver errs when the fill ring runs dry
}

// leastRx is the shortest rx ring that the fill ring is not made larger for: a worker takes so
// many at once.
const leastRx = 256

// rings returns rings of a size. Where the fill ring must not run dry, it is larger than the rx
// ring and the NIC's own together, so that something is left in it when the worker
// is not there and both are full: the driver gives frames back then (net/xdp/xsk.c,
// xsk_rcv_zc, ENOBUFS) and takes no more.
func (n nic) rings(queues int, size uint32) rings {
	r := rings{queues: queues, rx: size, tx: size, fill: size, nic: n.ring}
	if !n.dry || n.ring == 0 {
		return r
	}
	for least := min(size, leastRx); ; r.fill *= 2 {
		if r.fill <= n.ring {
			continue
		}
		if r.rx = min(size, below(r.fill-n.ring)); r.rx >= least {
			return r
		}
	}
}

// below is the largest power of two below n, or 0.
func below(n uint32) uint32 {
	if n < 2 {
		return 0
	}
	return 1 << (bits.Len32(n-1) - 1)
}
