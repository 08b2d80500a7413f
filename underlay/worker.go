package underlay

import (
	"net/netip"
	"slices"
	"time"
)

// The times of the worker.
const (
	// passGap is the least time between passes: at most 100 snapshots a second, however much flaps.
	passGap = 10 * time.Millisecond
	// passShare bounds the worker's share of a CPU to 1/(1+passShare) when passes are long.
	passShare = 4
	// sweepGap is how often every route is looked up without an event: a path MTU that the kernel has learned comes and goes without one.
	sweepGap = 10 * time.Second
	// askGap is the least time between two requests for the same next hop, and until a refused one is repeated.
	askGap = time.Second
)

// remote is one watched address. Its path is computed anew after either part changed.
type remote struct {
	addr  netip.Addr
	route route
	hop   *hop // nil: needs none, or has none

	narrow narrowing // zero: nobody has told that the way is
}

// worker owns the remotes and next hops and is the only user of the request socket. Everything in it
// belongs to the goroutine of run; it publishes into the Mirror.
type worker struct {
	m       *Mirror
	conn    *conn
	plain   bool // the kernel has no managed neighbours: refresh by asking now and then
	proven  bool // the kernel was seen to have them
	link    Link
	remotes map[netip.Addr]*remote
	hops    map[netip.Addr]*hop

	touched  map[*remote]struct{} // paths to compute in this pass
	narrow   map[*remote]struct{} // those of which somebody has told that
	pending  map[*hop]struct{}    // next hops to read and, where wanted, to ask for
	remarked bool                 // the set of marked hops has changed
	stats    Stats                // of this pass
	sweep    time.Time            // next look-up of everything
	alarm    time.Time            // next pass for pending hops; zero for none
}

// newWorker makes a worker that knows nothing yet.
func newWorker(m *Mirror, c *conn, plain bool) *worker {
	return &worker{
		m: m, conn: c, plain: plain,
		remotes: map[netip.Addr]*remote{}, hops: map[netip.Addr]*hop{},
		touched: map[*remote]struct{}{}, narrow: map[*remote]struct{}{}, pending: map[*hop]struct{}{},
		sweep: time.Now().Add(sweepGap),
	}
}

// run makes a pass whenever something is to be done:
//
//  1. the link and its addresses
//  2. remotes that were watched or unwatched
//  3. routes that may have changed, and with them next hops
//  4. neighbour events, each for its own next hop
//  5. next hops to read, and to ask the kernel for
//  6. paths, published at once
func (w *worker) run() {
	timer := time.NewTimer(sweepGap)
	defer timer.Stop()
	for {
		select {
		case <-w.m.quit:
			return
		case <-w.m.wake:
		case <-timer.C:
		}
		start := time.Now()
		w.pass(start)
		if !w.m.pause(max(passGap, passShare*time.Since(start))) {
			return
		}
		next := w.sweep
		if !w.alarm.IsZero() && w.alarm.Before(next) {
			next = w.alarm
		}
		timer.Reset(time.Until(next))
	}
}

// pass does what is asked at the given time.
func (w *worker) pass(now time.Time) {
	w.m.mu.Lock()
	t := w.m.todo
	w.m.todo = todo{}
	w.m.mu.Unlock()

	w.stats, w.alarm = Stats{Passes: 1}, time.Time{}
	if !now.Before(w.sweep) {
		w.sweep = now.Add(sweepGap)
		t.link, t.routes, t.hops = true, true, t.hops || w.plain
	}
	if t.link {
		w.readLink(&t, now)
	}
	w.changeWatched(t.watch)
	if w.link.Up {
		w.readRoutes(t)
	}
	w.heed(t.narrowed, now)
	w.takeEvents(t.events)
	w.readHops(t.hops, now)
	w.publish()
}

