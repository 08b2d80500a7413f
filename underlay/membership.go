package underlay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// groupsPerSocket is the kernel's default net.ipv4.igmp_max_memberships. Where that is less, a socket that refuses
// one has as many as it takes.
const groupsPerSocket = 20

// Memberships holds multicast groups joined on the underlay interface, so that the host speaks IGMP or MLD for
// them and the NIC lets them in. Every method may be called from any goroutine.
type Memberships struct {
	ifindex int
	ns      *os.File // the namespace of OpenMemberships, in which later sockets are made too
	err     error    // why there is no ns

	mu      sync.Mutex
	sockets []*groupSocket
	closed  bool
}

// groupSocket is a UDP socket that is bound to no port: it receives nothing and stands in no other's way.
type groupSocket struct {
	fd     int
	six    bool
	groups []netip.Addr
	full   bool // it has refused one
}

// OpenMemberships prepares joins on the interface in the calling thread's network namespace. What fails is
// told by the first Join.
func OpenMemberships(ifindex int) *Memberships {
	ns, err := OpenNamespace()
	return &Memberships{ifindex: ifindex, ns: ns, err: err}
}

// Join joins the group; joining twice is joining once. The membership survives link down and up, and ends
// with the interface.
func (m *Memberships) Join(group netip.Addr) error {
	group = group.Unmap().WithZone("")
	if !group.IsMulticast() {
		return fmt.Errorf("join group %s: not a multicast address", group)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return fmt.Errorf("join group %s: %w", group, m.err)
	case m.closed:
		return fmt.Errorf("join group %s: %w", group, os.ErrClosed)
	case slices.ContainsFunc(m.sockets, func(s *groupSocket) bool { return slices.Contains(s.groups, group) }):
		return nil
	}
	for {
		i, err := m.room(group.Is6())
		if err != nil {
			return fmt.Errorf("open socket for group %s: %w", group, err)
		}
		s := m.sockets[i]
		err = m.add(s.fd, group)
		full := errors.Is(err, unix.ENOBUFS)
		switch {
		case err == nil:
			s.groups = append(s.groups, group)
			return nil
		case full && len(s.groups) > 0:
			s.full = true
			continue
		}
		m.tidy(i)
		if full {
			return fmt.Errorf("join group %s: %w (sysctl net.ipv4.igmp_max_memberships=%d)", group, err, groupsPerSocket)
		}
		return fmt.Errorf("join group %s: %w", group, err)
	}
}

// room returns a socket that may take another group of a family, a new one where there is none.
func (m *Memberships) room(six bool) (int, error) {
	i := slices.IndexFunc(m.sockets, func(s *groupSocket) bool { return s.six == six && !s.full && len(s.groups) < groupsPerSocket })
	if i >= 0 {
		return i, nil
	}
	fd, err := m.socket(six)
	if err != nil {
		return 0, err
	}
	m.sockets = append(m.sockets, &groupSocket{fd: fd, six: six})
	return len(m.sockets) - 1, nil
}

// Leave leaves the group; one that was not joined is no error.
func (m *Memberships) Leave(group netip.Addr) error {
	group = group.Unmap().WithZone("")
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range m.sockets {
		j := slices.Index(s.groups, group)
		if j < 0 {
			continue
		}
		s.groups, s.full = slices.Delete(s.groups, j, j+1), false
		err := m.remove(s.fd, group)
		m.tidy(i)
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) { // both: gone with the interface
			return fmt.Errorf("leave group %s: %w", group, err)
		}
		return nil
	}
	return nil
}

// Sockets are the descriptors that hold the memberships: as long as one that was copied is open, its groups stay joined.
func (m *Memberships) Sockets() (fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sockets {
		fds = append(fds, s.fd)
	}
	return fds
}

// Close leaves every group. Later joins fail with os.ErrClosed.
func (m *Memberships) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	var failed []error
	for _, s := range m.sockets {
		failed = append(failed, unix.Close(s.fd))
	}
	m.sockets = nil
	if m.ns != nil {
		failed = append(failed, m.ns.Close())
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("close group sockets: %w", err)
	}
	return nil
}

// Renew joins the groups of IPv6 once more. The kernel forgets them when it takes IPv6 off the interface, as it does while the MTU is
// below 1280 (net/ipv6/addrconf.c, addrconf_ifdown), and their sockets do not hear of it.
func (m *Memberships) Renew() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var failed []error
	for _, s := range m.sockets {
		if !s.six {
			continue
		}
		for _, group := range s.groups {
			_ = m.remove(s.fd, group) // EADDRNOTAVAIL where it was forgotten
			if err := m.add(s.fd, group); err != nil {
				failed = append(failed, fmt.Errorf("join group %s: %w", group, err))
			}
		}
	}
	return errors.Join(failed...)
}

func (m *Memberships) add(fd int, group netip.Addr) error {
	if group.Is6() {
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(m.ifindex)})
	}
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(m.ifindex)})
}

func (m *Memberships) remove(fd int, group netip.Addr) error {
	if group.Is6() {
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_LEAVE_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(m.ifindex)})
	}
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(m.ifindex)})
}

// tidy closes socket i when it holds no group.
func (m *Memberships) tidy(i int) {
	if len(m.sockets[i].groups) == 0 {
		_ = unix.Close(m.sockets[i].fd)
		m.sockets = slices.Delete(m.sockets, i, i+1)
	}
}

// socket makes a UDP socket in the namespace of OpenMemberships.
func (m *Memberships) socket(six bool) (fd int, err error) {
	family := unix.AF_INET
	if six {
		family = unix.AF_INET6
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err = SettleIn(m.ns); err == nil {
			fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		}
	}()
	<-done
	return fd, err
}
