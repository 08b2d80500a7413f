package neigh

import (
	"math/bits"
	"sync/atomic"
)

// slot has room for one entry. Writers hold the table's lock, but for who replaces info alone.
type slot struct {
	version atomic.Uint32 // odd while it is written to
	hi, lo  atomic.Uint64
	place   atomic.Uint64 // VLAN in the upper 16 bits, MAC in the lower 48
	info    atomic.Uint64 // see makeInfo; 0: free
}

const (
	kindMask   = 3
	routerFlag = 1 << 2
	sureFlag   = 1 << 3
	seenShift  = 32
	macMask    = 1<<48 - 1
)

// makeInfo joins what may change without the lock: the second of last sight in the upper half, flags in the lower one.
func makeInfo(e Entry) uint64 {
	v := uint64(e.Seen)<<seenShift | uint64(e.Kind&kindMask)
	if e.Router {
		v |= routerFlag
	}
	if e.Sure {
		v |= sureFlag
	}
	return v
}

func makeEntry(place, info uint64) Entry {
	return Entry{MAC: place & macMask, Kind: Kind(info & kindMask), Router: info&routerFlag != 0, Sure: info&sureFlag != 0, Seen: uint32(info >> seenShift)}
}

// hash mixes the key with secret bits, so that who picks addresses cannot pick slots; as package fdb does it.
func (t *Table) hash(k Key) uint64 {
	hi, lo := bits.Mul64(k.Hi^t.seed[0], k.Lo^t.seed[1])
	hi, lo = bits.Mul64(lo^t.seed[2], hi^uint64(k.VLAN)^t.seed[3])
	hi, lo = bits.Mul64(hi^lo^t.seed[1], k.Lo^k.Hi^t.seed[2]|1)
	return hi ^ lo
}

// read returns the entry in s if it is k's; info is 0 if it is not, or could not be read in peace.
func (s *slot) read(k Key) (place, info uint64) {
	for range readTries {
		v := s.version.Load()
		if v&1 != 0 {
			continue
		}
		place, info = s.place.Load(), s.info.Load()
		is := info != 0 && s.hi.Load() == k.Hi && s.lo.Load() == k.Lo && place>>48 == uint64(k.VLAN)
		if s.version.Load() == v {
			if is {
				return place, info
			}
			return 0, 0
		}
	}
	return 0, 0
}

// find looks for k's entry. It takes no lock.
func (t *Table) find(k Key) (s *slot, place, info uint64) {
	slots := *t.slots.Load()
	home := int(t.hash(k))
	for i := range window {
		s := &slots[(home+i)&(len(slots)-1)]
		if place, info := s.read(k); info != 0 {
			return s, place, info
		}
	}
	return nil, 0, 0
}

// put writes an entry to s. The lock is held, or nobody else has the slot yet.
func (s *slot) put(k Key, mac, info uint64) {
	s.version.Add(1)
	s.hi.Store(k.Hi)
	s.lo.Store(k.Lo)
	s.place.Store(uint64(k.VLAN)<<48 | mac&macMask)
	s.info.Store(info)
	s.version.Add(1)
}

// key is the key of the entry in s. The lock is held.
func (s *slot) key() Key {
	return Key{Hi: s.hi.Load(), Lo: s.lo.Load(), VLAN: uint16(s.place.Load() >> 48)}
}

// free finds room for k, nil if its window has none. The lock is held, or nobody else has the slots yet.
func (t *Table) free(slots []slot, k Key) *slot {
	home := int(t.hash(k))
	for i := range window {
		if s := &slots[(home+i)&(len(slots)-1)]; s.info.Load() == 0 {
			return s
		}
	}
	return nil
}

// clear frees s. The lock is held.
func (t *Table) clear(s *slot) {
	info := s.info.Load()
	if info == 0 {
		return
	}
	s.version.Add(1)
	s.info.Store(0)
	s.version.Add(1)
	t.live.Add(-1)
	if Kind(info&kindMask) == Learned {
		t.learned--
		t.budget.left.Add(1)
	}
}
