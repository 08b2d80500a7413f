package gateway

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/logs"
	"vxgw/neigh"
)

// What happens in the VNIs that are debugged is found by looking, as for gw fdb monitor: workers do nothing for it, and while none is
// debugged nobody looks. How many lines that may become is the log's to bound.

// telling says whether somebody looks.
type telling struct {
	mu   sync.Mutex
	runs bool
}

// begin has somebody look for as long as a VNI is debugged.
func (t *telling) begin(g *Gateway) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.runs {
		t.runs = true
		go (&teller{g: g}).run()
	}
}

// countEvery is how often counts are compared.
const countEvery = time.Second

// teller is what was seen last.
type teller struct {
	g      *Gateway
	vnis   []uint32
	fdb    *watch
	neighs map[uint32]map[neigh.Key]neigh.Entry // by VNI
	counts *countsSeen                          // nil before the first look
	due    time.Time                            // when they are to be compared
}

// countsSeen is what had been counted.
type countsSeen struct {
	ledger  dataplane.Ledger
	fdb     fdb.Stats
	refused map[uint32]map[string]uint64 // neighbours, by VNI and reason
}

func (t *teller) run() {
	pause := time.Duration(0)
	for {
		select {
		case <-t.g.stop:
			return
		case <-time.After(pause):
		}
		if t.ends() {
			return
		}
		begin := time.Now()
		if err := t.look(); err != nil {
			return // the gateway stops
		}
		pause = max(lookEvery, lookShare*time.Since(begin))
	}
}

// ends reports whether no VNI is debugged any more, and takes up those that are.
func (t *teller) ends() bool {
	t.g.telling.mu.Lock()
	defer t.g.telling.mu.Unlock()
	vnis := logs.Of(t.g.log).VNIs()
	if len(vnis) == 0 {
		t.g.telling.runs = false
		return true
	}
	if slices.Equal(vnis, t.vnis) {
		return false
	}
	t.vnis, t.neighs, t.counts = vnis, map[uint32]map[neigh.Key]neigh.Entry{}, nil
	t.fdb = &watch{g: t.g, seen: map[fdb.Key]sighting{}, most: mostEvents, only: map[uint32]bool{}}
	for _, v := range vnis {
		t.fdb.only[v] = true
	}
	return false
}

// look tells what is different from the last look.
func (t *teller) look() error {
	first := !t.fdb.begun
	events, err := t.fdb.look()
	if err != nil {
		return err
	}
	for i, e := range events {
		t.tellEntry(&e, t.fdb.places[i])
	}
	t.g.asking.RLock()
	defer t.g.asking.RUnlock()
	if t.g.ended {
		return errStopping
	}
	for _, d := range t.g.domains {
		if d == nil || !t.fdb.only[d.cfg.VNI] {
			continue
		}
		if first {
			t.g.log.Debug("what happens in the VNI is told from now on", "vni", d.cfg.VNI, "entries", t.g.plane.FDB.DomainLen(d.index), "floods_to", t.targets(d))
		}
		t.lookAtNeighbours(d, first)
	}
	if now := time.Now(); !now.Before(t.due) {
		t.due = now.Add(countEvery)
		t.lookAtCounts()
	}
	return nil
}

// targets is where a VNI floods to.
func (t *teller) targets(d *domain) string {
	var all []string
	for _, p := range d.ports {
		all = append(all, p.label())
	}
	for _, r := range d.flood.remotes {
		all = append(all, r.String())
	}
	return few(all)
}

func (t *teller) tellEntry(e *control.FDBEvent, was string) {
	log, flood := t.g.log, e.MAC == control.ZeroMAC
	switch {
	case flood && e.Deleted:
		log.Debug("it floods there no more", "vni", e.Domain(), "dst", e.Dst)
	case flood:
		log.Debug("it floods there too", "vni", e.Domain(), "dst", e.Dst)
	case e.Deleted:
		log.Debug("an address is known no more", "vni", e.Domain(), "mac", e.MAC, "at", whereText(&e.FDBEntry), "entry", e.FDBEntry.String())
	case was != "":
		log.Debug("an address has moved", "vni", e.Domain(), "mac", e.MAC, "at", whereText(&e.FDBEntry), "from", was)
	default:
		log.Debug("an address is known", "vni", e.Domain(), "mac", e.MAC, "at", whereText(&e.FDBEntry), "entry", e.FDBEntry.String())
	}
}

