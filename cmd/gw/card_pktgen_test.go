//go:build vmlab

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// pktgen is the load that the kernel's generator makes (Documentation/networking/pktgen.rst): UDP from
// 64 addresses out of a link.
type pktgen struct {
	link    string
	count   int
	size    int // of a frame, without its checksum
	delay   int // ns between two frames
	to      net.HardwareAddr
	address netip.Addr
}

// run generates it all.
func (p pktgen) run(t *testing.T, h *lab.Host) {
	t.Helper()
	must(t, h.Do(func() error {
		write := func(file string, lines ...string) error {
			for _, l := range lines {
				if err := os.WriteFile("/proc/thread-self/net/pktgen/"+file, []byte(l+"\n"), 0); err != nil {
					return fmt.Errorf("tell pktgen %q: %w", l, err)
				}
			}
			return nil
		}
		if err := write("kpktgend_0", "rem_device_all", "add_device "+p.link); err != nil {
			return err
		}
		err := write(p.link, fmt.Sprintf("count %d", p.count), fmt.Sprintf("pkt_size %d", p.size), fmt.Sprintf("delay %d", p.delay),
			"clone_skb 0", "dst_mac "+p.to.String(), "dst "+p.address.String(), "src_min 172.17.2.1", "src_max 172.17.2.64",
			"udp_src_min 1024", "udp_src_max 2047", "flag UDPSRC_RND", "udp_dst_min 9", "udp_dst_max 9")
		if err != nil {
			return err
		}
		if err := write("pgctrl", "start"); err != nil {
			return err
		}
		result, err := os.ReadFile("/proc/thread-self/net/pktgen/" + p.link)
		if err == nil && !strings.Contains(string(result), "Result: OK") {
			err = fmt.Errorf("pktgen: %s", result)
		}
		return err
	}))
}

// arrived is how many packets a link has received.
func arrived(t *testing.T, h *lab.Host, link string) uint64 {
	t.Helper()
	l, err := h.Link(link)
	must(t, err)
	return l.Attrs().Statistics.RxPackets
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
			load := pktgen{link: from.dev, count: 2000, size: size, delay: 500_000, to: mac, address: to.addr}
			before := arrived(t, to.host, to.dev)
			load.run(t, from.host)
			eventually(t, func() string {
				if n := arrived(t, to.host, to.dev) - before; n < uint64(load.count) {
					return fmt.Sprintf("%d of %d frames of %d bytes came from %s", n, load.count, size, from.host.Name())
				}
				return ""
			})
			load.count, load.delay = 20_000, 0
			load.run(t, from.host)
			checkVerdicts(t, g)
			ping(t, from, to, lab.PingOptions{})
		}
	}
	g.stop()
}
