package bench

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sort"
)

// What the generator sends is decided beforehand: a schedule of entries, which it goes
// through again and again. So any distribution costs it the same.

// Traffic says what the frames of a measurement are like.
type Traffic struct {
	MACs    int  `json:"macs"`    // in use, half of them on each side
	Size    int  `json:"size"`    // of the inner frames, in bytes; 0: a mix of three (IMIX)
	Remotes int  `json:"remotes"` // that far stations are behind
	Zipf    bool `json:"zipf,omitempty"`
	// VNIs that stations are in, one of each side after the other. Their frames have the tag of
	// a VLAN on the port's side. 0: one VNI, and no tags.
	VNIs int `json:"vnis,omitempty"`
}

// tag is the length of the VLAN tag of inner frames that are sent in a direction.
func (m Traffic) tag(d Direction) int {
	if d == Encap && m.VNIs > 0 {
		return tagLen
	}
	return 0
}

// vniOf and vlanOf are those of a station.
func (m Traffic) vniOf(station uint32) uint32  { return vni + station%uint32(max(m.VNIs, 1)) }
func (m Traffic) vlanOf(station uint32) uint16 { return uint16(firstVLAN + m.vniOf(station) - vni) }

// firstVLAN is that of the first VNI.
const firstVLAN = 1

// imix is the mix of sizes of the "simple IMIX", with the largest as long as an underlay
// of 1500 bytes takes it.
var imix = []struct{ size, weight int }{{64, 7}, {570, 4}, {1450, 1}}

// largest is the size of the largest frames.
func (m Traffic) largest() int {
	if m.Size == 0 {
		return imix[len(imix)-1].size
	}
	return m.Size
}

// entry is struct entry of traffic.c.
type entry struct {
	Src, Dst   uint32 // stations
	VNI        uint32 // as the header has it
	Outer      uint32 // source address of the outer header, in network order
	Flow, Size uint16
}

// A schedule is long enough for each station to come, on average, twice.
const (
	shortSchedule = 1 << 16
	longSchedule  = 1 << 21
)

// zipfExponent is that of the popularity of pages and of destinations in data centres.
const zipfExponent = 0.99

// newSchedule draws the frames of a direction. Its length is a power of two.
func newSchedule(d Direction, m Traffic) []entry {
	random := rand.New(rand.NewPCG(uint64(d), uint64(m.MACs)))
	n := min(max(nextPower(2*m.MACs), shortSchedule), longSchedule)
	half := stationsPerSide(m.MACs)
	station := func() uint32 { return random.Uint32N(half) }
	if m.Zipf {
		z := newZipf(int(half), zipfExponent)
		station = func() uint32 { return z.draw(random.Float64()) }
	}
	all := make([]entry, n)
	vnis := uint32(max(m.VNIs, 1))
	for i := range all {
		src, dst := station(), station()
		dst += src%vnis - dst%vnis // in the same VNI
		all[i] = newEntry(d, m, src, dst, uint16(random.Uint32()), drawSize(m, random))
	}
	return all
}

// primeSchedule has every station speak once, and how many frames that are.
func primeSchedule(d Direction, m Traffic) (all []entry, frames uint64) {
	half := stationsPerSide(m.MACs)
	all = make([]entry, nextPower(int(half)))
	for i := range all {
		s := uint32(i) % half
		all[i] = newEntry(d, m, s, s, uint16(i), innerLen)
	}
	return all, uint64(half)
}

// Stations that move have numbers of their own.
const (
	firstMoving = 1 << 30
	movingMACs  = 1 << 12
)

// resident is what their frames are like.
var resident = Traffic{Size: innerLen, Remotes: 1}

// moveSchedule has far stations speak, each time from another remote than the last time
// if they move, and from the same if not.
func moveSchedule(moves bool) []entry {
	all := make([]entry, 2*movingMACs)
	for i := range all {
		remote := 0
		if moves {
			remote = i / movingMACs
		}
		all[i] = newEntry(Decap, resident, firstMoving+uint32(i%movingMACs), 0, uint16(i), innerLen)
		all[i].Outer = outerSource(remote)
	}
	return all
}

func newEntry(d Direction, m Traffic, src, dst uint32, flow uint16, size int) entry {
	e := entry{Src: src, Dst: dst, Flow: flow, Size: uint16(size)}
	var header [4]byte
	binary.BigEndian.PutUint32(header[:], m.vniOf(src)<<8)
	e.VNI = binary.NativeEndian.Uint32(header[:])
	if m.tag(d) > 0 {
		binary.BigEndian.PutUint16(header[:], m.vlanOf(src))
		e.VNI = uint32(binary.NativeEndian.Uint16(header[:]))
	}
	if d == Decap {
		e.Outer = outerSource(int(src) % max(m.Remotes, 1))
	}
	return e
}

func outerSource(remote int) uint32 {
	a := remoteOf(remote).As4()
	return binary.NativeEndian.Uint32(a[:])
}

// stationsPerSide is how many stations a side has.
func stationsPerSide(macs int) uint32 { return uint32(max(macs/2, 1)) }

func drawSize(m Traffic, random *rand.Rand) int {
	if m.Size != 0 {
		return m.Size
	}
	all := 0
	for _, s := range imix {
		all += s.weight
	}
	at := random.IntN(all)
	for _, s := range imix {
		if at -= s.weight; at < 0 {
			return s.size
		}
	}
	return imix[0].size
}

// nextPower is the first power of two that is not below n.
func nextPower(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// zipf draws numbers of which the i-th is 1/(i+1)^s as likely as the first. Package rand
// has it for s above 1 only.
type zipf struct{ sum []float64 } // of all up to there

func newZipf(n int, s float64) zipf {
	z := zipf{make([]float64, n)}
	all := 0.0
	for i := range n {
		all += math.Pow(float64(i+1), -s)
		z.sum[i] = all
	}
	return z
}

// draw returns the number at u, which is uniform in [0, 1).
func (z zipf) draw(u float64) uint32 {
	n := len(z.sum)
	return uint32(min(sort.SearchFloat64s(z.sum, u*z.sum[n-1]), n-1))
}
