package dataplane

import (
	"math/bits"
	"slices"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// meetings is for how many pairs of VTEP and VNI a worker has room: four times as many as a trunk has VLANs, so that few of those
// meet in one place. Each is a cache line, which is touched for pairs that there are only.
const (
	meetingBits = 14
	meetings    = 1 << meetingBits
)

// meeting is what a worker found out about the packets of one VTEP in one VNI. It
// holds for as long as the snapshot does.
type meeting struct {
	id        uint64     // address and VNI, 0 for none; see meetingID and meetingID6
	six       vxlan.Addr // the address where that is IPv6
	deviceMAC uint64
	domain    fdb.Key // of address 0 in the VNI's bridge domain
	from      fdb.Dest

	packets, bytes uint64 // heard, since they were last folded into the ledger
}

func meetingID(src, vni uint32) uint64 { return uint64(src)<<32 | uint64(vni) }

func (m *meeting) is(src, vni uint32) bool { return m.id == meetingID(src, vni) }

// meeting is where packets of a VTEP in a VNI are remembered, or others like them. Addresses and VNIs that are numbered alike
// do not meet (multiplicative hashing, with odd constants that have nothing in common).
func (w *Worker) meeting(src, vni uint32) *meeting { return &w.met[place(src, vni)] }

func place(src, vni uint32) uint32 { return (src*0x9e3779b1 + vni*0x85ebca6b) >> (32 - meetingBits) }

// eachMeeting calls do for all that there are.
func (w *Worker) eachMeeting(do func(*meeting)) {
	for i, word := range w.taken {
		for ; word != 0; word &= word - 1 {
			do(&w.met[i*64+bits.TrailingZeros64(word)])
		}
	}
}

// nearMeetings is how many meetings stay in the caches that are a core's own while the kernel works on the same packets: 64 KiB.
const nearMeetings = 1024

// greet has the meetings of a batch's n packets come from further away side by side, where there are too many to be near. What works on one
// packet after the other goes through so many instructions with each that but two or three loads are under way at a time. Packets that are
// no VXLAN have some place read, which is not looked at.
func (w *Worker) greet(n int) {
	if w.known <= nearMeetings {
		return
	}
	met, sum := &w.met, uint64(0)
	for _, desc := range w.batch.desc[:min(n, BatchSize)] {
		if head := w.mem.Head(desc.Addr); head != nil {
			sum += met[place(vxlan.Pair((*[vxlan.Overhead]byte)(head[:])))].id
		}
	}
	w.greeted = sum // else the compiler would leave the loads out
}

// forgetAll forgets what holds for a snapshot only.
func (w *Worker) forgetAll() {
	w.eachMeeting(func(m *meeting) { *m = meeting{} })
	w.taken, w.known = [meetings / 64]uint64{}, 0
}

// meet remembers a VTEP that has a number, in the place of another one. It reports false
// for those that there is more to find out about.
func (w *Worker) meet(src, vni uint32) bool {
	addr, index := vxlan.Addr4(src), w.snap.VNIs.Domain(vni)
	if index == NoDomain || slices.Contains(w.snap.Locals, addr) || slices.Contains(w.snap.Martians, addr) {
		return false
	}
	d := w.snap.Domains[index]
	if d.Allow != nil && !d.Allow.has(addr) {
		return false
	}
	number, known := w.plane.Remotes.find(addr)
	if known {
		w.remember(addr, d, number)
	}
	return known
}

// meetingID6 is an IPv6 address and a VNI, of which no IPv4 address has the like: VNIs have 24 bits. Others may be equal to it.
func meetingID6(src vxlan.Addr, vni uint32) uint64 {
	return uint64(fold6(src))<<32 | 1<<31 | uint64(vni)
}

func fold6(a vxlan.Addr) uint32 {
	h := a.Hi*0x9e3779b97f4a7c15 ^ a.Lo
	return uint32(h ^ h>>32)
}

// of is is for an address of either family.
func (m *meeting) of(src vxlan.Addr, vni uint32) bool {
	if src.Is4() {
		return m.is(uint32(src.Lo), vni)
	}
	return m.id == meetingID6(src, vni) && m.six == src
}

// meetingOf is meeting for an address of either family.
func (w *Worker) meetingOf(src vxlan.Addr, vni uint32) *meeting { return &w.met[placeOf(src, vni)] }

func placeOf(src vxlan.Addr, vni uint32) uint32 {
	if src.Is4() {
		return place(uint32(src.Lo), vni)
	}
	return place(fold6(src), vni)
}

// remember makes room for a VTEP in d and returns it.
func (w *Worker) remember(src vxlan.Addr, d *Domain, number uint32) *meeting {
	at := placeOf(src, d.VNI)
	if bit := uint64(1) << (at % 64); w.taken[at/64]&bit == 0 {
		w.taken[at/64] |= bit
		w.known++
	}
	m := &w.met[at]
	w.fold(m)
	*m = meeting{deviceMAC: d.DeviceMAC, domain: fdb.MakeKey(d.Index, 0), from: fdb.RemoteDest(number)}
	if src.Is4() {
		m.id = meetingID(uint32(src.Lo), d.VNI)
	} else {
		m.id, m.six = meetingID6(src, d.VNI), src
	}
	return m
}

// remote returns the VTEP with the outer source address src as an FDB destination,
// and numbers one that speaks for the first time. It is nobody for a stranger that
// has no number and gets none. It reports false for an address that no VTEP can
// have.
func (w *Worker) remote(src vxlan.Addr, d *Domain) (_ fdb.Dest, ok bool) {
	if m := w.meetingOf(src, d.VNI); m.of(src, d.VNI) {
		return m.from, true
	}
	if slices.Contains(w.snap.Martians, src) {
		return 0, false
	}
	number, known := w.plane.Remotes.find(src)
	if !known {
		if !d.Learning {
			return nobody, true
		}
		var err error
		if number, err = w.plane.Remotes.add(src); err != nil {
			w.tally.unnumbered++
			return nobody, true
		}
	}
	return w.remember(src, d, number).from, true
}

// nobody stands for a remote without a number: split horizon holds for it, and
// nothing is learned of it.
var nobody = fdb.RemoteDest(fdb.MaxIndex)
