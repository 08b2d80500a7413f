package fdb

import "sync/atomic"

const (
	slots      = 4 // entries in a bucket
	bucketSize = 64
	// window is how many buckets an entry may stand in: its home, then further and further ones. When all of them are full,
	// some entry there is moved on (place.go), so only a broken hash makes the table refuse for lack of room here.
	window     = 32
	reachShift = 26
	reachMask  = uint64(0x3f) << reachShift
)

// bucket is one cache line: four keys, then their four values. A key of zero is a free slot, whatever its value.
//
// Bits 26 to 31 of the first value word are the bucket's reach: how many further buckets of the window have to be probed
// for an entry whose home is this one. Mostly zero, so a miss ends in the line where it began. It is raised before such
// an entry is written and lowered after the last such entry went, so that churn leaves no trail for look-ups to follow.
type bucket struct {
	key [slots]atomic.Uint64
	val [slots]atomic.Uint64
}

// offset is how far the i-th bucket of a window stands behind the home: 0, 1, 3, 6, 10 and so on, since full buckets stand
// together and an entry should get away from them.
func offset(i uint64) uint64 { return i * (i + 1) / 2 }

// spread is the number of buckets that a window stretches over.
const spread = window*(window-1)/2 + 1

// slotOf is the slot that holds k if any does; holds says whether it does. No branch depends on which slot it is, since that
// would be mispredicted every other time: no key stands twice in a bucket, so at most one term is not zero.
func (b *bucket) slotOf(k Key) int {
	return (equal(b.key[1].Load(), k) + 2*equal(b.key[2].Load(), k) + 3*equal(b.key[3].Load(), k)) & (slots - 1)
}

func (b *bucket) holds(slot int, k Key) bool { return b.key[slot].Load() == uint64(k) }

func equal(word uint64, k Key) int {
	if word == uint64(k) {
		return 1
	}
	return 0
}

// free is a slot without a key, or -1.
func (b *bucket) free() int {
	for i := range b.key {
		if b.key[i].Load() == 0 {
			return i
		}
	}
	return -1
}

func (b *bucket) reach() uint64 { return b.val[0].Load() & reachMask >> reachShift }

// setReach keeps the value that shares the word. Only the timestamp of that value can change meanwhile (Learn does
// that without the lock), hence the loop ends.
func (b *bucket) setReach(r uint64) {
	for {
		w := b.val[0].Load()
		if b.val[0].CompareAndSwap(w, w&^reachMask|r<<reachShift) {
			return
		}
	}
}

func (b *bucket) raiseReach(r uint64) {
	if r > b.reach() {
		b.setReach(r)
	}
}

// setValue keeps the reach that shares the word. A timestamp written meanwhile is lost: the next frame writes it again.
func (b *bucket) setValue(slot int, v Value) {
	b.val[slot].Store(b.val[slot].Load()&reachMask | uint64(v))
}

func (b *bucket) value(slot int) Value { return Value(b.val[slot].Load() & valueMask) }
