package gateway

import (
	"cmp"
	"slices"
	"strings"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// findStep is how many entries a search looks at before it lets the steward have its turn: well below a millisecond.
const findStep = 8192

// FindFDB searches the MAC tables and the flood lists, whatever their size, in memory that depends on q.Limit
// only. What changes meanwhile may or may not be found. From Close on nothing is.
func (g *Gateway) FindFDB(q control.FDBQuery) control.FDBFound {
	found := control.FDBFound{Entries: []control.FDBEntry{}}
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return found
	}
	v := g.view()
	s := newSearch(&v, q)
	s.floods(&v)
	g.plane.FDB.Range(func(k fdb.Key, value fdb.Value) bool {
		s.look(k, value)
		if s.seen++; s.seen%findStep != 0 {
			return true
		}
		g.asking.RUnlock()
		g.asking.RLock()
		return !g.ended // else there is no table any more, and Range does not touch it again
	})
	if g.ended {
		return found
	}
	s.cut()
	v = g.view() // numbers may stand for something else by now
	for _, c := range s.kept {
		if d := int(c.key.Domain()); d >= len(v.owners) || v.owners[d] == nil || v.owners[d].cfg.VNI != c.vni {
			continue
		}
		if c.to.Addr.IsValid() {
			found.Entries = append(found.Entries, v.flood(int(c.key.Domain()), c.to))
		} else if v.knows(c.key, c.value.Dest()) {
			found.Entries = append(found.Entries, v.entry(c.key, c.value))
		}
	}
	found.More = s.chosen - len(s.kept)
	return found
}

// search is one walk through the tables.
type search struct {
	q              control.FDBQuery
	vnis           []uint32 // by bridge domain index, 0 for those that are not wanted
	remotes, ports []bool   // that are wanted, by number
	seen, chosen   int      // entries
	kept           []candidate
}

// candidate is an entry of the table, or with an address one of a flood list.
type candidate struct {
	vni   uint32
	key   fdb.Key
	value fdb.Value
	to    dataplane.Endpoint
}

func newSearch(v *view, q control.FDBQuery) *search {
	s := &search{q: q, vnis: make([]uint32, len(v.domains)), remotes: make([]bool, len(v.ends)), ports: make([]bool, len(v.ports))}
	for i, d := range v.domains {
		if d != nil && (q.VNI == 0 || q.VNI == v.owners[i].cfg.VNI) {
			s.vnis[i] = v.owners[i].cfg.VNI
		}
	}
	for n := range s.remotes {
		s.remotes[n] = q.Dst == "" || v.ends[n].Addr.IsValid() && strings.Contains(v.ends[n].Addr.String(), q.Dst)
	}
	for n, p := range v.ports {
		s.ports[n] = p != nil && strings.Contains(strings.ToLower(p.label()), q.Dst)
	}
	return s
}

// floods looks at the flood lists, whose entries have the address zero.
func (s *search) floods(v *view) {
	if !s.q.MAC.In(0) {
		return
	}
	for i, vni := range s.vnis {
		if vni == 0 {
			continue
		}
		for _, n := range v.domains[i].FloodRemotes {
			if int(n) < len(s.remotes) && s.remotes[n] && v.ends[n].Addr.IsValid() {
				s.keep(candidate{vni: vni, key: fdb.MakeKey(uint16(i), 0), to: v.ends[n]})
			}
		}
	}
}

func (s *search) look(k fdb.Key, value fdb.Value) {
	d, dest := int(k.Domain()), value.Dest()
	if d >= len(s.vnis) || s.vnis[d] == 0 || !s.q.MAC.In(k.MAC()) {
		return
	}
	wanted := s.ports
	if dest.IsRemote() {
		wanted = s.remotes
	}
	if n := int(dest.Index()); n < len(wanted) && wanted[n] {
		s.keep(candidate{vni: s.vnis[d], key: k, value: value})
	}
}

// keep has twice as many as are wanted, so that it sorts rarely.
func (s *search) keep(c candidate) {
	s.chosen++
	s.kept = append(s.kept, c)
	if len(s.kept) >= 2*s.q.Limit {
		s.cut()
	}
}

func (s *search) cut() {
	slices.SortStableFunc(s.kept, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.vni, b.vni), cmp.Compare(a.key.MAC(), b.key.MAC()))
	})
	s.kept = s.kept[:min(len(s.kept), s.q.Limit)]
}
