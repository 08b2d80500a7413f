package gateway

import (
	"slices"
	"time"

	"vxgw/dataplane"
	"vxgw/fdb"
)

// evictEvery is how often remotes that nothing leads to any more are looked for.
// One that is found so twice in a row gives its number back, so that strangers who
// come and go do not fill the table.
const evictEvery = 30 * time.Second

// evict retires the remotes that no FDB entry and no flood list names, now and at the
// last call. The steward calls it.
func (g *Gateway) evict() {
	used := map[uint32]bool{}
	g.plane.FDB.Range(func(_ fdb.Key, v fdb.Value) bool {
		if d := v.Dest(); d.IsRemote() {
			used[d.Index()] = true
		}
		return true
	})
	g.forgetLists()
	eachList(g.planes(), func(list []uint32) {
		for _, n := range list {
			used[n] = true
		}
	})
	s := &g.steward
	addrs := g.plane.Remotes.Addrs()
	unused := map[uint32]bool{}
	var gone []uint32
	for n, addr := range addrs {
		n := uint32(n)
		if !addr.IsValid() || used[n] || g.plane.Pending(n) > 0 {
			continue
		}
		if s.unused[n] {
			gone = append(gone, n)
		} else {
			unused[n] = true
		}
	}
	s.unused = unused
	if len(gone) == 0 {
		return
	}

	// Nobody finds them any more; then nobody holds them any more; then the FDB has
	// what was learned of them in between, which goes too.
	g.plane.Remotes.Retire(gone)
	g.steward.repath = true
	g.publish()
	g.plane.Quiesce()
	g.plane.FDB.FlushIf(func(_ fdb.Key, v fdb.Value) bool {
		return v.Dest().IsRemote() && slices.Contains(gone, v.Dest().Index())
	})
	// Batches that were looked up before that may still send to them, those behind Forget do
	// not. What the slow path has of them then is the last that it wants them for.
	g.plane.Forget(dataplane.Leaving{Remotes: gone})
	for _, n := range gone {
		for g.plane.Pending(n) > 0 {
			time.Sleep(time.Millisecond) // it never stops
		}
		s.wantNoMore(n)
		g.mirror.Unwatch(addrs[n])
		delete(s.watched, n)
	}
	g.plane.Remotes.Release(gone)
	g.log.Info("forgot VTEPs that no entry names any more", "count", len(gone))
}
