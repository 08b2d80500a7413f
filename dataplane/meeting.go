package dataplane

import (
	"slices"

	"vxgw/fdb"
)

// meetings is how many pairs of VTEP and VNI a worker remembers; a power of two.
const meetings = 64

// meeting is what a worker found out about the packets of one VTEP in one VNI. It
// holds for as long as the snapshot does.
type meeting struct {
	id        uint64 // address and VNI, 0 for none
	deviceMAC uint64
	domain    fdb.Key // of address 0 in the VNI's bridge domain
	from      fdb.Dest

	packets, bytes uint64 // heard, since they were last folded into the ledger
}

func meetingID(src, vni uint32) uint64 { return uint64(src)<<32 | uint64(vni) }

func (m *meeting) is(src, vni uint32) bool { return m.id == meetingID(src, vni) }

// meeting is where packets of a VTEP in a VNI are remembered, or others like them.
func (w *Worker) meeting(src, vni uint32) *meeting {
	return &w.met[(src^src>>8^vni)&(meetings-1)]
}

// remote returns the VTEP with the outer source address src as an FDB destination,
// and numbers one that speaks for the first time. It is nobody for a stranger that
// has no number and gets none. It reports false for an address that no VTEP can
// have.
func (w *Worker) remote(src uint32, d *Domain) (_ fdb.Dest, ok bool) {
	m := w.meeting(src, d.VNI)
	if m.is(src, d.VNI) {
		return m.from, true
	}
	if slices.Contains(w.snap.Martians, src) {
		return 0, false
	}
	number, known := w.plane.Remotes.find(key4(src))
	if !known {
		if !d.Learning {
			return nobody, true
		}
		var err error
		if number, err = w.plane.Remotes.add(key4(src)); err != nil {
			w.tally.unnumbered++
			return nobody, true
		}
	}
	w.fold(m)
	*m = meeting{id: meetingID(src, d.VNI), deviceMAC: d.DeviceMAC, domain: fdb.MakeKey(d.Index, 0), from: fdb.RemoteDest(number)}
	return m.from, true
}

// nobody stands for a remote without a number: split horizon holds for it, and
// nothing is learned of it.
var nobody = fdb.RemoteDest(fdb.MaxIndex)
