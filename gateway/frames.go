package gateway

import (
	"fmt"
	"math/bits"
	"slices"
)

// Each socket keeps as many frames in its fill ring, and may have as many under way
// to the kernel, as its rings have room for; a NIC that is bound zero-copy has some in its
// own ring, too. The memory is registered with every device as a whole and the kernel keeps
// some 130 bytes per frame and socket (struct xdp_buff_xsk), so with many ports it is the
// rings that get smaller:
//
//	frames = working + underlay's queues * (2 rings + its NIC's) + ports' queues * the same + rest
//
// The rest is for ports that come later; each takes a part of it.

// Sizes of a ring in descriptors. A fill ring of the largest size takes in a burst of
// two milliseconds at a million packets a second; the smallest is what the kernel
// moves at once (NAPI_POLL_WEIGHT).
const (
	maxRing = 2048
	minRing = 64
)

// Bounds of the memory unless the configuration says otherwise, in frames of a page: 64 to 256 MiB.
const (
	fewestFrames = 1 << 14
	mostFrames   = 1 << 16
)

// fewestLarge is the least number of frames that are larger than a page, for which the memory may become larger instead.
const fewestLarge = 1 << 13

// boundFrames are the bounds with frames of a size in bytes.
func boundFrames(size int) (fewest, most int) {
	pages := size / pageFrame
	if pages == 1 {
		return fewestFrames, mostFrames
	}
	return max(fewestFrames/pages, fewestLarge), max(mostFrames/pages, 2*fewestLarge)
}

// laterShare is the part of what is left that one port which comes later may have, and laterNIC
// that with the shortest rings where a NIC's own need frames, too.
const (
	laterShare = 4
	laterNIC   = 2
)

// frames is what becomes of the frame memory. It belongs to Start and then to the
// builder.
type frames struct {
	total, free int
	wire, port  uint32 // largest rings of an underlay's and a port's queue, in descriptors
	tight       bool   // no room for what NICs would have in their own rings: none is bound zero-copy

	had map[string]int // frames of interfaces that have gone, which may have as many when they are back
}

// working is how many frames are for batches, pools, copies that flooding makes, and
// what is under way between workers, to the slow path and from the kernel.
func working(workers int) int { return 2048 + 1024*workers }

// demand is what an interface's queues ask of the memory.
type demand struct {
	queues int
	nic    nic
}

// frames is how many that are with rings of a size.
func (d demand) frames(size uint32) int { return d.nic.rings(d.queues, size).frames() }

// plain is d without zero-copy.
func (d demand) plain() demand { return demand{queues: d.queues} }

// planFrames divides the memory among the underlay and the ports that are there at the
// start. asked is how many frames the configuration wants, or 0; size is that of one in bytes.
func planFrames(workers int, wire demand, ports []demand, asked, size int) frames {
	f := frames{total: asked, wire: maxRing, port: maxRing}
	all := func(size uint32) (sum int) {
		for _, p := range ports {
			sum += p.frames(size)
		}
		return sum
	}
	base := working(workers)
	if asked == 0 {
		need := base + wire.frames(maxRing) + all(maxRing)
		if wire.nic.ring > 0 {
			need += laterNIC * wire.frames(minRing) // for one like it that comes later
		}
		fewest, most := boundFrames(size)
		f.total = min(max(1<<bits.Len(uint(need-1)), fewest), most)
	}
	f.free = f.total - base
	if f.tight = wire.frames(minRing)+all(minRing) > f.free; f.tight {
		wire, ports = wire.plain(), slices.Clone(ports)
		for i, p := range ports {
			ports[i] = p.plain()
		}
	}
	most := min(max(f.free/2, f.free-all(maxRing)), f.free-all(minRing))
	for wire.frames(f.wire) > most && f.wire > minRing {
		f.wire /= 2
	}
	for rest := f.free - wire.frames(f.wire); all(f.port) > rest && f.port > minRing; {
		f.port /= 2
	}
	return f
}

// claim sets frames aside for an interface and returns its rings, none larger than most but for
// a fill ring that must not run dry. part is the part of what is free that it may have, unless it has had
// more.
func (f *frames) claim(name string, d demand, most uint32, part int) (rings, error) {
	size, had := most, min(f.had[name], f.free)
	for d.frames(size) > max(f.free/part, had) && size > minRing {
		size /= 2
	}
	r := d.nic.rings(d.queues, size)
	if need := r.frames(); need > f.free || r.nic > 0 && (f.tight || need > max(f.free/min(part, laterNIC), had)) {
		return rings{}, f.tooFew(name, r)
	}
	delete(f.had, name)
	f.free -= r.frames()
	return r, nil
}

// keep notes what an interface has that has gone. Nobody is kept from using that.
func (f *frames) keep(name string, r rings) {
	if f.had == nil {
		f.had = map[string]int{}
	}
	f.had[name] = r.frames()
}

// giveBack is the reverse of claim.
func (f *frames) giveBack(r rings) { f.free += r.frames() }

// copies gives back what is not in a NIC's own rings after all, since it is not bound zero-copy.
func (f *frames) copies(r *rings) {
	f.free += r.queues * int(r.nic)
	r.nic = 0
}

// tooFewError says that the memory has no room for an interface.
type tooFewError struct{ what, cure string }

func (e *tooFewError) Error() string {
	return fmt.Sprintf("too few frames for %s (%s)", e.what, e.cure)
}

func (f *frames) tooFew(name string, r rings) *tooFewError {
	e := &tooFewError{
		fmt.Sprintf("%s: its %d queues need %d, and of %d frames %d are free", name, r.queues, r.frames(), f.total, max(f.free, 0)),
		fmt.Sprintf("give it fewer queues: ethtool -L; or set dataplane.frames to %d and start gw again", 2*f.total),
	}
	if r.nic > 0 {
		e.what += fmt.Sprintf("; the NIC's receive rings hold %d each", r.nic)
	}
	if r.nic > leastRx {
		e.cure = fmt.Sprintf("shorten the NIC's rings: ethtool -G %s rx %d; or ", name, max(r.nic/4, leastRx)) + e.cure
	}
	return e
}
