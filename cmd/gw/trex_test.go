package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// profile returns packets of one of TRex's profiles in bench/trex, which scapy builds as it does there.
func profile(t *testing.T, args ...string) (packets [][]byte) {
	t.Helper()
	const dir = "../../bench/trex/stub/"
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import scapy").Run() != nil {
			continue
		}
		c := exec.CommandContext(t.Context(), python, append([]string{dir + "packets.py"}, args...)...)
		c.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
		out, err := c.Output()
		must(t, err)
		for line := range strings.Lines(string(out)) {
			p, err := hex.DecodeString(strings.TrimSpace(line))
			must(t, err)
			packets = append(packets, p)
		}
		return packets
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no scapy (apt-get install python3-scapy), and CI must not skip this")
	}
	t.Skip("no scapy (apt-get install python3-scapy)")
	return nil
}

// What TRex is told to send, gw forwards, both ways: each frame arrives as it was, the plain ones in a tunnel, those of the tunnel
// plain. At first gw floods; what it has learned from both profiles lets it send the same frames to one place.
func TestTRex(t *testing.T) {
	t.Parallel()
	const count = 64
	l := newLab(t)
	node, far, box := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "box")
	must(t, l.Veth(node, "ens18", far, "ens18", lab.VethOptions{MTU: 1600}))
	must(t, l.Veth(node, "veth1", box, "veth0", lab.VethOptions{}))
	must(t, node.AddAddress("ens18", under1.String()+"/24"))
	must(t, far.AddAddress("ens18", under2.String()+"/24"))
	g := start(t, node, "--iface", "ens18", "--vni", "42", "--remote", under2.String(), "--port", "veth1")
	gwMAC, err := node.MAC("ens18")
	must(t, err)
	vtepMAC, err := far.MAC("ens18")
	must(t, err)
	tunables := []string{"--macs", "8", "--size", "96", "--gw-mac", gwMAC.String(), "--vtep-mac", vtepMAC.String(), "--gw-ip", under1.String(), "--vtep-ip", under2.String()}
	plain := profile(t, append([]string{"plain", fmt.Sprint(count)}, tunables...)...)
	tunnelled := profile(t, append([]string{"vxlan", fmt.Sprint(count)}, tunables...)...)

	wire, err := far.Capture("ens18", func(f lab.Frame) bool {
		return len(f.Data) == 50+len(plain[0]) && bytes.HasPrefix(f.Data, vtepMAC) && bytes.HasPrefix(f.Data[50:], []byte{2, 4})
	})
	must(t, err)
	station, err := box.Capture("veth0", func(f lab.Frame) bool { return bytes.HasPrefix(f.Data, []byte{2, 2}) })
	must(t, err)
	send := func(round int) {
		must(t, box.SendFrame("veth0", plain...))
		packets, err := wire.Wait(testContext(t), round*count, nil)
		must(t, err)
		checkSame(t, "out of the tunnel", packets[len(packets)-count:], 50, plain, 0)
		must(t, far.SendFrame("ens18", tunnelled...))
		frames, err := station.Wait(testContext(t), round*count, nil)
		must(t, err)
		checkSame(t, "at the port", frames[len(frames)-count:], 0, tunnelled, 50)
	}
	send(1)
	eventually(t, func() string {
		near, behind := 0, 0
		for _, e := range g.entries() {
			switch {
			case strings.HasPrefix(e.MAC, "02:02:00:00:00:0") && e.Ifname == "veth1":
				near++
			case strings.HasPrefix(e.MAC, "02:04:00:00:00:0") && e.Dst == under2.String():
				behind++
			}
		}
		if near != 4 || behind != 4 {
			return fmt.Sprintf("gw has learned %d near stations and %d far ones, of 4 each", near, behind)
		}
		return ""
	})
	flooded := verdict(g, "flooded")
	send(2)
	eventually(t, func() string {
		if n := verdict(g, "to_remote"); n < count {
			return fmt.Sprintf("gw has sent %d frames to the remote alone, of %d", n, count)
		}
		return ""
	})
	if n := verdict(g, "flooded"); n != flooded {
		t.Errorf("%d frames were flooded although gw knew where they go", n-flooded)
	}
	g.stop()
}

// verdict is how many frames got it.
func verdict(g *vtep, name string) (n uint64) {
	for _, w := range g.status().Workers {
		n += w.Verdicts[name]
	}
	return n
}

// checkSame wants what arrived, from an offset on, to be what was sent, from another one on. A sender that changes its CPU overtakes
// itself on a veth, so the order does not count.
func checkSame(t *testing.T, where string, got []lab.Frame, gotAt int, want [][]byte, wantAt int) {
	t.Helper()
	var arrived, sent []string
	for i, f := range got {
		arrived, sent = append(arrived, hex.EncodeToString(f.Data[gotAt:])), append(sent, hex.EncodeToString(want[i][wantAt:]))
	}
	slices.Sort(arrived)
	slices.Sort(sent)
	for i := range arrived {
		if arrived[i] != sent[i] {
			t.Fatalf("%s, frame %d of %d: %s instead of %s", where, i, len(got), arrived[i], sent[i])
		}
	}
}