// whereText is where an entry's address is.
func whereText(e *control.FDBEntry) string {
	if e.Dst != "" {
		return e.Dst
	}
	return e.Ifname
}

// lookAtNeighbours compares a VNI's neighbours with those of the last look. Who calls it holds asking.
func (t *teller) lookAtNeighbours(d *domain, first bool) {
	if d.neighbours == nil {
		delete(t.neighs, d.cfg.VNI)
		return
	}
	was, is := t.neighs[d.cfg.VNI], map[neigh.Key]neigh.Entry{}
	t.neighs[d.cfg.VNI] = is
	now := t.g.plane.Now()
	d.neighbours.Range(now, func(k neigh.Key, e neigh.Entry) {
		e.Seen = 0
		is[k] = e
		if old, known := was[k]; first || known && old == e {
			return
		} else if known && old.MAC != e.MAC {
			t.g.log.Debug("a neighbour has moved", "vni", d.cfg.VNI, "neighbour", describeNeighbour(d, k, e, now).String(), "from", macText(old.MAC))
			return
		}
		t.g.log.Debug("a neighbour is known", "vni", d.cfg.VNI, "neighbour", describeNeighbour(d, k, e, now).String())
	})
	for k, e := range was {
		if _, there := is[k]; !there {
			t.g.log.Debug("a neighbour is known no more", "vni", d.cfg.VNI, "neighbour", describeNeighbour(d, k, e, now).String())
		}
	}
}

// lookAtCounts tells what was dropped, and what was not learned, since the last look. Who calls it holds asking.
func (t *teller) lookAtCounts() {
	g, was := t.g, t.counts
	is := &countsSeen{ledger: g.plane.Ledger(), fdb: g.plane.FDB.Stats(), refused: map[uint32]map[string]uint64{}}
	t.counts = is
	for _, d := range g.domains {
		if d == nil || !t.fdb.only[d.cfg.VNI] {
			continue
		}
		if s := d.neighStats(); s != nil {
			is.refused[d.cfg.VNI] = s.Refused
		}
		if was == nil {
			continue
		}
		if n, old := entry(is.ledger.Dropped, int(d.index)).Frames, entry(was.ledger.Dropped, int(d.index)).Frames; n > old {
			g.log.Debug("frames were dropped", "vni", d.cfg.VNI, "count", n-old, "by", t.reasons(d, was, is))
		}
		if text := refusals(was.fdb, is.fdb); text != "" {
			g.log.Debug("addresses were not learned", "vni", d.cfg.VNI, "why", text, "of", "all VNIs")
		}
		var why []string
		for reason, n := range is.refused[d.cfg.VNI] {
			if old, known := was.refused[d.cfg.VNI][reason]; known && n > old {
				why = append(why, fmt.Sprintf("%s %d", reason, n-old))
			}
		}
		if slices.Sort(why); len(why) > 0 {
			g.log.Debug("neighbours were not believed", "vni", d.cfg.VNI, "why", strings.Join(why, ", "))
		}
	}
}

// reasons says by which interface and verdict a VNI lost frames. Those out of tunnels are counted for all VNIs together.
func (t *teller) reasons(d *domain, was, is *countsSeen) string {
	var out []string
	add := func(where string, from, to [dataplane.VerdictCount]uint64) {
		var all []string
		for v := range to {
			if to[v] > from[v] {
				all = append(all, fmt.Sprintf("%v %d", dataplane.Verdict(v), to[v]-from[v]))
			}
		}
		if len(all) > 0 {
			out = append(out, where+": "+strings.Join(all, ", "))
		}
	}
	for _, p := range d.ports {
		add(p.label(), entry(was.ledger.Ports, int(p.account)).Received, entry(is.ledger.Ports, int(p.account)).Received)
	}
	add("tunnels, of all VNIs", was.ledger.Underlay.Received, is.ledger.Underlay.Received)
	return few(out)
}

// refusals says why the table refused addresses.
func refusals(was, is fdb.Stats) string {
	var out []string
	for _, r := range []struct {
		why string
		n   uint64
	}{
		{"pinned elsewhere", is.RefusedStatic - was.RefusedStatic}, {"maxaddress", is.RefusedLimit - was.RefusedLimit}, {"the table is full", is.RefusedFull - was.RefusedFull},
	} {
		if r.n > 0 {
			out = append(out, fmt.Sprintf("%s %d", r.why, r.n))
		}
	}
	return strings.Join(out, ", ")
}
