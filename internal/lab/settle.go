package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// settleTime bounds the wait for work that the kernel does within milliseconds, unless it is busy with other namespaces:
// they share a lock and the threads that do it.
const settleTime = 30 * time.Second

// settle waits until the kernel has drawn its conclusions about a link. They come from work queues: carrier turns into
// the operational state, which adds the link-local address (net/core/link_watch.c), and every IPv6 address is
// tentative, which bind refuses, until its turn even where none is checked for duplicates (net/ipv6/addrconf.c,
// addrconf_dad_work).
func (h *Host) settle(link string) error {
	pending := errors.New("")
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		err := h.change(link, "settle", func(l netlink.Link) error {
			flags := l.Attrs().RawFlags
			if flags&unix.IFF_UP == 0 {
				return nil
			}
			if flags&unix.IFF_LOWER_UP != 0 && flags&unix.IFF_RUNNING == 0 {
				return pending
			}
			if (l.Type() == "veth" || l.Type() == "vlan") && flags&unix.IFF_LOWER_UP != 0 && l.Attrs().OperState == netlink.OperUnknown {
				return pending // counts as running, and turns into up
			}
			// Setting what is set waits for the lock under which the rest of a link change is done.
			if err := h.nl.LinkSetUp(l); err != nil {
				return err
			}
			addrs, err := dump(func() ([]netlink.Addr, error) { return h.nl.AddrList(l, unix.AF_INET6) })
			if err != nil {
				return err
			}
			for _, a := range addrs {
				if a.Flags&unix.IFA_F_TENTATIVE != 0 {
					return pending
				}
			}
			return nil
		})
		if !errors.Is(err, pending) {
			return err
		}
	}
	return fmt.Errorf("bring up %s of %s: carrier or IPv6 addresses are still pending after %s", link, h.name, settleTime)
}
