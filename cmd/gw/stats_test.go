package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/internal/lab"
	"vxgw/stats"
)

// Mixed traffic of several ports, a device and a tunnel, much of it bad, some of it
// flooded: each received frame has one verdict, each drop is on the account of an
// interface, and what VNI and remotes exchanged is what the verdicts say. gw stats, its
// JSON and the metrics tell the same.
func TestStats(t *testing.T) {
	t.Parallel()
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			t.Parallel()
			testStats(t, workers)
		})
	}
}

func testStats(t *testing.T, workers string) {
	b := newBridged(t)
	g := start(t, b.node1, "--iface", "ens18", "--vni", "42", "--group", group.String(), "--port", "veth1", "--port", "veth2", "--device", "gw42",
		"--address", "172.17.1.1/24", "--workers", workers)
	resolve(t, b.one, b.far)
	resolve(t, b.two, b.one)
	resolve(t, end{host: b.node1, dev: "gw42", addr: netip.MustParseAddr("172.17.1.1")}, b.far)
	under, err := b.node1.MAC("ens18")
	must(t, err)
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 6 {
		if round == 4 {
			must(t, b.two.host.SetDown("veth0"))
			eventually(t, func() string { // workers go by that
				for _, p := range g.status().Ports {
					if p.Name == "veth2" && !p.Up {
						return ""
					}
				}
				return "veth2 is not down"
			})
		}
		for _, from := range []end{b.one, b.two} {
			if round >= 4 && from == b.two {
				continue
			}
			must(t, from.host.SendFrame("veth0", mixture(rnd, 60)...))
		}
		var outer [][]byte
		for _, f := range mixture(rnd, 60) {
			p := craft(under, 42, f)
			if rnd.IntN(4) == 0 {
				p[14+rnd.IntN(len(p)-14)] ^= 1 << rnd.IntN(8)
			}
			outer = append(outer, p)
		}
		must(t, b.node2.SendFrame("ens18", outer...))
	}
	must(t, b.two.host.SetUp("veth0"))
	checkVerdicts(t, g)

	eventually(t, func() string { return balance(g.status()) })
	s := g.status()
	for _, drop := range []string{"bad_source_mac", "link_local", "port_down", "split_horizon"} {
		if by, _, _ := verdicts(s); by[drop] == 0 && copiesOf(s, drop) == 0 {
			t.Errorf("the traffic never came to %s", drop)
		}
	}
	if up := slices.IndexFunc(s.Ports, func(p control.Port) bool { return p.Name == "veth2" }); s.Ports[up].TxDrops["port_down"] == 0 {
		t.Errorf("no frame was too late for veth2: %v", s.Ports[up].TxDrops)
	}

	text := output(t, b.node1, "stats")
	for _, w := range []string{"INTERFACE", "ens18 ", "veth1 ", "gw42 ", "TUNNELS OF VNI", "REMOTE", under2.String(), "since the start", "bad_source_mac", dataplane.BadSourceMAC.Sentence()} {
		if !strings.Contains(text, w) {
			t.Errorf("gw stats lacks %q:\n%s", w, text)
		}
	}
	if strings.Contains(text, "RX/S") {
		t.Errorf("gw stats has rates of nothing:\n%s", text)
	}
	var told stats.Stats
	d := json.NewDecoder(strings.NewReader(output(t, b.node1, "stats", "-j")))
	d.DisallowUnknownFields()
	must(t, d.Decode(&told))
	eventually(t, func() string { // the kernels speak now and then
		s, m := g.status(), samples(t, scrape(t, b.node1))
		by, _, _ := verdicts(s)
		far := s.Remotes[slices.IndexFunc(s.Remotes, func(r control.Remote) bool { return r.Address == under2.String() })]
		for series, want := range map[string]uint64{
			`gw_vni_packets_total{direction="tx"}`:                     s.VNIs[0].TxPackets,
			`gw_vni_bytes_total{direction="rx"}`:                       s.VNIs[0].RxBytes,
			`gw_vni_dropped_frames_total`:                              s.VNIs[0].Dropped,
			`gw_remote_packets_total{remote="10.65.132.188"}`:          far.RxPackets + far.TxPackets,
			`gw_remote_bytes_total{direction="tx"}`:                    s.VNIs[0].TxBytes,
			`gw_port_packets_total{port="veth1"}`:                      portPacketsOf(s, "veth1"),
			`gw_interface_dropped_frames_total{verdict="link_local"}`:  by["link_local"],
			`gw_interface_dropped_frames_total{interface="gw42"}`:      0,
			`gw_remote_packets_total{remote="other"}`:                  0,
			`gw_interface_dropped_frames_total{verdict="unknown_vni"}`: by["unknown_vni"],
		} {
			if m[series] != float64(want) {
				return fmt.Sprintf("metrics have %v of %s, the status %d", m[series], series, want)
			}
		}
		return ""
	})
	g.stop()
}

