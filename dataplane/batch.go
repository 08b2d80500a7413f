package dataplane

import (
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// batch is a worker's work table: one row per received frame, one column per
// stage, so that each stage runs over all frames before the next one starts and
// its cache misses overlap.
type batch struct {
	desc    [BatchSize]ring.Desc // the frame; from a tunnel: the inner frame, once that is known
	flow    [BatchSize]vxlan.Flow
	from    [BatchSize]fdb.Dest // where the source MAC address is
	keys    [2 * BatchSize]fdb.Key
	values  [2 * BatchSize]fdb.Value
	target  [BatchSize]fdb.Dest // where the frame goes, or flood
	verdict [BatchSize]Verdict
}

// flood is the target of frames that go to everyone in the domain.
const flood = ^fdb.Dest(0)

const multicastBit = 1 << 40 // of a MAC address as an integer (IEEE 802, I/G bit)

// linkLocal is the range 01:80:c2:00:00:00 to 0f, which no bridge forwards (IEEE
// 802.1Q, table 8-1).
const linkLocal = 0x0180c2000000

// admit judges a frame by its addresses alone.
func admit(dst, src uint64) Verdict {
	if src&multicastBit != 0 || src == 0 {
		return BadSourceMAC
	}
	if dst&^0xf == linkLocal {
		return LinkLocal
	}
	return undecided
}

// parsed fills in row i of n, a frame of the bridge domain with that index, for
// the stages behind the parsers. The sources' keys come first, then the
// destinations'.
func (b *batch) parsed(i, n int, domain uint16, from fdb.Dest, dst, src uint64, f vxlan.Flow) {
	to := fdb.MakeKey(domain, dst)
	if dst&multicastBit != 0 {
		to = 0
	}
	b.keys[i], b.keys[n+i] = fdb.MakeKey(domain, src), to
	b.from[i], b.flow[i], b.verdict[i] = from, f, undecided
}

// drop ends row i before the look-up stage.
func (b *batch) drop(i, n int, v Verdict) {
	b.verdict[i] = v
	b.keys[i], b.keys[n+i] = 0, 0
}
