package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// watched is a gateway to which everything happens that can be seen of one: two containers
// and one more in another VNI, a port whose other end is down, a remote that works, one that does not
// answer, and one that there is no way to.
type watched struct {
	node, peer *lab.Host
	boxes      []*lab.Host // veth0 is in the overlay
	g          *vtep
	file       string
	rnd        *rand.Rand
}

const watchedFile = `
underlay: {iface: ens18}
vnis:
  - vni: 42
    remotes: [10.65.132.188, 10.65.132.199, 192.0.2.9]
    ports: [veth1, veth2]
    device: {addresses: [172.17.1.1/24]}
    maxaddress: 40
    storm: {multicast: 1}
    moves: {limit: 3, within: 60s, freeze: 120s}
    neigh_suppress: true
    neigh: [{ip: 172.17.1.99, mac: "02:00:00:00:07:99"}]
    fdb:
      - {mac: "02:00:00:00:07:98", port: veth2}
      - {mac: "02:00:00:00:07:99", dst: 10.65.132.188}
  - {vni: 43, remotes: [10.65.132.188], ports: [veth3, veth4], ageing: 1s}
`

func newWatched(t *testing.T) *watched {
	t.Helper()
	l := newLab(t)
	w := &watched{node: newHost(t, l, "node1"), peer: newHost(t, l, "node2"), file: writeFile(t, watchedFile), rnd: rand.New(rand.NewPCG(7, 8))}
	cable(t, l, w.node, w.peer)
	for i := range 4 {
		box, err := w.node.BridgePort(fmt.Sprintf("veth%d", i+1), fmt.Sprintf("box%d", i+1), fmt.Sprintf("172.17.1.%d/24", 11+i), lab.VethOptions{})
		must(t, err)
		w.boxes = append(w.boxes, box)
	}
	must(t, w.boxes[3].SetDown("veth0"))
	must(t, w.peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.13/24"}))
	w.g = start(t, w.node, "--config", w.file)
	return w
}

// send has a container send frames.
func (w *watched) send(t *testing.T, box int, frames ...[]byte) {
	t.Helper()
	must(t, w.boxes[box].SendFrame("veth0", frames...))
}

// traffic is some of all that gw counts.
func (w *watched) traffic(t *testing.T) {
	t.Helper()
	everyone, payload := bytes.Repeat([]byte{0xff}, 6), make([]byte, 46)
	station := func(n int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 1, 0, byte(n)} }
	w.send(t, 0, mixture(w.rnd, 40)...) // some of it from addresses that others have, until they freeze
	w.send(t, 1, mixture(w.rnd, 20)...)
	w.send(t, 2, mixture(w.rnd, 10)...)
	for i := range 60 { // more than may be
		w.send(t, 0, frameOf(farNeigh, station(i), experimental, payload))
	}
	groupMAC := net.HardwareAddr{1, 0, 0x5e, 9, 9, 9}
	w.send(t, 0, slices.Repeat([][]byte{frameOf(groupMAC, askerMAC, experimental, payload)}, 20)...) // a storm
	w.send(t, 0, slices.Repeat([][]byte{frameOf(farNeigh, nearNeigh, experimental, payload)}, 3)...) // from where it is not
	w.send(t, 0, box4(1, 1480, 17, set(0, farNeigh...), set(6, askerMAC...)))
	w.send(t, 0, arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.99"))
	w.send(t, 0, arpOf(everyone, askerMAC, 2, askerMAC, askerIP, askerIP))
	w.send(t, 0, slices.Repeat([][]byte{arpOf(everyone, askerMAC, 2, silentMAC, "172.17.1.77", "172.17.1.77")}, 20)...) // forged

	under, err := w.node.MAC("ens18")
	must(t, err)
	var outer [][]byte
	for i, f := range mixture(w.rnd, 40) {
		outer = append(outer, craft(under, 42+uint32(i%3), f))
	}
	outer = append(outer, craft(under, 42, frameOf(everyone, farNeigh, experimental, payload), options(1, 1, 1, 1)))
	must(t, w.peer.SendFrame("ens18", outer...))
	w.complain(t)
}

// complain sends what a router would say, of a packet that gw cannot have sent.
func (w *watched) complain(t *testing.T) {
	t.Helper()
	to, err := w.node.MAC("ens18")
	must(t, err)
	message, src, dst := tooBigFor(netip.MustParseAddr("10.66.0.189"), 1400), under2.As4(), under1.As4()
	p := slices.Concat([]byte{0x45, 0, 0, byte(20 + len(message)), 0, 1, 0, 0, 64, 1, 0, 0}, src[:], dst[:], message)
	must(t, w.peer.SendFrame("ens18", sumIP(frameOf(to, rawMAC, 0x0800, p))))
}

// burst sends bad frames: first more than the rings hold while gw is stopped, then as many more.
func (w *watched) burst(t *testing.T) {
	t.Helper()
	must(t, w.g.cmd.Process.Signal(unix.SIGSTOP))
	defer w.g.cmd.Process.Signal(unix.SIGCONT)
	frames := slices.Repeat([][]byte{frameOf(farNeigh, make([]byte, 6), experimental, make([]byte, 46))}, 100)
	for i := range 120 {
		if i == 60 {
			must(t, w.g.cmd.Process.Signal(unix.SIGCONT))
		}
		w.send(t, 0, frames...)
		time.Sleep(time.Millisecond) // the veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
	}
}

// refuse has gw read its file again, and once more when it is wrong.
func (w *watched) refuse(t *testing.T) {
	t.Helper()
	w.g.reload("reloaded")
	must(t, os.WriteFile(w.file, []byte(watchedFile+"colour: red\n"), 0o600))
	w.g.reload("the reload is refused")
}
