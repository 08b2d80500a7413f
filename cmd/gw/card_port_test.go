//go:build vmlab

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// A card as a port beside a card as the underlay, each driven by another driver: what
// one has written into the memory, the other reads. The larger MTU is the underlay's
// where its driver has one.
func TestCardToCard(t *testing.T) {
	for _, c := range []struct {
		name, underlay string
		port           string // a trio's name
		mtu            int    // of the underlay
	}{
		{"igb to virtio", "virtio", "igb", 1550},
		{"virtio to igb", "igb", "virtio", 1500},
		{"igb to virtio multi", "virtio multi", "igb", 1550},
		{"virtio multi to igb", "igb", "virtio multi", 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTrio(t, c.underlay)
			for _, h := range s.hosts {
				must(t, h.SetMTU("ens18", c.mtu))
			}
			station := newHost(t, s.lab, "station")
			must(t, s.hosts[0].Adopt(trios[c.port][0], "ens19"))
			must(t, station.Adopt(trios[c.port][1], "eth0"))
			must(t, s.hosts[0].AwaitCarrier("ens19"))
			must(t, station.AwaitCarrier("eth0"))
			must(t, station.SetMTU("eth0", c.mtu-50))
			must(t, station.AddAddress("eth0", over1.String()+"/24"))
			far := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
			g := start(t, s.hosts[0], on("--remote", under2.String(), "--port", "ens19")...)
			checkZeroCopy(t, g, "ens18")
			checkZeroCopy(t, g, "ens19")
			must(t, station.AwaitCarrier("eth0"))
			near := end{host: station, dev: "eth0", addr: over1}
			converse(t, near, far)
			checkVerdicts(t, g)
			g.stop()
			if n := promiscuity(t, s.hosts[0], "ens19"); n != 0 {
				t.Errorf("promiscuity %d of ens19 after gw", n)
			}
		})
	}
}

// The memory is registered with the card and with a container's veth: what the card
// received stands in one frame, which the veth was given, and the other way about. So
// nothing in all of the memory of gw has it twice.
func TestCardNoCopy(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		c, err := s.hosts[0].BridgePort("veth1", "one", over1.String()+"/24", lab.VethOptions{MTU: 1450})
		must(t, err)
		near := end{host: c, dev: "veth0", addr: over1}
		far := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
		g := start(t, s.hosts[0], on("--remote", under2.String(), "--port", "veth1")...)
		checkZeroCopy(t, g, "ens18")
		resolve(t, near, far)
		direct := func() uint64 {
			by, _, _ := verdicts(g.status())
			return by["to_remote"]
		}
		eventually(t, func() string {
			ping(t, near, far, lab.PingOptions{})
			if direct() == 0 {
				return "all goes by way of the kernel"
			}
			return ""
		})
		before := direct()
		m := newMarks(16)
		carry(t, near, far, m.payloads[:8])
		carry(t, far, near, m.payloads[8:])
		counts := m.count(t, g.cmd.Process.Pid)
		for i, way := range []string{"from the veth to the card", "from the card to the veth"} {
			found := 0
			for _, n := range counts[8*i:][:8] {
				if n > 1 {
					t.Errorf("%s: a datagram stands %d times in the memory of gw", way, n)
				}
				found += n
			}
			if found == 0 { // not all: frames are used again
				t.Errorf("%s: no datagram is found in the memory of gw", way)
			}
		}
		eventually(t, func() string { // counted behind what is sent
			if n := direct() - before; n < 8 {
				return fmt.Sprintf("%d of 8 datagrams went the direct way", n)
			}
			return ""
		})
		g.stop()
	})
}

// carry sends datagrams and wants all of them to arrive.
func carry(t *testing.T, from, to end, payloads [][]byte) {
	t.Helper()
	f := newFlow(t, from, to)
	for _, p := range payloads {
		_, err := f.client.Write(p)
		must(t, err)
		buf := make([]byte, 2048)
		must(t, f.server.SetReadDeadline(time.Now().Add(patience)))
		n, err := f.server.Read(buf)
		must(t, err)
		if !bytes.Equal(buf[:n], p) {
			t.Fatalf("%d bytes arrived, not those sent", n)
		}
	}
}

// marks are payloads that stand nowhere else: the first half of each is the same, and
// the last byte is its number.
type marks struct{ payloads [][]byte }

func newMarks(n int) marks {
	secret := make([]byte, 32)
	rand.Read(secret)
	var m marks
	for i := range n {
		m.payloads = append(m.payloads, append(append([]byte{}, secret...), make([]byte, 31)...))
		m.payloads[i] = append(m.payloads[i], byte(i))
	}
	return m
}

// count counts how often each stands in what a process can write to.
func (m marks) count(t *testing.T, pid int) []int {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	must(t, err)
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	must(t, err)
	defer mem.Close()
	counts := make([]int, len(m.payloads))
	size := len(m.payloads[0])
	chunk := make([]byte, 1<<20) // whole pages: no frame crosses its end
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil || !strings.HasPrefix(rights, "rw") {
			continue
		}
		for ; from < to; from += int64(len(chunk)) {
			n, err := mem.ReadAt(chunk[:min(int64(len(chunk)), to-from)], from)
			if err != nil && n == 0 {
				break // a mapping of a device cannot be read
			}
			for rest := chunk[:n]; ; rest = rest[size:] {
				at := bytes.Index(rest, m.payloads[0][:32])
				if at < 0 || len(rest)-at < size {
					break
				}
				rest = rest[at:]
				counts[rest[size-1]]++
			}
		}
	}
	return counts
}
