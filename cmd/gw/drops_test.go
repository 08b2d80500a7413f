package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
	"vxgw/stats"
)

// Reasons to drop that no malformed packet is needed for: gw stats says where the frames
// came from and where they should have left.
func TestDropReasons(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, h, peer)
	box, err := h.BridgePort("veth1", "box", "172.17.1.11/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	lonely, err := h.BridgePort("veth2", "lonely", "172.17.1.12/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0x77, last} }
	g := start(t, h, "--config", write(t, `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    ports: [veth1]
    device: {addresses: [172.17.1.1/24]}
    fdb:
      - {mac: "02:00:00:00:77:01", port: veth1}
      - {mac: "02:00:00:00:77:02", dst: 192.0.2.9}
      - {mac: "02:00:00:00:77:03", dst: 10.65.132.199}
  - {vni: 44, ports: [veth2], device: null}
`))
	under, err := h.MAC("ens18")
	must(t, err)
	device, err := h.MAC("gw42")
	must(t, err)
	everyone, payload := bytes.Repeat([]byte{0xff}, 6), make([]byte, 46)
	for _, c := range []struct {
		reason string
		from   *lab.Host
		link   string
		frame  []byte
		places []string
	}{
		{"own_mac_loop", peer, "ens18", craft(under, 42, frameOf(everyone, device, 0x88b6, payload)), []string{"rx ens18"}},
		{"static_conflict", peer, "ens18", craft(under, 42, frameOf(everyone, mac(1), 0x88b6, payload)), []string{"rx ens18"}},
		{"split_horizon", peer, "ens18", craft(under, 42, frameOf(mac(2), mac(9), 0x88b6, payload)), []string{"rx ens18"}},
		{"same_port", box, "veth0", frameOf(mac(1), mac(8), 0x88b6, payload), []string{"rx veth1"}},
		{"no_target", lonely, "veth0", frameOf(everyone, mac(7), 0x88b6, payload), []string{"rx veth2"}},
		{"no_neighbour", box, "veth0", frameOf(mac(3), mac(8), 0x88b6, payload), []string{"tx ens18", "rx veth1"}},
		{"no_route", box, "veth0", frameOf(mac(2), mac(8), 0x88b6, payload), []string{"tx ens18", "rx veth1"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			n, burst := 0, 5
			if c.reason == "no_route" { // once nobody on the link has answered for it
				eventually(t, func() string {
					for _, r := range g.status().Remotes {
						if r.Address == "192.0.2.9" && r.State != "no-route" {
							return fmt.Sprintf("remote %+v", r)
						}
					}
					return ""
				})
			}
			if c.reason == "no_neighbour" { // more at once than wait for the kernel
				burst = 2000
				must(t, g.cmd.Process.Signal(unix.SIGSTOP))
				defer g.cmd.Process.Signal(unix.SIGCONT)
			}
			for ; n < burst; n += 5 {
				must(t, c.from.SendFrame(c.link, slices.Repeat([][]byte{c.frame}, 5)...))
				if n%200 == 0 {
					time.Sleep(time.Millisecond) // the veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
				}
			}
			must(t, g.cmd.Process.Signal(unix.SIGCONT))
			eventually(t, func() string {
				var s stats.Stats
				must(t, json.Unmarshal([]byte(output(t, h, "stats", "-j")), &s))
				at := slices.IndexFunc(s.Drops, func(d stats.Drop) bool { return d.Reason == c.reason })
				if at < 0 {
					return fmt.Sprintf("no frame was dropped for %s: %+v", c.reason, s.Drops)
				}
				d := s.Drops[at]
				var places []string
				for _, p := range d.Where {
					places = append(places, p.Direction+" "+p.Interface)
					if p.Packets != d.Frames+d.Copies {
						return fmt.Sprintf("%s: %+v", c.reason, d)
					}
				}
				if !slices.Equal(places, c.places) || burst == 5 && d.Frames+d.Copies < 5 {
					return fmt.Sprintf("%s: %+v, want it at %q", c.reason, d, c.places)
				}
				return ""
			})
		})
	}
	checkVerdicts(t, g)
	eventually(t, func() string { return balance(g.status()) })
	g.stop()
}
