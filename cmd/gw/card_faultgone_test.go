//go:build vmlab

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// slot is where a card is, and what drives it.
type slot struct{ bus, device, driver string }

// slotOf finds the slot of a card in this namespace.
func slotOf(t *testing.T, card string) slot {
	t.Helper()
	at := func(link string) string {
		t.Helper()
		to, err := filepath.EvalSymlinks(filepath.Join("/sys/class/net", card, "device", link))
		must(t, err)
		return filepath.Base(to)
	}
	return slot{bus: at("subsystem"), device: at(""), driver: at("driver")}
}

// drive takes the card from its driver, or gives it back.
func (s slot) drive(t *testing.T, verb string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join("/sys/bus", s.bus, "drivers", s.driver, verb), []byte(s.device), 0))
}

// comeBack gives the card back to its driver, which makes a new interface in this
// namespace, and moves that to a host.
func (s slot) comeBack(t *testing.T, card string, h *lab.Host, as string) {
	t.Helper()
	s.drive(t, "bind")
	var name string
	eventually(t, func() string {
		links, err := os.ReadDir(filepath.Join("/sys/bus", s.bus, "devices", s.device, "net"))
		if err != nil || len(links) != 1 {
			return card + " has no interface"
		}
		name = links[0].Name()
		return ""
	})
	l, err := netlink.LinkByName(name)
	must(t, err)
	if name != card {
		must(t, netlink.LinkSetName(l, card))
	}
	must(t, h.Adopt(card, as))
}

// slotsOf finds the slots of one card of each kind. To be called while the cards are in
// this namespace.
func slotsOf(t *testing.T, which func(faultCards) string) map[string]slot {
	t.Helper()
	slots := map[string]slot{}
	for kind, c := range faultKinds {
		slots[kind] = slotOf(t, which(c))
	}
	return slots
}

// portUnbound takes the port's card from its driver under load. The port is gone, and gw
// takes the card again when it has a driver and is back on the host.
func (b *faultBed) portUnbound(s slot) {
	t := b.t
	t.Helper()
	all := b.load(4, 64)
	s.drive(t, "unbind")
	b.g.awaitProblem("port ens19 of vni 42 is gone: it was removed")
	pings(t, b.h, peerAddress)
	checkZeroCopy(t, b.g, "ens18")
	s.comeBack(t, b.cards.port, b.h, "ens19")
	must(t, b.h.SetMTU("ens19", portMTU))
	b.wentOn(all, "the port's card is back")
	all.stop(t)
	// What the port that is gone received has a verdict, and is not in the status any more.
	surplus := func() int64 {
		_, sum, received := verdicts(b.g.status())
		return int64(sum - received)
	}
	gone := surplus()
	eventually(t, func() string { // what was read amid the last of the load is no measure
		pings(t, b.guest, peerAddress)
		before, now := gone, surplus()
		if gone = now; now != before {
			return fmt.Sprintf("%d verdicts too many, %d before", now, before)
		}
		return ""
	})
}

// A gateway that ends under load, the hard way: it is killed, and the next one is started
// at once, which waits for the queues; the underlay's card loses its driver, and the next
// one is started on the card as it comes back.
func TestFaultEnds(t *testing.T) {
	cards := slotsOf(t, func(c faultCards) string { return c.under })
	onFaultCards(t, func(t *testing.T, b *faultBed) {
		start := func() {
			t.Helper()
			b.start(on("--remote", under2.String(), "--address", ourAddress+"/24", "--device", "gw42", "--port", "ens19", "--mode", "zerocopy")...)
		}
		start()
		all := b.load(4, 64)
		b.promiscuous(1)
		if status := b.g.end(unix.SIGKILL); status != -1 {
			t.Fatalf("exit status %d of a gw that was killed", status)
		}
		b.promiscuous(0)
		start()
		if b.g.log.grep("putting back what a killed gateway left") == "" {
			t.Error("the next start does not say that it cleans up")
		}
		b.wentOn(all, "killed and started")

		s := cards[b.kind]
		s.drive(t, "unbind")
		b.endsWithoutUnderlay()
		s.comeBack(t, b.cards.under, b.h, "ens18")
		must(t, b.h.AwaitCarrier("ens18"))
		must(t, b.h.AddAddress("ens18", under1.String()+"/24"))
		start()
		b.wentOn(all, "the underlay's card is back")
		all.stop(t)
		checkVerdicts(t, b.g)
		b.stop()
	})
}

// promiscuous wants so many users to hold the port in promiscuous mode, and none the
// underlay.
func (b *faultBed) promiscuous(want uint32) {
	b.t.Helper()
	for link, want := range map[string]uint32{"ens18": 0, "ens19": want} {
		if n := promiscuity(b.t, b.h, link); n != want {
			b.t.Errorf("promiscuity %d of %s, want %d", n, link, want)
		}
	}
}

// endsWithoutUnderlay wants gw to end as it does without its underlay, and to leave
// nothing behind.
func (b *faultBed) endsWithoutUnderlay() {
	t := b.t
	t.Helper()
	late := time.AfterFunc(patience, func() {
		t.Errorf("gw runs on %v after its underlay is gone", patience)
		b.g.cmd.Process.Signal(unix.SIGQUIT) // the log then shows where it hangs
	})
	defer late.Stop()
	if status := b.g.wait(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if line := b.g.log.grep("gw: "); !strings.Contains(line, "underlay ens18 is gone") || !strings.Contains(line, "start gw again when it is back") {
		t.Errorf("it says %q", line)
	}
	if line := b.g.log.grep("frames are lost", "panic:"); line != "" {
		t.Error(line)
	}
	if files := runFiles(t, b.h); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
	if n := promiscuity(t, b.h, "ens19"); n != 0 {
		t.Errorf("promiscuity %d of the port", n)
	}
	links, err := b.h.Links()
	must(t, err)
	var names []string
	for _, l := range links {
		names = append(names, l.Attrs().Name)
		if x := l.Attrs().Xdp; x != nil && x.Attached {
			t.Errorf("a program is left on %s", l.Attrs().Name)
		}
	}
	slices.Sort(names)
	if want := []string{"ens19", "lo"}; !slices.Equal(names, want) {
		t.Errorf("links %v are left, want %v", names, want)
	}
}