// mixture is frames of a container: good ones and bad ones, to known and unknown
// addresses.
func mixture(rnd *rand.Rand, n int) (frames [][]byte) {
	for range n {
		mac := func() []byte { return []byte{2, 0, 0, 0, 0, byte(1 + rnd.IntN(6))} }
		src, dst := mac(), mac()
		switch rnd.IntN(8) {
		case 0:
			src = make([]byte, 6)
		case 1:
			dst = []byte{1, 0x80, 0xc2, 0, 0, 3}
		case 2:
			dst = bytes.Repeat([]byte{0xff}, 6)
		}
		frames = append(frames, frameOf(dst, src, 0x88b6, make([]byte, rnd.IntN(1400))))
	}
	return frames
}

// balance says what of a status does not add up.
func balance(s control.Status) string {
	by, _, _ := verdicts(s)
	in, out := map[string]uint64{}, map[string]uint64{}
	count := func(i control.Interface) {
		for v, n := range i.Drops {
			in[v] += n
		}
		for v, n := range i.TxDrops {
			out[v] += n
		}
	}
	count(s.Underlay.Interface)
	for _, p := range s.Ports {
		count(p.Interface)
	}
	for v := dataplane.Verdict(1); int(v) < dataplane.VerdictCount; v++ {
		if !v.Drop() {
			continue
		}
		if name := v.String(); len(s.Workers) == 1 && in[name] != by[name] {
			return fmt.Sprintf("%d frames %s, but %v at the interfaces", by[name], name, in)
		} else if v >= dataplane.TooBig && out[name] != by[name]+copiesOf(s, name) {
			return fmt.Sprintf("%d frames and %d copies %s, but %v at the ways out", by[name], copiesOf(s, name), name, out)
		}
	}
	sent := by["to_remote"] + by["to_kernel"] + copiesOf(s, "to_remote") + copiesOf(s, "to_kernel")
	var remotes, vnis control.Traffic
	for _, r := range s.Remotes {
		remotes = plus(remotes, r.Traffic)
	}
	for _, v := range s.VNIs {
		vnis = plus(vnis, v.Traffic)
	}
	if len(s.Workers) == 1 && vnis.TxPackets != sent || plus(remotes, s.Forgotten) != vnis {
		return fmt.Sprintf("%d frames went into tunnels, VNIs have %+v, remotes %+v", sent, vnis, remotes)
	}
	return ""
}

func plus(a, b control.Traffic) control.Traffic {
	return control.Traffic{RxPackets: a.RxPackets + b.RxPackets, RxBytes: a.RxBytes + b.RxBytes, TxPackets: a.TxPackets + b.TxPackets, TxBytes: a.TxBytes + b.TxBytes}
}

func copiesOf(s control.Status, verdict string) (n uint64) {
	for _, w := range s.Workers {
		n += w.Copies[verdict]
	}
	return n
}

func portPacketsOf(s control.Status, name string) (n uint64) {
	for _, p := range s.Ports {
		if p.Name == name {
			for _, q := range p.Queues {
				n += q.RxPackets + q.TxPackets
			}
		}
	}
	return n
}

