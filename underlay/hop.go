package underlay

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// hop is one next hop, shared by the remotes behind it.
type hop struct {
	addr    netip.Addr
	users   map[*remote]struct{}
	entry   neighbour
	marked  bool      // the managed mark is ours; told by reads, never by events, which may be older than our own request
	unread  bool      // read it in this pass, whatever askGap says
	asked   time.Time // when the kernel was last asked
	trouble string    // why asking did not work, for people
}

// moveTo makes addr the next hop of r, or none when it is the zero Addr. The last user's leaving takes the mark away.
func (w *worker) moveTo(r *remote, addr netip.Addr) {
	if r.hop != nil && r.hop.addr == addr {
		return
	}
	if old := r.hop; old != nil {
		r.hop = nil
		delete(old.users, r)
		if len(old.users) == 0 {
			w.drop(old)
		}
	}
	if !addr.IsValid() {
		return
	}
	h := w.hops[addr]
	if h == nil {
		h = &hop{addr: addr, users: map[*remote]struct{}{}, unread: true}
		h.entry = neighbour{addr: addr, ifindex: w.m.cfg.Ifindex}
		w.hops[addr] = h
		w.pending[h] = struct{}{}
		w.m.mu.Lock()
		w.m.tracked[addr] = struct{}{} // before the first read, so that no event falls between
		w.m.mu.Unlock()
	}
	h.users[r] = struct{}{}
	r.hop = h
}

// drop forgets a next hop that nobody uses.
func (w *worker) drop(h *hop) {
	delete(w.hops, h.addr)
	delete(w.pending, h)
	w.m.mu.Lock()
	delete(w.m.tracked, h.addr)
	w.m.mu.Unlock()
	if !h.marked {
		return
	}
	w.remarked = true
	if err := w.conn.unmanage(w.m.cfg.Ifindex, h.addr); err != nil {
		w.m.cfg.Log.Warn("clear managed neighbour", "addr", h.addr, "iface", w.link.Name, "err", err)
	}
}

// takeEvents applies the newest event of each next hop.
func (w *worker) takeEvents(events map[netip.Addr]neighbour) {
	for addr, n := range events {
		h := w.hops[addr]
		if h == nil || h.entry == n {
			continue
		}
		w.seen(h, n)
		if w.wants(n) || h.marked && !n.managed() {
			w.pending[h] = struct{}{}
		}
	}
}

// seen takes over an entry's new state.
func (w *worker) seen(h *hop, n neighbour) {
	h.entry = n
	for r := range h.users {
		w.touched[r] = struct{}{}
	}
}

// wants says whether the kernel should be asked for an entry in this state.
func (w *worker) wants(n neighbour) bool {
	if n.fixed() {
		return false
	}
	if w.plain {
		return n.state&(unix.NUD_REACHABLE|unix.NUD_DELAY|unix.NUD_PROBE|unix.NUD_INCOMPLETE) == 0
	}
	return !n.managed()
}

// readHops reads the pending next hops, or all, and asks the kernel for those that want it.
func (w *worker) readHops(all bool, now time.Time) {
	if all {
		for _, h := range w.hops {
			h.unread = true
			w.pending[h] = struct{}{}
		}
	}
	for h := range w.pending {
		if again := h.asked.Add(askGap); !h.unread && now.Before(again) {
			w.remind(again)
			continue
		}
		if err := w.tend(h, now); err != nil {
			w.trouble(h, err)
			h.asked, h.unread = now, false
			w.remind(now.Add(askGap))
			continue
		}
		h.trouble = ""
		delete(w.pending, h)
	}
}

// tendTries bounds how often tend starts again when the entry came or went between its reading and its asking, as
// it does when a packet is just being sent through the kernel.
const tendTries = 3

// tend reads one entry and has it resolved and marked where that is wanted and allowed.
func (w *worker) tend(h *hop, now time.Time) error {
	for try := 1; ; try++ {
		w.stats.Hops++
		n, err := w.conn.neighbour(w.m.cfg.Ifindex, h.addr)
		if errors.Is(err, unix.ENODEV) { // the link's own event tells
			return nil
		}
		if err != nil {
			return fmt.Errorf("read neighbour %s on %s: %w", h.addr, w.link.Name, err)
		}
		h.unread = false
		if n != h.entry || h.trouble != "" {
			w.seen(h, n)
		}
		if h.marked && !n.managed() {
			h.marked, w.remarked = false, true
		}
		if !w.link.Up || !w.wants(n) {
			return nil
		}
		w.stats.Asks++
		err = w.conn.use(n, !w.plain)
		if try < tendTries && (errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask for neighbour %s on %s: %w", h.addr, w.link.Name, err)
		}
		h.asked = now
		return w.asked(h, n)
	}
}

// asked notes down what a successful request has made of entry n.
func (w *worker) asked(h *hop, n neighbour) error {
	if !n.present {
		n.present, n.state = true, unix.NUD_INCOMPLETE
	}
	if !w.plain {
		h.marked, w.remarked = true, true
		n.ext |= ntfExtManaged
	}
	w.seen(h, n)
	if w.plain || w.proven {
		return nil
	}
	return w.prove(h)
}

// prove looks whether the first mark is there: a kernel before 5.16 ignores what it does not know.
func (w *worker) prove(h *hop) error {
	n, err := w.conn.neighbour(w.m.cfg.Ifindex, h.addr)
	if err != nil {
		return fmt.Errorf("read neighbour %s on %s: %w", h.addr, w.link.Name, err)
	}
	w.proven = n.managed()
	if n.present && !n.managed() {
		w.plain, h.marked = true, false
		w.m.cfg.Log.Info("this kernel has no managed neighbours (5.16 has): asking for them now and then", "iface", w.link.Name)
	}
	return nil
}

// trouble keeps why a next hop could not be asked for, with the cure where there is one.
func (w *worker) trouble(h *hop, err error) {
	text := err.Error()
	if errors.Is(err, unix.ENOBUFS) {
		text += " (neighbour table full: raise net.ipv4.neigh.default.gc_thresh1, 2 and 3)"
	}
	if h.trouble != text {
		h.trouble = text
		w.seen(h, h.entry)
		w.m.cfg.Log.Warn("underlay neighbour", "err", text)
	}
}

// marked lists the next hops that carry our mark.
func (w *worker) marked() []netip.Addr {
	var list []netip.Addr
	for _, h := range w.hops {
		if h.marked {
			list = append(list, h.addr)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}
