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
	verdict [BatchSize]Verdict  // gone: sent and counted right after the look-up
	given   [BatchSize]Verdict  // what emit has found out, of a row that was not gone by then
}

// What may be the target of a frame instead of a destination.
const (
	flood         = ^fdb.Dest(0) // everyone in the domain
	portsOnly     = flood - 1    // every port
	answered      = flood - 2    // every port, and then back where it came from as the answer to itself
	answeredAlone = flood - 3    // back alone: nothing of the kind may be flooded now
)

// admit judges a frame by its addresses alone.
func admit(dst, src uint64) Verdict {
	switch {
	case vxlan.Forwards(dst, src):
		return undecided
	case vxlan.UnicastMAC(src):
		return LinkLocal
	}
	return BadSourceMAC
}

// parsed fills in row i of n for the stages behind the parsers. domain is the
// FDB key of address 0 in the frame's bridge domain. The sources' keys come first,
// then the destinations'.
func (b *batch) parsed(i, n int, domain fdb.Key, from fdb.Dest, dst, src uint64, f vxlan.Flow) {
	b.keys[i], b.keys[n+i] = domain|fdb.Key(src), domain|fdb.Key(dst)
	b.from[i], b.flow[i], b.verdict[i] = from, f, undecided
}

// drop ends row i before the look-up stage.
func (b *batch) drop(i, n int, v Verdict) {
	b.verdict[i] = v
	b.keys[i], b.keys[n+i] = 0, 0
}
