package dataplane

import (
	"encoding/binary"

	"vxgw/ring"
)

// VLAN tags that do not stay as they are: taken off what a port receives, and put in front
// of what leaves. Four bytes come and go behind the addresses, which move for them; nothing
// behind a tag is touched.

// TagRule says what becomes of the outermost tag of what an interface receives.
type TagRule uint8

// The rules.
const (
	TagsMapped  TagRule = iota // it says which of a trunk's VLANs the frame is of, and is taken off
	TagsOff                    // it is taken off
	TagsRefused                // the frame is dropped
)

// Tagging is a rule for the frames of an interface. It never changes once workers have it.
type Tagging struct {
	Rule TagRule
	TPID uint16     // of a trunk's tags
	VLAN [4096]VLAN // of a trunk, by VLAN ID; what has no tag, or one that has only a priority, is of VLAN 0
}

// VLAN is where the frames of one of a trunk's VLANs belong; the zero value is none.
type VLAN struct {
	Port   uint32
	Domain uint16
	Mapped bool
}

// TagExit says what becomes of the tags of what leaves by a port. The zero value leaves
// frames as they are.
type TagExit struct {
	Tag  uint32 // TPID and VLAN ID, put in front; 0 for none
	Bare bool   // what has a tag does not leave
	// Member ports leave by the queues of another one, their trunk.
	Member bool
	Trunk  uint32
}

// changes reports whether frames do not just leave as they are by queues of the port's own.
func (e *TagExit) changes() bool { return *e != TagExit{} }

// tagLen is the length of a tag in bytes.
const tagLen = 4

// atType is where the EtherType stands, and a tag in front of it.
const atType = 12

func isTag(etherType uint16) bool { return etherType == 0x8100 || etherType == 0x88a8 }

// untag finds out which VLAN a frame belongs to that came in by port, which has rule t, and
// takes the tag off that says so. The frame has a verdict if it belongs to none.
func (w *Worker) untag(t *Tagging, port uint32, desc *ring.Desc) (VLAN, Verdict) {
	if desc.Len < ethernet {
		return VLAN{}, InnerShort
	}
	frame := w.mem.Bytes(desc.Addr, desc.Len)
	etherType := binary.BigEndian.Uint16(frame[atType:])
	tagged := isTag(etherType)
	if tagged && len(frame) < ethernet+tagLen {
		return VLAN{}, InnerShort
	}
	if t.Rule != TagsMapped {
		of := VLAN{Port: port, Domain: w.snap.Ports[port].Domain, Mapped: true}
		if !tagged {
			return of, undecided
		}
		if t.Rule == TagsRefused {
			return of, InnerVLAN
		}
		pop(frame, desc)
		return of, undecided
	}
	if !tagged {
		if of := t.VLAN[0]; of.Mapped {
			return of, undecided
		}
		return VLAN{}, InnerVLAN
	}
	id := binary.BigEndian.Uint16(frame[atType+2:]) & 0xfff
	of := t.VLAN[id]
	if etherType != t.TPID || !of.Mapped || id == 0 && isTag(binary.BigEndian.Uint16(frame[atType+tagLen:])) {
		return VLAN{}, InnerVLAN
	}
	pop(frame, desc)
	return of, undecided
}

// pop takes the first tag off a frame, which has one.
func pop(frame []byte, desc *ring.Desc) {
	h := frame[:ethernet+tagLen]
	addrs, more := binary.BigEndian.Uint64(h), binary.BigEndian.Uint32(h[8:])
	binary.BigEndian.PutUint64(h[tagLen:], addrs)
	binary.BigEndian.PutUint32(h[tagLen+8:], more)
	desc.Addr += tagLen
	desc.Len -= tagLen
}

// push puts a tag in front of a frame. It reports false when there is no room for it.
func (w *Worker) push(desc *ring.Desc, tag uint32) bool {
	if desc.Addr&w.offsets < tagLen {
		return false
	}
	desc.Addr -= tagLen
	desc.Len += tagLen
	h := w.mem.Bytes(desc.Addr, atType+tagLen)
	addrs, more := binary.BigEndian.Uint64(h[tagLen:]), binary.BigEndian.Uint32(h[tagLen+8:])
	binary.BigEndian.PutUint64(h, addrs)
	binary.BigEndian.PutUint32(h[8:], more)
	binary.BigEndian.PutUint32(h[atType:], tag)
	return true
}

// domainOf is the bridge domain of row i, which came in by p and has no key; NoDomain if it
// is not known.
func (w *Worker) domainOf(i int, p *Port) uint16 {
	if p.Domain != NoDomain {
		return p.Domain
	}
	if from := w.batch.from[i]; !from.IsRemote() {
		if of := w.snap.port(from.Index()); of != nil {
			return of.Domain
		}
	}
	return NoDomain
}
