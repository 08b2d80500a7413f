package main

import (
	"bytes"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// promiscuity is how many users want a link to receive frames to every address.
func promiscuity(t *testing.T, h *lab.Host, link string) uint32 {
	t.Helper()
	l, err := h.Link(link)
	must(t, err)
	return uint32(l.Attrs().Promisc)
}

// cableEnd collects what a tap sends.
type cableEnd struct {
	mu     sync.Mutex
	frames [][]byte
}

func (c *cableEnd) read(tap *os.File) {
	buf := make([]byte, 1<<16)
	for {
		n, err := tap.Read(buf)
		if err != nil {
			return // closed
		}
		c.mu.Lock()
		c.frames = append(c.frames, bytes.Clone(buf[:n]))
		c.mu.Unlock()
	}
}

func (c *cableEnd) has(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.frames {
		if bytes.Equal(f, frame) {
			return true
		}
	}
	return false
}

// A port that is no veth, but a wire to a switch with many stations, as a NIC is:
// frames between stations that are none of the host's cross, with their tags; what
// the switch tells the host itself goes to the host; and the mode that a NIC needs
// for that is over with gw, by a kill -9 too.
func TestNIC(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "generic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
			cable(t, l, a, b)
			tap, err := a.Tap("ens19")
			must(t, err)
			defer tap.Close()
			var sent cableEnd
			go sent.read(tap)
			must(t, l.Veth(a, "veth1", b, "veth1", lab.VethOptions{MTU: 1450}))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1}))
			far, err := b.Capture("vxlan0", func(f lab.Frame) bool { return !f.Outgoing })
			must(t, err)
			host, err := a.Capture("ens19", func(f lab.Frame) bool { return !f.Outgoing })
			must(t, err)
			before := dump(t, a)

			args := on("--remote", "10.65.132.188", "--port", "ens19", "--port", "veth1", "--device", "gw42", "--mode", mode)
			g := start(t, a, args...)
			for link, want := range map[string]uint32{"ens18": 0, "ens19": 1, "veth1": 1, "gw42": 0, "gw42-x": 0} {
				if n := promiscuity(t, a, link); n != want {
					t.Errorf("promiscuity %d of %s while gw runs, want %d", n, link, want)
				}
			}
			if p := g.status().Ports[1]; p.Name != "ens19" || p.VLAN != control.TagsOffloads {
				t.Errorf("port %s: vlan %q because of %q: want ens19 with %q", p.Name, p.VLAN, p.VLANReason, control.TagsOffloads)
			}
			write := func(frame []byte) {
				t.Helper()
				_, err := tap.Write(frame)
				must(t, err)
			}
			from, to := net.HardwareAddr{2, 0, 0, 0, 6, 1}, net.HardwareAddr{2, 0, 0, 0, 6, 2}
			tag := insert(12, 0x81, 0, 0x60, 42)
			out := [][]byte{named(to, from, "a station's"), tag(named(to, from, "a station's, tagged"))}
			for _, frame := range out {
				write(frame)
				_, err := far.Wait(testContext(t), 1, func(f lab.Frame) bool { return bytes.Equal(whole(f), frame) })
				must(t, err)
			}
			for _, frame := range [][]byte{named(from, to, "back"), tag(named(from, to, "back, tagged"))} {
				must(t, b.SendFrame("vxlan0", frame))
				eventually(t, func() string {
					if !sent.has(frame) {
						return "the frame back does not come out of the wire"
					}
					return ""
				})
			}
			lldp := frameOf(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0x0e}, from, 0x88cc, make([]byte, 46))
			write(lldp)
			_, err = host.Wait(testContext(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data, lldp) })
			must(t, err)
			for _, f := range host.Frames() {
				if bytes.Contains(f.Data, []byte("a station's")) {
					t.Errorf("the host got a station's frame, tagged: %t", f.Tagged)
				}
			}
			if fdb := strings.Join(g.fdb(), "\n"); !strings.Contains(fdb, from.String()+" dev ens19 master gw42") {
				t.Errorf("gw fdb show lacks %s at ens19:\n%s", from, fdb)
			}
			checkVerdicts(t, g)
			g.stop()
			clean(t, before, a)

			g = start(t, a, args...)
			g.end(unix.SIGKILL)
			for _, link := range []string{"ens19", "veth1"} {
				if n := promiscuity(t, a, link); n != 0 {
					t.Errorf("promiscuity %d of %s after kill -9", n, link)
				}
			}
			output(t, a, "cleanup", "--iface", "ens18")
			clean(t, before, a)
		})
	}
}
