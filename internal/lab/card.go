package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// card is a network card of the machine that a host has for a while.
type card struct {
	name, as string // at home, and on the host
	mtu      int    // at home
	home     netns.NsHandle
}

// Adopt moves a network card from the caller's namespace to the host, calls it as, and brings it up; its carrier may still be to
// come. When the lab is closed, the card goes back, down, with the MTU that it had and without addresses.
func (h *Host) Adopt(name, as string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find card %s: %w", name, err)
	}
	home, err := netns.Get()
	if err != nil {
		return fmt.Errorf("open this namespace: %w", err)
	}
	if err := netlink.LinkSetNsFd(l, int(h.ns)); err != nil {
		home.Close()
		return fmt.Errorf("move card %s to %s: %w", name, h.name, err)
	}
	h.cards = append(h.cards, card{name, as, l.Attrs().MTU, home})
	if err := h.rename(name, as); err != nil {
		return err
	}
	return h.SetUp(as)
}

// carrierTime bounds the wait for the carrier of a card, which negotiates with the other end, on an emulated machine too.
const carrierTime = time.Minute

// AwaitCarrier waits until a link that is up has a carrier, and the kernel has acted upon it. A carrier that is lost is
// acted upon as much as a second later (net/core/link_watch.c): the one says nothing without the other.
func (h *Host) AwaitCarrier(link string) error {
	const need = unix.IFF_LOWER_UP | unix.IFF_RUNNING
	for end := time.Now().Add(carrierTime); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l, err := h.Link(link)
		if err != nil {
			return err
		}
		if l.Attrs().RawFlags&need == need {
			return h.settle(link)
		}
	}
	return fmt.Errorf("wait for the carrier of %s of %s: there is none after %s", link, h.name, carrierTime)
}

func (h *Host) rename(link, name string) error {
	return h.change(link, "rename", func(l netlink.Link) error { return h.nl.LinkSetName(l, name) })
}

// giveBack moves the host's cards to where they came from. What is gone, or was taken away meanwhile, is left out.
func (h *Host) giveBack() error {
	var errs []error
	for _, c := range h.cards {
		if _, err := h.nl.LinkByName(c.as); !errors.As(err, &netlink.LinkNotFoundError{}) {
			errs = append(errs, h.SetDown(c.as), h.SetMTU(c.as, c.mtu), h.rename(c.as, c.name),
				h.change(c.name, "give back card", func(l netlink.Link) error { return h.nl.LinkSetNsFd(l, int(c.home)) }))
		}
		c.home.Close()
	}
	h.cards = nil
	return errors.Join(errs...)
}
