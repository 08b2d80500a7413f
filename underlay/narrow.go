package underlay

import (
	"bytes"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// A way may be narrower than its links here: a router on it says so by ICMP. The kernel would remember that for packets of a
// socket of its own (net/ipv4/route.c, __ip_rt_update_pmtu; net/ipv6/route.c, __ip6_rt_update_pmtu), and a ring is none. So the Mirror
// remembers it, by the kernel's rules and settings. Over IPv4: not below net.ipv4.route.min_pmtu, for
// net.ipv4.route.mtu_expires seconds, not where the route's MTU is locked, not at all with net.ipv4.ip_no_pmtu_disc. Over IPv6: not if it is
// below 1,280, which no link has, for net.ipv6.route.mtu_expires seconds. What the kernel has learned otherwise stands in the route.

// What the kernel has where it does not tell (before 5.19 not every setting is there per namespace).
const (
	leastMTU   = 512 + 20 + 20
	leastMTU6  = 1280
	mtuExpires = 10 * time.Minute
)

// narrowing is what somebody said of the way to a remote.
type narrowing struct {
	mtu   int
	until time.Time
}

// settings are files of /proc/sys of the network namespace they were opened in.
type settings struct{ least, expires, expires6, off *os.File }

// openSettings opens them; those that are not there have the kernel's defaults.
func openSettings() (s settings) {
	const dir = "/proc/sys/net/"
	s.least, _ = os.Open(dir + "ipv4/route/min_pmtu")
	s.expires, _ = os.Open(dir + "ipv4/route/mtu_expires")
	s.expires6, _ = os.Open(dir + "ipv6/route/mtu_expires")
	s.off, _ = os.Open(dir + "ipv4/ip_no_pmtu_disc")
	return s
}

func (s settings) close() {
	for _, f := range []*os.File{s.least, s.expires, s.expires6, s.off} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// setting reads a whole number as it is now.
func setting(f *os.File, otherwise int) int {
	if f == nil {
		return otherwise
	}
	var buf [32]byte
	n, _ := f.ReadAt(buf[:], 0) // with io.EOF
	if v, err := strconv.Atoi(string(bytes.TrimSpace(buf[:n]))); err == nil {
		return v
	}
	return otherwise
}

// Narrow tells that packets to a remote that are longer than mtu, in bytes of IP packet, do not get there. Who calls it believes that.
// It reports whether that is news: the remote is watched, and its way was thought to carry more. The path has it within
// milliseconds, until it expires or the route is another one.
func (m *Mirror) Narrow(addr netip.Addr, mtu int) bool {
	addr = addr.Unmap()
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.paths[addr]
	if !ok || p.MTU == 0 || p.locked || addr.IsMulticast() { // nobody answers packets to a group
		return false
	}
	lasts := m.settings.expires
	if addr.Is6() {
		if lasts = m.settings.expires6; mtu < leastMTU6 {
			return false
		}
	} else {
		if setting(m.settings.off, 0) != 0 {
			return false
		}
		mtu = max(mtu, setting(m.settings.least, leastMTU))
	}
	if mtu >= p.MTU && !(mtu == p.MTU && !p.Until.IsZero()) {
		return false
	}
	expires := time.Duration(setting(lasts, int(mtuExpires/time.Second))) * time.Second
	m.todo.narrow(addr, narrowing{mtu, time.Now().Add(expires)})
	signal(m.wake)
	return mtu < p.MTU
}

func (t *todo) narrow(addr netip.Addr, n narrowing) {
	if t.narrowed == nil {
		t.narrowed = map[netip.Addr]narrowing{}
	}
	if was, ok := t.narrowed[addr]; ok && was.mtu < n.mtu {
		n.mtu = was.mtu
	}
	t.narrowed[addr] = n
}

// heed takes over what Narrow was told, and forgets what has expired.
func (w *worker) heed(told map[netip.Addr]narrowing, now time.Time) {
	for addr, n := range told {
		r := w.remotes[addr]
		if r == nil || r.route.locked || n.mtu > pathMTU(w.link, r.addr, r.way()) {
			continue
		}
		if n.mtu != r.narrow.mtu {
			w.m.cfg.Log.Info("the way to a remote carries less than was thought", "remote", addr, "mtu", n.mtu, "until", n.until.Format(time.TimeOnly))
		}
		r.narrow = n
		w.narrow[r] = struct{}{}
		w.touched[r] = struct{}{}
	}
	for r := range w.narrow {
		if w.remotes[r.addr] == r && now.Before(r.narrow.until) {
			w.remind(r.narrow.until)
			continue
		}
		r.widen(w)
	}
}

// widen forgets what was told of the way.
func (r *remote) widen(w *worker) {
	if r.narrow == (narrowing{}) {
		return
	}
	r.narrow = narrowing{}
	delete(w.narrow, r)
	if w.remotes[r.addr] == r {
		w.touched[r] = struct{}{}
	}
}

// way is the route with what was told of it.
func (r *remote) way() route {
	way := r.route
	if n := r.narrow.mtu; n > 0 && (way.mtu == 0 || n < way.mtu) {
		way.mtu, way.until = n, r.narrow.until
	}
	return way
}
