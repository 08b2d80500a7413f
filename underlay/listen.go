package underlay

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// maxPrefixes is how many changed routes are told apart; beyond that every remote is looked up again.
const maxPrefixes = 64

// todo is what events and calls have asked of the next pass, coalesced.
type todo struct {
	link     bool                     // read the interface and its addresses
	routes   bool                     // look up every remote
	hops     bool                     // read every next hop
	prefixes []netip.Prefix           // look up the remotes inside
	watch    map[netip.Addr]struct{}  // addresses watched or unwatched
	events   map[netip.Addr]neighbour // the newest event of each next hop
	narrowed map[netip.Addr]narrowing // what Narrow was told
}

func (t *todo) everything() { t.link, t.routes, t.hops = true, true, true }

func (t *todo) changeWatch(addr netip.Addr) {
	if t.watch == nil {
		t.watch = map[netip.Addr]struct{}{}
	}
	t.watch[addr] = struct{}{}
}

func (t *todo) changeRoute(p netip.Prefix) {
	if t.routes = t.routes || len(t.prefixes) == maxPrefixes; t.routes {
		t.prefixes = nil
		return
	}
	t.prefixes = append(t.prefixes, p)
}

func (t *todo) changeHop(n neighbour) {
	if t.events == nil {
		t.events = map[netip.Addr]neighbour{}
	}
	t.events[n.addr] = n
}

// listen notes down what each event may have changed and wakes the worker, until the socket is closed.
func (m *Mirror) listen() {
	buf := make([]byte, bufferSize)
	for {
		n, err := m.events.Read(buf)
		select {
		case <-m.quit:
			return
		default:
		}
		m.mu.Lock()
		if err != nil {
			m.stats.Overruns++
			m.todo.everything()
		}
		if err != nil || m.note(buf[:n]) {
			signal(m.wake)
		}
		m.mu.Unlock()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			m.cfg.Log.Warn("read underlay events", "iface", m.cfg.Name, "err", err)
			m.pause(time.Second)
		}
	}
}

// pause waits, and returns false when Close ends the wait.
func (m *Mirror) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-m.quit:
		return false
	case <-t.C:
		return true
	}
}

// note adds the events of one datagram to todo and says whether there were any of interest. With m.mu held.
func (m *Mirror) note(datagram []byte) (any bool) {
	for e := range messages(datagram) {
		switch e.kind {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			if l, ok := decodeLink(e.body); ok && l.family != unix.AF_BRIDGE && l.ifindex == m.cfg.Ifindex {
				m.todo.link, any = true, true
			}
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			a, ok := decodeAddress(e.body)
			if ok && (a.ifindex == m.cfg.Ifindex || a.prefix.Addr() == m.cfg.Local || a.prefix.Addr() == m.cfg.Local6) {
				m.todo.link, m.todo.routes, any = true, true, true
			}
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			if r, ok := decodeRoute(e.body); ok {
				m.todo.changeRoute(r.dst)
				any = true
			}
		case unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
			m.todo.routes, any = true, true
		case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
			n, ok := decodeNeighbour(e.body)
			if _, tracked := m.tracked[n.addr]; ok && tracked && n.ifindex == m.cfg.Ifindex {
				if e.kind == unix.RTM_DELNEIGH {
					n = neighbour{addr: n.addr, ifindex: n.ifindex}
				}
				m.todo.changeHop(n)
				any = true
			}
		}
	}
	return any
}
