package gateway

import (
	"net/netip"
	"time"

	"vxgw/dataplane"
	"vxgw/fdb"
)

// Remotes that nothing leads to any more give their numbers back:
//
//	evict      those that nothing has led to for a while, strangers mostly
//	dismiss    those that a change has just taken away
//	retire     what is done with either

// evictEvery is how often remotes that nothing leads to any more are looked for.
// One that is found so twice in a row gives its number back, so that strangers who
// come and go do not fill the table.
const evictEvery = 30 * time.Second

// evict retires the remotes that no FDB entry and no flood list names, now and at the
// last call; not the plain number of a VTEP that has another one. The steward calls it.
func (g *Gateway) evict() {
	s := &g.steward
	unused, sentTo, ends := map[uint32]bool{}, g.sentTo(), g.plane.Remotes.Endpoints()
	var gone []uint32
	for _, n := range g.unnamed() {
		switch {
		case g.plane.Pending(n) > 0:
		case sentTo[ends[n].Addr] && ends[n] == (dataplane.Endpoint{Addr: ends[n].Addr}):
		case s.unused[n]:
			gone = append(gone, n)
		default:
			unused[n] = true
		}
	}
	s.unused = unused
	g.retire(gone)
}

// sentTo has the VTEPs that somebody named with a port or VNI of their own: what they send is counted for their
// address alone, to which no entry leads then.
func (g *Gateway) sentTo() map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, to := range g.plane.Remotes.Endpoints() {
		if to != (dataplane.Endpoint{Addr: to.Addr}) {
			all[to.Addr] = true
		}
	}
	return all
}

// dismiss retires those that were named until a change since the last call, so that
// what an operator has removed is not shown any more. With a large table it does so less
// often, and looking takes at most 1/(1+lookShare) of a CPU.
func (g *Gateway) dismiss() {
	s := &g.steward
	begin := time.Now()
	if !s.unnamed.any() || begin.Before(s.dismiss) {
		return
	}
	all := g.unnamed()
	s.dismiss = time.Now().Add(lookShare * time.Since(begin))
	was := s.unnamed
	s.unnamed = nil
	var gone []uint32
	for _, n := range all {
		switch {
		case !was.has(n):
		case g.plane.Pending(n) > 0:
			s.unnamed.add(n) // it still has frames
		default:
			gone = append(gone, n)
		}
	}
	g.retire(gone)
}

// unname notes that an entry which was v does not name its remote any more.
func (g *Gateway) unname(v fdb.Value) {
	if v.Found() && v.Dest().IsRemote() {
		g.steward.unnamed.add(v.Dest().Index())
	}
}

// unnamed lists the remotes that no FDB entry and no flood list names.
func (g *Gateway) unnamed() (all []uint32) {
	var used numberSet
	g.plane.FDB.Range(func(_ fdb.Key, v fdb.Value) bool {
		if d := v.Dest(); d.IsRemote() {
			used.add(d.Index())
		}
		return true
	})
	g.forgetLists()
	eachList(g.planes(), func(list []uint32) { used.add(list...) })
	for n, addr := range g.plane.Remotes.Addrs() {
		if n := uint32(n); addr.IsValid() && !used.has(n) {
			all = append(all, n)
		}
	}
	return all
}

// retire gives the numbers of remotes back that nothing names.
func (g *Gateway) retire(gone []uint32) {
	if len(gone) == 0 {
		return
	}
	// Nobody finds them any more; then nobody holds them any more; then the FDB has
	// what was learned of them in between, which goes too.
	s, addrs := &g.steward, g.plane.Remotes.Addrs()
	g.noteMoves() // while they have addresses
	g.plane.Remotes.Retire(gone)
	s.repath = true
	g.publish()
	g.plane.Quiesce()
	var numbers numberSet
	numbers.add(gone...)
	g.plane.FDB.FlushIf(func(_ fdb.Key, v fdb.Value) bool {
		return v.Dest().IsRemote() && numbers.has(v.Dest().Index())
	})
	// Batches that were looked up before that may still send to them, those behind Forget do
	// not. What the slow path has of them then is the last that it wants them for.
	g.plane.Forget(dataplane.Leaving{Remotes: gone})
	g.noteMoves() // before their numbers stand for others
	for _, n := range gone {
		for g.plane.Pending(n) > 0 {
			time.Sleep(time.Millisecond) // it never stops
		}
		s.wantNoMore(n)
		s.unfollow(n, addrs[n], g.mirror.Unwatch)
	}
	g.plane.Remotes.Release(gone)
	g.log.Info("forgot VTEPs that no entry names any more", "count", len(gone))
}

// numberSet is a set of numbers of remotes.
type numberSet []bool

func (s *numberSet) add(numbers ...uint32) {
	for _, n := range numbers {
		if more := int(n) + 1 - len(*s); more > 0 {
			*s = append(*s, make([]bool, more)...)
		}
		(*s)[n] = true
	}
}

func (s numberSet) has(n uint32) bool { return int(n) < len(s) && s[n] }

// any reports whether there was ever something in it.
func (s numberSet) any() bool { return len(s) > 0 }
