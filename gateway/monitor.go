package gateway

import (
	"context"
	"errors"
	"net/netip"
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
	addrs   []netip.Addr // of remotes; those of forgotten ones stay, for entries that go
	domains []*dataplane.Domain
	begun   bool // the first look is over, which tells nothing
	most    int  // differences of one look
	events  []control.FDBEvent
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
	w.events = nil
	now := w.g.view()
	before := view{g: w.g, domains: w.domains, addrs: w.addrs}
	w.lookAtFloods(&before, &now)
	if w.lookAtTable(&before, &now) {
		w.lookForGone(&before)
	}
	for n, a := range now.addrs {
		if n >= len(w.addrs) {
			w.addrs = append(w.addrs, a)
		} else if a.IsValid() {
			w.addrs[n] = a
		}
	}
	w.begun = true
	return w.events, nil
}

func (w *watch) tell(deleted bool, e control.FDBEntry) {
	w.events = append(w.events, control.FDBEvent{Deleted: deleted, FDBEntry: e})
}

// lookAtFloods compares the flood lists, which differ only where a domain does.
func (w *watch) lookAtFloods(before, now *view) {
	for i, d := range now.domains {
		if i >= len(before.domains) || d == before.domains[i] {
			continue
		}
		was := before.domains[i].FloodRemotes
		for _, n := range was {
			if !slices.Contains(d.FloodRemotes, n) {
				w.tell(true, before.flood(i, before.addr(n)))
			}
		}
		for _, n := range d.FloodRemotes {
			if !slices.Contains(was, n) {
				w.tell(false, now.flood(i, now.addr(n)))
			}
		}
	}
	w.domains = now.domains
}

// lookAtTable finds entries that came or changed, and reports whether others are gone.
func (w *watch) lookAtTable(before, now *view) (gone bool) {
	there := 0
	w.g.plane.FDB.Range(func(k fdb.Key, v fdb.Value) bool {
		if int(k.Domain()) >= len(now.domains) {
			return true
		}
		s := sighting{v.Dest(), v.Kind(), w.g.given.state(k, v.Kind())}
		there++
		if old, ok := w.seen[k]; ok && old == s && sameRemote(s.dest, before, now) {
			return true
		}
		w.seen[k] = s
		if w.begun {
			w.tell(false, now.describe(k, s.dest, s.kind, s.state))
		}
		return len(w.events) < w.most
	})
	return len(w.events) < w.most && there < len(w.seen)
}

// sameRemote says whether a number stands for the same remote as before, or for none
// any more, in which case the entry is about to go.
func sameRemote(d fdb.Dest, before, now *view) bool {
	if !d.IsRemote() {
		return true
	}
	a := now.addr(d.Index())
	return !a.IsValid() || a == before.addr(d.Index())
}

// lookForGone finds entries that are no more.
func (w *watch) lookForGone(before *view) {
	for k, s := range w.seen {
		if len(w.events) >= w.most {
			return
		}
		if !w.g.plane.FDB.Lookup(k).Found() {
			delete(w.seen, k)
			w.tell(true, before.describe(k, s.dest, s.kind, s.state))
		}
	}
}
