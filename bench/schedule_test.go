package bench

import (
	"encoding/binary"
	"math"
	"testing"
)

// TestScheduleLength wants powers of two, long enough for every station.
func TestScheduleLength(t *testing.T) {
	for macs, want := range map[int]int{2: shortSchedule, 100_000: 1 << 18, 1_000_000: longSchedule} {
		all := newSchedule(Encap, Traffic{MACs: macs, Size: innerLen, Remotes: 1})
		if len(all) != want {
			t.Errorf("%d MACs: %d entries, want %d", macs, len(all), want)
		}
		seen := map[uint32]bool{}
		for _, e := range all {
			if e.Src >= uint32(macs/2) || e.Dst >= uint32(macs/2) {
				t.Fatalf("%d MACs: station %d or %d", macs, e.Src, e.Dst)
			}
			seen[e.Src] = true
		}
		// Each of half as many stations as entries, or fewer, is missed with e^-2 at most.
		if part := float64(len(seen)) / float64(macs/2); part < 0.85 {
			t.Errorf("%d MACs: only %.2f of them speak", macs, part)
		}
	}
}

// TestSizes wants the mix of sizes to be as it says.
func TestSizes(t *testing.T) {
	n := map[uint16]int{}
	all := newSchedule(Encap, Traffic{MACs: 2, Remotes: 1})
	for _, e := range all {
		n[e.Size]++
	}
	for size, want := range map[uint16]float64{64: 7.0 / 12, 570: 4.0 / 12, 1450: 1.0 / 12} {
		if got := float64(n[size]) / float64(len(all)); math.Abs(got-want) > 0.01 {
			t.Errorf("%d bytes: %.3f of all, want %.3f", size, got, want)
		}
	}
	if len(n) != 3 {
		t.Errorf("sizes %v", n)
	}
}

// TestRemotes wants each far station behind one remote, and all remotes used.
func TestRemotes(t *testing.T) {
	m := Traffic{MACs: 2_000, Size: innerLen, Remotes: 1_000}
	behind := map[uint32]uint32{}
	used := map[uint32]bool{}
	prime, n := primeSchedule(Decap, m)
	if n != 1_000 || len(prime) != 1_024 {
		t.Errorf("%d frames of %d make 1,000 stations known", n, len(prime))
	}
	for _, e := range append(prime, newSchedule(Decap, m)...) {
		if b, ok := behind[e.Src]; ok && b != e.Outer {
			t.Fatalf("station %d is behind %#x and %#x", e.Src, b, e.Outer)
		}
		behind[e.Src] = e.Outer
		used[e.Outer] = true
	}
	if len(used) != 1_000 || len(behind) != 1_000 {
		t.Errorf("%d remotes, %d stations", len(used), len(behind))
	}
}

// TestVNIs wants both stations of a frame in the VNI that it is sent in, and every VNI used.
func TestVNIs(t *testing.T) {
	m := Traffic{MACs: 2 * 3 * 40, Size: innerLen, Remotes: 7, VNIs: 40}
	for _, d := range []Direction{Encap, Decap} {
		used := map[uint32]bool{}
		for _, e := range newSchedule(d, m) {
			if e.Src%40 != e.Dst%40 || e.Src >= 120 || e.Dst >= 120 {
				t.Fatalf("%v: station %d sends to %d", d, e.Src, e.Dst)
			}
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], e.VNI)
			number := binary.BigEndian.Uint32(b[:])>>8 - vni
			if d == Encap {
				number = uint32(binary.BigEndian.Uint16(b[:])) - firstVLAN
			}
			if number != e.Src%40 {
				t.Fatalf("%v: station %d in VNI %d", d, e.Src, number)
			}
			used[number] = true
		}
		if len(used) != 40 {
			t.Errorf("%v: %d VNIs", d, len(used))
		}
	}
}

// TestMoves wants every frame of a moving station to come from elsewhere than its last one,
// also across the end of the schedule, and none of those that stay.
func TestMoves(t *testing.T) {
	for _, moves := range []bool{true, false} {
		last := map[uint32]uint32{}
		all := moveSchedule(moves)
		if len(all)&(len(all)-1) != 0 {
			t.Errorf("%d entries are no power of two", len(all))
		}
		for i, e := range append(all, all...) {
			if was, ok := last[e.Src]; ok && (was != e.Outer) != moves {
				t.Fatalf("entry %d, moves %t: station %d was behind %#x, is behind %#x", i, moves, e.Src, was, e.Outer)
			}
			last[e.Src] = e.Outer
		}
		if len(last) != movingMACs {
			t.Errorf("%d stations", len(last))
		}
	}
}

// TestZipf wants the i-th station about i^-0.99 as often as the first, and nobody beyond the
// last.
func TestZipf(t *testing.T) {
	const n = 1000
	z := newZipf(n, zipfExponent)
	count := make([]float64, n)
	const draws = 1 << 20
	for i := range draws {
		count[z.draw(float64(i)/draws)]++
	}
	for _, i := range []int{1, 9, 99, 499} {
		want := count[0] * math.Pow(float64(i+1), -zipfExponent)
		if math.Abs(count[i]-want) > 2+want/100 {
			t.Errorf("station %d comes %v times, want %v", i, count[i], want)
		}
	}
	if last := z.draw(math.Nextafter(1, 0)); last != n-1 {
		t.Errorf("the last is %d", last)
	}
}

// TestZipfSchedule wants popular stations in a schedule.
func TestZipfSchedule(t *testing.T) {
	m := Traffic{MACs: 100_000, Size: innerLen, Remotes: 1, Zipf: true}
	first := 0
	all := newSchedule(Encap, m)
	for _, e := range all {
		if e.Src == 0 {
			first++
		}
	}
	var sum float64
	for i := range m.MACs / 2 {
		sum += math.Pow(float64(i+1), -zipfExponent)
	}
	if got, want := float64(first)/float64(len(all)), 1/sum; math.Abs(got-want) > want/10 {
		t.Errorf("the first station has %.4f of the frames, want %.4f", got, want)
	}
}
