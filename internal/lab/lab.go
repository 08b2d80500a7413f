// Package lab builds small networks out of network namespaces and veth pairs: hosts, switches, containers and kernel
// VTEPs for tests, the demo and the bench. It needs root and a Linux kernel and no program beside itself.
//
// A Lab owns namespaces. They are named <prefix>-<pid>-<n>-<host> and bound in /run/netns, so that `ip netns exec` can
// look around in them while the lab stands. Close removes all of it; Sweep removes what killed processes left.
//
//	l, err := lab.New("gw")
//	if err != nil {
//		return err
//	}
//	defer l.Close()
//	a, err := l.Host("node1")
//	b, err := l.Host("node2")
//	err = l.Veth(a, "ens18", b, "ens18", lab.VethOptions{})
//	err = a.AddAddress("ens18", "10.65.132.187/24")
//	err = b.AddAddress("ens18", "10.65.132.188/24")
//	res, err := a.Ping(ctx, netip.MustParseAddr("10.65.132.188"), lab.PingOptions{})
//
// A host differs from a fresh namespace in these points: lo is up, duplicate address detection is off (an IPv6 address
// can be used at once), links get no link-local address by themselves and no router is solicited, so that a host says
// nothing that nobody asked it to say, and neither forwarding nor reverse path filtering is on, whatever the machine has.
//
// All methods may be called from any goroutine. Files below /sys show the devices of the namespace that mounted it,
// here and in programs started by Command: ask netlink and ethtool instead.
package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
)

// prefixForm keeps pid and number apart from the prefix, so that no lab's names begin with the name of another.
var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)

// hostForm is what may stand in a file name and in the name of a link.
var hostForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// Lab is a set of hosts that live and die together. Make it with New.
type Lab struct {
	name  string
	claim *os.File // locked for as long as this process lives; see claim.go

	mu     sync.Mutex
	closed bool
	hosts  []*Host
	procs  map[*Cmd]struct{}
	open   map[io.Closer]struct{} // captures
}

// New returns an empty lab with a name that no other lab on this machine has. The prefix consists of words of lower
// case letters and digits joined by "-", each starting with a letter. Without root it fails and says so.
func New(prefix string) (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("make lab %q: network namespaces need root (run it with sudo)", prefix)
	}
	if !ValidPrefix(prefix) {
		return nil, fmt.Errorf("make lab: bad prefix %q (want lower-case words joined by -, none starting with a digit)", prefix)
	}
	claim, name, err := claimName(prefix)
	if err != nil {
		return nil, fmt.Errorf("make lab %q: %w", prefix, err)
	}
	return &Lab{
		name:  name,
		claim: claim,
		procs: map[*Cmd]struct{}{},
		open:  map[io.Closer]struct{}{},
	}, nil
}

// ValidPrefix reports whether New takes that prefix.
func ValidPrefix(prefix string) bool { return prefixForm.MatchString(prefix) }

// Name returns <prefix>-<pid>-<n>, which starts the name of every namespace of the lab.
func (l *Lab) Name() string { return l.name }

// Host adds a network namespace with nothing but lo, which is up. The name is the caller's word for it, unique within
// the lab. The host belongs to the lab and ends with it.
func (l *Lab) Host(name string) (*Host, error) {
	if !hostForm.MatchString(name) {
		return nil, fmt.Errorf("make host: bad name %q (want letters, digits, dot, underscore and -)", name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("make host %s: lab %s is closed", name, l.name)
	}
	h, err := newHost(l, name)
	if err != nil {
		return nil, fmt.Errorf("make host %s: %w", name, err)
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

// Close stops the programs that were started in the lab, first with SIGTERM and after two seconds with SIGKILL, kills
// whatever else has come to sit in its namespaces (a shell of `ip netns exec` too), ends captures, and removes the
// namespaces with all links in them. A second call does nothing. No other method may be running on the lab or its
// hosts, except Wait of a Cmd and Wait of a Capture. Sockets that the caller opened inside Do keep their namespace
// alive, without its name, until they are closed. The error joins everything that went wrong; Close does not stop at
// the first.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	hosts, procs, open := l.hosts, l.procs, l.open
	l.hosts, l.procs, l.open = nil, nil, nil
	l.mu.Unlock()

	stopAll(procs)
	var errs []error
	for c := range open {
		errs = append(errs, c.Close())
	}
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	errs = append(errs, removeNamespaces(l.name), dropClaim(l.claim))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close lab %s: %w", l.name, err)
	}
	return nil
}
