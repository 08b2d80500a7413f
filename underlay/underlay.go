// Package underlay is the kernel's side of the underlay: routes, neighbours, multicast joins and the slow
// path, by netlink and plain sockets. It knows nothing of rings, the FDB or VXLAN.
//
//   - [Mirror] follows the underlay interface and the way to each watched remote.
//   - [Raw] sends finished outer packets through the kernel while a neighbour is unresolved.
//   - [Leftovers] takes what the kernel delivers to this host although it is ours.
//   - [Memberships] holds IGMP and MLD joins.
//
// Whatever is opened here belongs to the network namespace of the thread that opens it (lock the
// goroutine to its thread where that matters) and works from every goroutine and thread afterwards.
// The underlay is IPv4, IPv6 or both. IPv6 addresses have no zone here: a link-local one is of the interface's link.
package underlay

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

var errIPv6 = errors.New("an IPv6 router for IPv4 is not supported")

// Config says what to follow.
type Config struct {
	Ifindex int          // the underlay interface, in the namespace of the thread that calls Open
	Name    string       // its name in errors until the kernel tells a newer one
	Local   netip.Addr   // outer source address over IPv4; the zero Addr: the interface's first global one at any time
	Local6  netip.Addr   // the same over IPv6; and its first link-local one for what is of the link
	Four    bool         // IPv4 is in use
	Six     bool         // IPv6 is in use; a family also comes into use when an address of it is watched. Neither: IPv4
	Log     *slog.Logger // nil for silence
}

// Mirror follows what the kernel knows about the underlay interface and about the way to each watched
// remote, and has the kernel keep their next hops resolved. Every method may be called from any goroutine.
type Mirror struct {
	cfg    Config
	events *os.File

	wake    chan struct{} // capacity 1: there is something to do
	changes chan struct{} // capacity 1: what the getters return has changed
	quit    chan struct{} // closed by Close
	ended   sync.WaitGroup
	close   func() error // once

	settings settings

	mu      sync.Mutex // guards all below
	todo    todo
	uses    wish         // families: those of the configuration, and those of watched addresses
	of      map[bool]int // how many watched addresses are IPv6, and are not
	watched map[netip.Addr]struct{}
	tracked map[netip.Addr]struct{} // next hops whose events matter
	managed []netip.Addr            // replaced, never changed
	link    Link
	paths   map[netip.Addr]Path
	stats   Stats
}

// Stats counts what a Mirror did since Open.
type Stats struct {
	Passes   uint64 // rounds of reading and publishing
	Routes   uint64 // route lookups
	Hops     uint64 // neighbour entries read
	Asks     uint64 // requests to the kernel to resolve a next hop
	Overruns uint64 // times events were lost and everything was read again
}

// Open starts to follow the interface in the calling thread's network namespace; needs CAP_NET_ADMIN. The
// caller must Close the Mirror. Link is known when it returns.
func Open(cfg Config) (*Mirror, error) { return open(cfg, false) }

// open is Open; plain leaves out managed marks, as on a kernel that has none.
func open(cfg Config, plain bool) (*Mirror, error) {
	cfg.Local, cfg.Local6 = cfg.Local.Unmap(), cfg.Local6.Unmap().WithZone("")
	for _, a := range []netip.Addr{cfg.Local, cfg.Local6} {
		if a.IsUnspecified() || a.IsMulticast() {
			return nil, fmt.Errorf("open underlay %s: %s is no outer source address (--local)", cfg.Name, a)
		}
	}
	if cfg.Local.Is6() || cfg.Local6.Is4() {
		return nil, fmt.Errorf("open underlay %s: outer sources %s and %s are not of the families that they are for", cfg.Name, cfg.Local, cfg.Local6)
	}
	cfg.Four = cfg.Four || !cfg.Six
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	events, err := subscribe()
	if err != nil {
		return nil, fmt.Errorf("open underlay %s: %w", cfg.Name, err)
	}
	conn, err := dial()
	if err != nil {
		_ = events.Close()
		return nil, fmt.Errorf("open underlay %s: %w", cfg.Name, err)
	}
	m := newMirror(cfg)
	m.events, m.settings = events, openSettings()
	w := newWorker(m, conn, plain)
	if err := w.start(); err != nil {
		_ = events.Close()
		conn.close()
		m.settings.close()
		return nil, fmt.Errorf("open underlay %s: %w", cfg.Name, err)
	}
	m.close = sync.OnceValue(func() error { return m.stop(w) })
	m.ended.Go(m.listen)
	m.ended.Go(w.run)
	return m, nil
}

