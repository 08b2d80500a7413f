package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// Changes of the MAC tables are found by looking: each listener remembers the tables
// as it last saw them, walks them now and then, and is told the differences. Learning
// does nothing for it, and without a listener nobody walks. A listener that reads
// slowly is looked for less often, so nothing queues up and nothing gets lost: what
// changes twice between two looks is told once, as it then is.

const (
	lookEvery = 200 * time.Millisecond
	// lookShare bounds a listener's share of a CPU to 1/(1+lookShare) with large tables.
	lookShare = 20
	// mostEvents is how many differences one look finds at most, which bounds memory;
	// the next look finds the rest.
	mostEvents = 1 << 16
	// mostListeners bounds what walks and remembered tables cost together.
	mostListeners = 8
)

// WatchFDB tells send what changes in the MAC tables until ctx ends or send fails. It
// calls started when it has seen what is there, of which it tells nothing.
func (g *Gateway) WatchFDB(ctx context.Context, started func(), send func([]control.FDBEvent) error) error {
	defer g.listeners.Add(-1)
	if g.listeners.Add(1) > mostListeners {
		return errors.New("fdb monitor: too many listen already (end one of them)")
	}
	w := &watch{g: g, seen: map[fdb.Key]sighting{}, most: mostEvents}
	if _, err := w.look(); err != nil {
		return err
	}
	started()
	pause := lookEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		begin := time.Now()
		events, err := w.look()
		pause = max(lookEvery, lookShare*time.Since(begin))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			continue
		}
		if err := send(events); err != nil {
			return err
		}
		if len(events) >= mostEvents {
			pause = 0
		}
	}
}

// watch is what a listener has seen.
type watch struct {
	g       *Gateway
	seen    map[fdb.Key]sighting
	ends    []dataplane.Endpoint // of remotes; those of forgotten ones stay, for entries that go
	domains []*dataplane.Domain
	owners  []*domain // with those that are no more, the same
	ports   []*port   // the same
	begun   bool      // the first look is over, which tells nothing
	most    int       // differences of one look
	events  []control.FDBEvent
	// only says of which VNIs it is told, nil of all; then places says of each event where the address was before, "" for nowhere.
	only   map[uint32]bool
	places []string
	was    string
}

// sighting is an entry without what changes all the time.
type sighting struct {
	dest  fdb.Dest
	kind  fdb.Kind
	state state
}

// look returns what is different from the last look.
func (w *watch) look() ([]control.FDBEvent, error) {
	w.g.asking.RLock()
	defer w.g.asking.RUnlock()
	if w.g.ended {
		return nil, errStopping
	}
	w.events, w.places = nil, nil
	now := w.g.view()
	before := view{g: w.g, domains: w.domains, owners: w.owners, ports: w.ports, ends: w.ends}
	w.lookAtFloods(&before, &now)
	if w.lookAtTable(&before, &now) {
		w.lookForGone(&before)
	}
	for n, e := range now.ends {
		if n >= len(w.ends) {
			w.ends = append(w.ends, e)
		} else if e.Addr.IsValid() {
			w.ends[n] = e
		}
	}
	w.domains, w.owners, w.ports = now.domains, kept(now.owners, w.owners), kept(now.ports, w.ports)
	w.begun = true
	return w.events, nil
}

func (w *watch) tell(deleted bool, e control.FDBEntry) {
	if w.only != nil {
		if !w.only[e.Domain()] {
			return
		}
		w.places, w.was = append(w.places, w.was), ""
	}
	w.events = append(w.events, control.FDBEvent{Deleted: deleted, FDBEntry: e})
}

// lookAtFloods compares the flood lists, which differ only where a domain does.
func (w *watch) lookAtFloods(before, now *view) {
	for i := range max(len(now.domains), len(before.domains)) {
		was, is := before.list(i), now.list(i)
		if sameOwner(i, before, now) && len(was) == len(is) && (len(was) == 0 || &was[0] == &is[0]) {
			continue
		}
		same := func(n uint32) bool { return sameOwner(i, before, now) && before.end(n) == now.end(n) }
		for _, n := range was {
			if !same(n) || !slices.Contains(is, n) {
				w.tell(true, before.flood(i, before.end(n)))
			}
		}
		for _, n := range is {
			if w.begun && (!same(n) || !slices.Contains(was, n)) {
				w.tell(false, now.flood(i, now.end(n)))
			}
		}
	}
}

// list is the flood list of a bridge domain, nil for one that v does not know.
func (v *view) list(domain int) []uint32 {
	if domain >= len(v.domains) || v.domains[domain] == nil {
		return nil
	}
	return v.domains[domain].FloodRemotes
}

// kept is now with what it lacks of before, for entries that go.
func kept[T any](now, before []*T) []*T {
	out := slices.Clone(now)
	for i, old := range before {
		if i >= len(out) {
			out = append(out, old)
		} else if out[i] == nil {
			out[i] = old
		}
	}
	return out
}

// sameOwner says whether an index stands for the same VNI in both views, as far as
// both know one.
func sameOwner(i int, before, now *view) bool {
	return i >= len(before.owners) || i >= len(now.owners) || before.owners[i] == nil || now.owners[i] == nil ||
		before.owners[i] == now.owners[i]
}

// lookAtTable finds entries that came or changed, and reports whether others are gone.
func (w *watch) lookAtTable(before, now *view) (gone bool) {
	there := 0
	w.g.plane.FDB.Range(func(k fdb.Key, v fdb.Value) bool {
		if !now.knows(k, v.Dest()) || w.only != nil && !w.only[now.owners[k.Domain()].cfg.VNI] {
			return true
		}
		s := sighting{v.Dest(), v.Kind(), w.g.given.state(k, v.Kind())}
		there++
		if old, ok := w.seen[k]; ok && old == s && samePlace(k, s.dest, before, now) {
			return true
		} else if ok && w.only != nil && old.dest != s.dest && before.names(k, old.dest) {
			e := before.describe(k, old.dest, old.kind, old.state)
			w.was = whereText(&e)
		} else if ok && (old.dest.IsRemote() != s.dest.IsRemote() || !sameOwner(int(k.Domain()), before, now)) {
			// It has gone from one table of bridge(8) into another, self or master.
			w.tell(true, before.describe(k, old.dest, old.kind, old.state))
		}
		w.seen[k] = s
		if w.begun {
			w.tell(false, now.describe(k, s.dest, s.kind, s.state))
		}
		return len(w.events) < w.most
	})
	return len(w.events) < w.most && there < len(w.seen)
}

// samePlace says whether the numbers of an entry stand for the same VNI, port and
// remote as before; or for no remote any more, in which case the entry is about to go.
func samePlace(k fdb.Key, d fdb.Dest, before, now *view) bool {
	if !sameOwner(int(k.Domain()), before, now) {
		return false
	}
	if !d.IsRemote() {
		return before.port(d) == nil || before.port(d) == now.port(d)
	}
	e := now.end(d.Index())
	return !e.Addr.IsValid() || e == before.end(d.Index())
}

// lookForGone finds entries that are no more.
func (w *watch) lookForGone(before *view) {
	for k, s := range w.seen {
		if len(w.events) >= w.most {
			return
		}
		if !w.g.plane.FDB.Lookup(k).Found() {
			delete(w.seen, k)
			if before.names(k, s.dest) {
				w.tell(true, before.describe(k, s.dest, s.kind, s.state))
			}
		}
	}
}
