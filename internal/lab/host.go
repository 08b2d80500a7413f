package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is one network namespace of a lab. Make it with Lab.Host.
type Host struct {
	lab  *Lab
	name string
	ns   netns.NsHandle
	nl   *netlink.Handle // its sockets sit in the namespace: usable from any thread

	cards []card // adopted
}

// hostSysctls make a host quiet, its IPv6 addresses usable at once, and undo what new namespaces take over from the
// machine (net.core.devconf_inherit_init_net: the IPv4 part). No link-local address is generated (IN6_ADDR_GEN_MODE_NONE):
// it would announce itself whenever the kernel comes to it, in the midst of what a test counts.
var hostSysctls = [][2]string{
	{"net.ipv4.ip_forward", "0"}, // first: a change of it resets others
	{"net.ipv4.conf.all.rp_filter", "0"},
	{"net.ipv4.conf.default.rp_filter", "0"},
	{"net.ipv6.conf.all.accept_dad", "0"},
	{"net.ipv6.conf.default.accept_dad", "0"},
	{"net.ipv6.conf.default.router_solicitations", "0"},
	{"net.ipv6.conf.default.addr_gen_mode", "1"},
}

func newHost(l *Lab, name string) (_ *Host, err error) {
	h := &Host{lab: l, name: name}
	if h.ns, err = createNamespace(h.NSName()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close(), netns.DeleteNamed(h.NSName()))
		}
	}()
	if h.nl, err = netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	for _, s := range hostSysctls {
		if err := h.SetSysctl(s[0], s[1]); err != nil && !errors.Is(err, os.ErrNotExist) { // no IPv6 in this kernel
			return nil, err
		}
	}
	return h, h.SetUp("lo")
}

// close lets go of the namespace; its name is removed by removeNamespaces.
func (h *Host) close() error {
	err := h.giveBack()
	if h.nl != nil {
		h.nl.Close()
	}
	h.ns.Close()
	return err
}

// Name returns the name given to Lab.Host.
func (h *Host) Name() string { return h.name }

// NSName returns the name of the namespace as `ip netns` lists it.
func (h *Host) NSName() string { return h.lab.name + "-" + h.name }

// Do runs fn in the host's namespace: on the caller's goroutine, locked to its thread, which goes back to the namespace
// it came from however fn ends (return, panic, t.FailNow). Do may be nested, also across hosts. Goroutines that fn
// starts run outside. A socket opened by fn belongs to the host for good and may be used by any goroutine afterwards;
// with package net, give literal addresses, since names are resolved on other goroutines. Read /proc/thread-self/net,
// not /proc/net. The error is fn's own, or says that the namespace could not be entered.
func (h *Host) Do(fn func() error) error {
	return onThread(func() error {
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("enter namespace of %s: %w", h.name, err)
		}
		return fn()
	})
}

// SetSysctl sets a key of /proc/sys, written with dots or, where the name of a link has a dot in it, with slashes.
func (h *Host) SetSysctl(key, value string) error {
	err := h.Do(func() error { return os.WriteFile(sysctlPath(key), []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("set sysctl %s of %s to %q: %w", key, h.name, value, err)
	}
	return nil
}

// Sysctl returns the value of a key as SetSysctl takes it, without the newline.
func (h *Host) Sysctl(key string) (string, error) {
	var b []byte
	err := h.Do(func() (err error) {
		b, err = os.ReadFile(sysctlPath(key))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read sysctl %s of %s: %w", key, h.name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func sysctlPath(key string) string {
	if !strings.Contains(key, "/") {
		key = strings.ReplaceAll(key, ".", "/")
	}
	return filepath.Join("/proc/sys", key)
}