// newMirror makes a Mirror that follows nothing yet.
func newMirror(cfg Config) *Mirror {
	return &Mirror{
		cfg: cfg, uses: wish{cfg.Four, cfg.Six, cfg.Local, cfg.Local6},
		wake: make(chan struct{}, 1), changes: make(chan struct{}, 1), quit: make(chan struct{}),
		of: map[bool]int{}, watched: map[netip.Addr]struct{}{}, tracked: map[netip.Addr]struct{}{}, paths: map[netip.Addr]Path{},
	}
}

// Watch has the way to addr followed, a remote or a multicast group. Watching twice is watching once. The path
// is Resolving until it was looked up, within milliseconds.
func (m *Mirror) Watch(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), addr.IsLoopback(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("watch remote %s: not the address of another host", addr)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.watched[addr]; !ok {
		m.watched[addr] = struct{}{}
		if m.of[addr.Is6()]++; !*m.uses.used(addr) {
			*m.uses.used(addr), m.todo.link = true, true
		}
		m.paths[addr] = pathOf(m.link, addr, route{}, neighbour{}, "")
		m.todo.changeWatch(addr)
		signal(m.wake)
		signal(m.changes)
	}
	return nil
}

// Unwatch forgets addr; its next hop is left to the kernel when no other remote uses it. With the last address of a family
// that the configuration is not about that family is not in use any more.
func (m *Mirror) Unwatch(addr netip.Addr) {
	addr = addr.Unmap().WithZone("")
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.watched[addr]; ok {
		delete(m.watched, addr)
		delete(m.paths, addr)
		if m.of[addr.Is6()]--; m.of[addr.Is6()] == 0 {
			if told := (wish{four: m.cfg.Four, six: m.cfg.Six}); !*told.used(addr) {
				*m.uses.used(addr), m.todo.link = false, true
			}
		}
		m.todo.changeWatch(addr)
		signal(m.wake)
		signal(m.changes)
	}
}

// Changes returns a channel of capacity 1 that holds a token when Link, Path, Paths or Managed may return
// something new since the token was last taken. Take the token first, then read. Never closed.
func (m *Mirror) Changes() <-chan struct{} { return m.changes }

// Link returns the underlay interface as last read; the caller owns it.
func (m *Mirror) Link() Link {
	m.mu.Lock()
	defer m.mu.Unlock()
	link := m.link
	link.Addrs, link.Own = slices.Clone(link.Addrs), slices.Clone(link.Own)
	return link
}

// Path returns the way to addr, or false when it is not watched.
func (m *Mirror) Path(addr netip.Addr) (Path, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.paths[addr.Unmap().WithZone("")]
	return p, ok
}

// Paths returns the way to each watched address, in the order of the addresses; the caller owns the slice.
func (m *Mirror) Paths() []Path {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.paths), func(a, b Path) int { return a.Remote.Compare(b.Remote) })
}

// Managed lists the next hops that carry a managed mark set by this Mirror, for the caller to write down: after
// a kill -9 they are what [ClearManaged] needs. The slice is shared: do not change it.
func (m *Mirror) Managed() []netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.managed
}

// Stats returns the counters.
func (m *Mirror) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Close stops following and clears the managed marks that this Mirror set, leaving the entries themselves.
// The getters keep their last values. Later calls return the first one's error.
func (m *Mirror) Close() error { return m.close() }

func (m *Mirror) stop(w *worker) error {
	close(m.quit)
	_ = m.events.Close()
	m.ended.Wait()
	defer w.conn.close()
	var failed []error
	for _, h := range w.hops {
		if h.marked {
			if err := w.conn.unmanage(m.cfg.Ifindex, h.addr); err != nil {
				failed = append(failed, fmt.Errorf("clear managed neighbour %s on %s: %w", h.addr, w.link.Name, err))
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings.close()
	m.settings, m.managed = settings{}, nil
	return errors.Join(failed...)
}

// start reads the link for the first time.
func (w *worker) start() error {
	m, err := w.conn.link(w.m.cfg.Ifindex)
	if err == nil && m.hwType != unix.ARPHRD_ETHER {
		err = errors.New("not an Ethernet interface")
	}
	if err != nil {
		return err
	}
	w.link, err = w.conn.readLink(w.m.cfg.Ifindex, w.m.uses, Link{Name: m.name})
	w.m.link = w.link
	return err
}

// signal leaves a token in a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