// While gw is stopped the kernel fills its rings and drops the rest, which only the
// kernel knows; --watch has the rate of that and of all else, until it is interrupted.
func TestStatsWatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, h, peer)
	box, err := h.BridgePort("veth1", "box", "172.17.1.11/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	g := start(t, h, on("--remote", under2.String(), "--port", "veth1")...)

	for _, bad := range []struct {
		args []string
		want string
	}{{[]string{"stats", "--watch", "2s"}, "--watch=2s"}, {[]string{"stats", "--watch=1ms"}, "100ms"}, {[]string{"stats", "veth1"}, "gw stats --help"}} {
		if _, stderr, status := runGW(t, h, bad.args...); status != 2 || !strings.Contains(stderr, bad.want) {
			t.Errorf("gw %v: exit status %d: %s", bad.args, status, stderr)
		}
	}

	c := command(testContext(t), h, "stats", "--watch=150ms", "-j")
	lines := &logBuffer{}
	c.Stdout, c.Stderr = lines, lines
	must(t, c.Start())
	table := command(testContext(t), h, "stats", "--watch=150ms")
	tables := &logBuffer{}
	table.Stdout, table.Stderr = tables, tables
	must(t, table.Start())
	tty, screens := terminal(t)
	drawn := command(testContext(t), h, "stats", "--watch")
	drawn.Stdout, drawn.Stderr = tty, tty
	must(t, drawn.Start())

	eventually(t, func() string { // they have looked before
		if lines.String() == "" || tables.String() == "" {
			return "they show nothing"
		}
		return ""
	})
	burst := slices.Repeat([][]byte{frameOf(bytes.Repeat([]byte{0xff}, 6), []byte{2, 0, 0, 0, 0, 1}, 0x88b6, make([]byte, 46))}, 100)
	var again time.Time // where the veth has no CPU, it drops them itself
	eventually(t, func() string {
		if time.Now().After(again) {
			must(t, g.cmd.Process.Signal(unix.SIGSTOP))
			for range 60 {
				must(t, box.SendFrame("veth0", burst...))
				time.Sleep(time.Millisecond) // the veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
			}
			must(t, g.cmd.Process.Signal(unix.SIGCONT))
			again = time.Now().Add(3 * time.Second)
		}
		for line := range strings.Lines(lines.String()) {
			var s stats.Stats
			if json.Unmarshal([]byte(line), &s) != nil {
				continue
			}
			rated := func(k stats.Loss) bool {
				return k.Interface == "veth1" && k.Queue != nil && *k.Queue == 0 && k.Count > 0 && k.Rate != nil && *k.Rate > 0
			}
			if slices.ContainsFunc(s.Kernel, rated) {
				return ""
			}
		}
		return "no line has what the kernel dropped, and its rate"
	})
	eventually(t, func() string {
		text := tables.String()
		for _, w := range []string{"RX/S", "OUTSIDE THE WORKERS", "fill_ring_empty", "rates of 0."} {
			if !strings.Contains(text, w) {
				return fmt.Sprintf("no %q in %s", w, text)
			}
		}
		return ""
	})
	if strings.Contains(tables.String(), "\x1b") {
		t.Error("what is no terminal gets sequences of one")
	}
	eventually(t, func() string {
		if n := strings.Count(screens.String(), home); n < 3 {
			return fmt.Sprintf("the screen was drawn %d times: %q", n, screens)
		}
		return ""
	})
	for _, c := range []*lab.Cmd{c, table, drawn} {
		must(t, c.Process.Signal(unix.SIGINT))
		if err := c.Wait(); err != nil {
			t.Errorf("interrupted: %v", err)
		}
	}
	if n := slices.Max(heights(screens.String())); n > 9 {
		t.Errorf("%d lines on a screen of 10", n)
	}

	last := command(testContext(t), h, "stats", "--watch=100ms")
	said := &logBuffer{}
	last.Stdout, last.Stderr = said, said
	must(t, last.Start())
	eventually(t, func() string {
		if said.grep("INTERFACE") == "" {
			return "it shows nothing"
		}
		return ""
	})
	g.stop()
	if err := last.Wait(); err == nil || said.grep("gw: stats: ") == "" {
		t.Errorf("the gateway ended, and --watch: %v, %q", err, said)
	}
}

// terminal makes one with ten lines, and collects what is written to it.
func terminal(t *testing.T) (tty *os.File, shown *logBuffer) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { tty.Close() })
	must(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 80}))
	shown = &logBuffer{}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return // the test has ended
			}
			shown.Write(buf[:n])
		}
	}()
	return tty, shown
}

// heights is how many lines each screen has.
func heights(shown string) (lines []int) {
	for _, s := range strings.Split(shown, home)[1:] {
		lines = append(lines, strings.Count(s, "\n"))
	}
	return lines
}

func TestShortRates(t *testing.T) {
	t.Parallel()
	for r, want := range map[float64]string{0: "0", 0.2: "0.2", 7: "7", 999: "999", 999.6: "1.00k", 12_345: "12.3k", 999_600: "1.00M", 1.5e6: "1.50M", 2.34e10: "23.4G", 5e12: "5T"} {
		if got := short(r); got != want {
			t.Errorf("%v is shown as %s, want %s", r, got, want)
		}
	}
}
