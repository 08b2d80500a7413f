package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// pageBed is a gateway with something to see: two VNIs with containers that talk through tunnels, a third whose only
// remote is not there, and frames that are dropped.
type pageBed struct {
	gw       *vtep
	web, log end // containers of VNI 42 and 43
	far      [2]end
}

func newPageBed(t *testing.T) *pageBed {
	t.Helper()
	l := newLab(t)
	nodes := []*lab.Host{newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "node3")}
	var ports []lab.SwitchPort
	for _, n := range nodes {
		ports = append(ports, lab.SwitchPort{Host: n, Link: "ens18"})
	}
	_, err := l.Switch("switch", ports...)
	must(t, err)
	for i, under := range []netip.Addr{under1, under2, under3} {
		must(t, nodes[i].AddAddress("ens18", under.String()+"/24"))
	}
	b := &pageBed{}
	container := func(link, name, addr string) end {
		c, err := nodes[0].BridgePort(link, name, addr+"/24", lab.VethOptions{MTU: 1450})
		must(t, err)
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	b.web, b.log = container("web", "web", "172.17.42.11"), container("log", "log", "172.17.43.12")
	for i, c := range []struct {
		vni  uint32
		addr string
	}{{42, "172.17.42.2"}, {43, "172.17.43.3"}} {
		must(t, nodes[1+i].KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: c.vni, Remote: under1, Dev: "ens18", Address: c.addr + "/24"}))
		b.far[i] = end{host: nodes[1+i], dev: "vxlan0", addr: netip.MustParseAddr(c.addr)}
	}
	b.gw = start(t, nodes[0], "--config", write(t, `
underlay: {iface: ens18}
vnis:
  - {vni: 42, ports: [web], device: {addresses: [172.17.42.1/24]}, remotes: [10.65.132.188], storm: {broadcast: 5}}
  - {vni: 43, ports: [log], device: null, remotes: [10.65.132.189]}
  - {vni: 44, device: {addresses: [172.17.44.1/24]}, remotes: [10.65.132.199], bcast_flood: false}
`))
	resolve(t, b.web, b.far[0])
	resolve(t, b.log, b.far[1])
	return b
}

// pageWaves are datagrams per second, and how much and in how many seconds they rise and fall.
var pageWaves = []struct{ most, swing, period float64 }{{800, .5, 47}, {500, .9, 31}, {220, .3, 23}, {420, .7, 67}}

// talk sends datagrams both ways and frames that are dropped, until the test ends.
func (b *pageBed) talk(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var senders []chan struct{}
	flow := func(from, to end, wave int) {
		var sink net.PacketConn
		var conn net.Conn
		must(t, to.host.Do(func() (err error) { sink, err = net.ListenPacket("udp", to.addr.String()+":0"); return err }))
		must(t, from.host.Do(func() (err error) { conn, err = net.Dial("udp", sink.LocalAddr().String()); return err }))
		done := make(chan struct{})
		senders = append(senders, done)
		go func() {
			defer close(done)
			defer sink.Close()
			defer conn.Close()
			begin, w, sent := time.Now(), pageWaves[wave], 0.0
			for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				at := time.Since(begin).Seconds()
				sent += w.most / 50 * (1 - w.swing/2 + w.swing/2*math.Sin(2*math.Pi*at/w.period))
				for ; sent >= 1; sent-- {
					conn.Write(make([]byte, 700)) // what a busy machine loses is no matter
				}
			}
		}()
	}
	flow(b.web, b.far[0], 0)
	flow(b.far[0], b.web, 1)
	flow(b.log, b.far[1], 2)
	flow(b.far[1], b.log, 3)

	everyone, mac := bytes.Repeat([]byte{0xff}, 6), net.HardwareAddr{2, 0x57, 0xa7, 0x1c, 0, 1}
	under, err := b.gw.host.MAC("ens18")
	must(t, err)
	done := make(chan struct{})
	senders = append(senders, done)
	go func() {
		defer close(done)
		for tick := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			frame := frameOf(everyone, mac, 0x88b6, make([]byte, 46))
			b.web.host.SendFrame("veth0", frame, frame, frame, frameOf(everyone, make([]byte, 6), 0x88b6, make([]byte, 46)))
			b.far[0].host.SendFrame("ens18", craft(under, 42, frame, header(atTTL, 0)), craft(under, 44, frame), craft(under, 42, frame[:8]))
		}
	}()
	t.Cleanup(func() {
		cancel()
		for _, done := range senders {
			<-done
		}
	})
}

// fill learns addresses: those of hosts behind the remotes.
func (b *pageBed) fill(t *testing.T, n int) {
	t.Helper()
	under, err := b.gw.host.MAC("ens18")
	must(t, err)
	for i := range n {
		mac := net.HardwareAddr{2, 0x57, 0xa7, 0x1c, byte(1 + i>>8), byte(i)}
		must(t, b.far[0].host.SendFrame("ens18", craft(under, 42, frameOf([]byte{2, 0, 0, 0, 0x55, 1}, mac, 0x88b6, make([]byte, 46)))))
		if i%50 == 49 {
			eventually(t, func() string { // the veth's ring is short
				if have := b.gw.status().FDB.Entries; have < i {
					return fmt.Sprintf("%d of %d addresses are known", have, i+1)
				}
				return ""
			})
		}
	}
}

// troubled waits until the gateway knows that a remote is not there.
func (b *pageBed) troubled(t *testing.T) {
	t.Helper()
	must(t, b.gw.host.SendFrame("gw44", frameOf([]byte{2, 0, 0, 0, 0x55, 1}, lone, 0x88b6, make([]byte, 46))))
	eventually(t, func() string {
		if p := b.gw.status().Problems; !strings.Contains(strings.Join(p, "\n"), "10.65.132.199") {
			return fmt.Sprintf("problems %q", p)
		}
		return ""
	})
}
