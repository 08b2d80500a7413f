//go:build vmlab

package main

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// pktgen is the load that the kernel's generator makes, told by bench/pktgen/pktgen.sh: UDP from 64 addresses out of a
// link, by one thread.
type pktgen struct {
	link    string
	count   int
	size    int // of a frame, without its checksum
	rate    int // frames a second, 0: all that can be
	to      net.HardwareAddr
	address netip.Addr
	more    []string // options
}

// run generates it all.
func (p pktgen) run(t *testing.T, h *lab.Host) {
	t.Helper()
	args := append([]string{"/bin/pktgen.sh", "-i", p.link, "-n", fmt.Sprint(p.count), "-l", fmt.Sprint(p.size),
		"-r", fmt.Sprint(p.rate), "-m", p.to.String(), "-d", p.address.String(), "-a", "172.17.2.1-172.17.2.65", "-f", "1024"}, p.more...)
	out, err := h.Command(testContext(t), "/bin/sh", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pktgen.sh: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`(?m)^`+p.link+`@0: OK: .* [0-9]+pps .*errors: 0$`).Match(out) || !regexp.MustCompile(`(?m)^all: [1-9][0-9]*pps$`).Match(out) {
		t.Errorf("pktgen.sh says:\n%s", out)
	}
}

// arrived is how many packets a link has received.
func arrived(t *testing.T, h *lab.Host, link string) uint64 {
	t.Helper()
	l, err := h.Link(link)
	must(t, err)
	return l.Attrs().Statistics.RxPackets
}

// What is lost at a pace is tried at one that is slower by so much, down to the slowest, in frames a second.
const (
	paceStep = 5
	slowest  = 50
)

// arrive runs the load and returns how many packets have come when no more come.
func (p pktgen) arrive(t *testing.T, from *lab.Host, to end) uint64 {
	t.Helper()
	before := arrived(t, to.host, to.dev)
	p.run(t, from)
	last := uint64(0)
	for {
		time.Sleep(2 * time.Second)
		n := arrived(t, to.host, to.dev) - before
		if n == last || n >= uint64(p.count) {
			return n
		}
		last = n
	}
}

// The kernel's generator at either end of a gw between two cards. At a pace that the
// machine keeps nothing is lost; at full speed what is lost is counted, and afterwards
// all is as before.
func TestCardPktgen(t *testing.T) {
	s := newTrio(t, "igb")
	station := newHost(t, s.lab, "station")
	must(t, s.hosts[0].Adopt("vio3", "ens19"))
	must(t, station.Adopt("vio4", "eth0"))
	must(t, station.SetMTU("eth0", 1450))
	must(t, station.AddAddress("eth0", over1.String()+"/24"))
	near, far := end{host: station, dev: "eth0", addr: over1}, s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	g := start(t, s.hosts[0], on("--remote", under2.String(), "--port", "ens19")...)
	checkZeroCopy(t, g, "ens18")
	checkZeroCopy(t, g, "ens19")
	must(t, s.hosts[0].AwaitCarrier("ens18"))
	resolve(t, near, far)
	for _, way := range [][2]end{{near, far}, {far, near}} {
		from, to := way[0], way[1]
		mac, err := to.host.MAC(to.dev)
		must(t, err)
		for _, size := range []int{60, 1464} {
			load := pktgen{link: from.dev, count: 2000, size: size, rate: 2000, to: mac, address: to.addr}
			for n := load.arrive(t, from.host, to); n < uint64(load.count); n = load.arrive(t, from.host, to) {
				t.Logf("%d of %d frames of %d bytes came from %s at %d a second", n, load.count, size, from.host.Name(), load.rate)
				if load.rate /= paceStep; load.rate < slowest { // an emulated machine may be kept from its CPU
					t.Fatal("there is no pace without loss")
				}
			}
			load.count, load.rate = 20_000, 0
			load.run(t, from.host)
			checkVerdicts(t, g)
			answers(t, from.host, to.addr.String()) // behind what is still queued, which may leave no room
			ping(t, from, to, lab.PingOptions{})
		}
	}
	// From many addresses, encapsulated and not: gw learns them all.
	for i, way := range [][2]end{{near, far}, {far, near}} {
		from, to := way[0], way[1]
		mac, err := to.host.MAC(to.dev)
		must(t, err)
		prefix := fmt.Sprintf("02:00:00:00:0%d:", i)
		pktgen{link: from.dev, count: 1000, size: 60, rate: 2000, to: mac, address: to.addr, more: []string{"-s", prefix + "00", "-S", "8"}}.run(t, from.host)
		eventually(t, func() string {
			learned := 0
			for _, e := range g.entries() {
				if strings.HasPrefix(e.MAC, prefix) {
					learned++
				}
			}
			if learned != 8 {
				return fmt.Sprintf("gw has learned %d of 8 addresses behind %s", learned, from.host.Name())
			}
			return ""
		})
	}
	g.stop()
}
