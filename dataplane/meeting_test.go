package dataplane

import (
	"testing"
	"unsafe"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// Of a trunk's VLANs, whose remotes are numbered as people number them, few are forgotten for another one. What is forgotten
// with a snapshot is forgotten altogether, and nothing that was heard is lost.
func TestMeetingsOfATrunk(t *testing.T) {
	const vnis, remotes = 4094, 1000
	w := newRig(t, 1).worker
	if at := uintptr(unsafe.Pointer(&w.met)); at%64 != 0 || unsafe.Sizeof(w.met[0]) != 64 {
		t.Errorf("meetings of %d bytes begin at %#x: each is to be a cache line", unsafe.Sizeof(w.met[0]), at)
	}
	w.ledger.Remotes = make([]Traffic, remotes)
	w.ledger.Domains = make([]Traffic, vnis)
	remember := func(vni uint32) {
		src := vxlan.Addr4(10<<24 + 2<<16 + vni%remotes)
		m := w.remember(src, &Domain{Index: uint16(vni - 1), VNI: vni}, vni%remotes)
		if m != w.meetingOf(src, vni) || !m.of(src, vni) || m.domain != fdb.MakeKey(uint16(vni-1), 0) {
			t.Fatalf("VNI %d: %+v", vni, m)
		}
		m.packets, m.bytes = 1, 100
	}
	for vni := uint32(1); vni <= vnis; vni++ {
		remember(vni)
	}
	left := 0
	w.eachMeeting(func(*meeting) { left++ })
	if left < vnis*7/8 || w.known != left {
		t.Errorf("%d of %d are left, %d are known", left, vnis, w.known)
	}
	// Whatever packets are, nothing changes by looking ahead.
	for i := range w.batch.desc {
		w.batch.desc[i] = ring.Desc{Addr: uint64(i) * uint64(w.mem.FrameSize()) / 2, Len: uint32(i)}
	}
	before := w.met
	w.greet(len(w.batch.desc))
	if w.met != before {
		t.Error("looking ahead has changed what is known")
	}
	w.foldAll()
	w.forgetAll()
	for i, d := range w.ledger.Domains {
		if d.RxPackets != 1 || d.RxBytes != 100 {
			t.Fatalf("domain %d has %+v", i, d)
		}
	}
	w.eachMeeting(func(m *meeting) { t.Errorf("%+v is left", m) })
	if w.known != 0 {
		t.Errorf("%d are known of none", w.known)
	}
	for i := range w.met {
		if w.met[i] != (meeting{}) {
			t.Fatalf("%+v is left at %d", w.met[i], i)
		}
	}
}