// readLink reads the interface and adds to t what its changes entail.
func (w *worker) readLink(t *todo, now time.Time) {
	w.m.mu.Lock()
	uses := w.m.uses
	w.m.mu.Unlock()
	link, err := w.conn.readLink(w.m.cfg.Ifindex, uses, w.link)
	if err != nil {
		w.m.cfg.Log.Warn("read underlay interface", "iface", w.link.Name, "err", err)
		w.m.mu.Lock()
		w.m.todo.link = true
		w.m.mu.Unlock()
		w.remind(now.Add(askGap))
		return
	}
	if link.equal(w.link) {
		return
	}
	t.routes = true
	if link.Up != w.link.Up || link.MAC != w.link.MAC { // either deletes the entries
		t.hops = true
		for _, h := range w.hops {
			h.asked = time.Time{}
		}
		w.m.cfg.Log.Info("underlay interface", "iface", link.Name, "up", link.Up, "gone", link.Gone, "mtu", link.MTU)
	}
	if link.Sources != w.link.Sources {
		w.logSource(link)
		for r := range w.narrow {
			r.widen(w)
		}
	}
	w.link = link
	for _, r := range w.remotes {
		w.touched[r] = struct{}{}
	}
}

// logSource tells that an outer source is another one now.
func (w *worker) logSource(link Link) {
	if link.Gone {
		return
	}
	if link.NoSource != "" && link.NoSource != w.link.NoSource {
		w.m.cfg.Log.Warn("no outer source address: nothing is sent"+link.Sources.unsent(), "reason", link.NoSource)
	}
	if s := link.Sources.String(); s != "" && s != w.link.Sources.String() {
		w.m.cfg.Log.Info("outer source address", "iface", link.Name, "local", s)
	}
}

// remind has a pass made at the given time at the latest.
func (w *worker) remind(at time.Time) {
	if w.alarm.IsZero() || at.Before(w.alarm) {
		w.alarm = at
	}
}

// changeWatched follows Watch and Unwatch.
func (w *worker) changeWatched(changed map[netip.Addr]struct{}) {
	for addr := range changed {
		w.m.mu.Lock()
		_, want := w.m.watched[addr]
		w.m.mu.Unlock()
		r, have := w.remotes[addr]
		switch {
		case want && !have:
			r = &remote{addr: addr}
			w.remotes[addr] = r
			w.touched[r] = struct{}{}
		case have && !want:
			w.moveTo(r, netip.Addr{})
			delete(w.remotes, addr)
			delete(w.touched, r)
		case have: // unwatched and watched again between two passes
			w.touched[r] = struct{}{}
		}
	}
}

// readRoutes looks up the remotes whose route is unknown or may have changed.
func (w *worker) readRoutes(t todo) {
	look := func(r *remote) {
		w.stats.Routes++
		found := w.conn.lookup(w.link, w.m.cfg.Ifindex, r.addr)
		if found != r.route {
			r.widen(w) // it may be another way; the kernel's own memory goes with the route, too
			r.route = found
			w.touched[r] = struct{}{}
			w.moveTo(r, found.nextHop(r.addr))
		}
	}
	if !t.routes && len(t.prefixes) == 0 {
		for addr := range t.watch {
			if r := w.remotes[addr]; r != nil && !r.route.known {
				look(r)
			}
		}
		return
	}
	for _, r := range w.remotes {
		if t.routes || !r.route.known || slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(r.addr) }) {
			look(r)
		}
	}
}

// publish computes the paths that were touched and shows them, with link and marks, in one step.
func (w *worker) publish() {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := w.remarked || !w.link.equal(m.link)
	m.link = w.link
	for r := range w.touched {
		old, watched := m.paths[r.addr]
		if !watched { // since unwatched; the next pass drops it
			continue
		}
		var n neighbour
		trouble := ""
		if r.hop != nil {
			n, trouble = r.hop.entry, r.hop.trouble
		}
		if p := pathOf(w.link, r.addr, r.way(), n, trouble); p != old {
			m.paths[r.addr] = p
			changed = true
			m.cfg.Log.Debug("underlay path", "remote", p.Remote, "state", p.State.String(), "via", p.NextHop, "mtu", p.MTU, "reason", p.Reason)
		}
	}
	clear(w.touched)
	if w.remarked {
		m.managed = w.marked()
		w.remarked = false
	}
	m.stats.Passes += w.stats.Passes
	m.stats.Routes += w.stats.Routes
	m.stats.Hops += w.stats.Hops
	m.stats.Asks += w.stats.Asks
	if changed {
		signal(m.changes)
	}
}
