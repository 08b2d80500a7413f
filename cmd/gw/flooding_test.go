package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// mirror is gw with three containers at ports on the left, and the kernel's bridge and vxlan
// device with as many on the right: what one does with an option, the other has to do.
type mirror struct {
	t    *testing.T
	gw   *vtep
	file string
	far  *lab.Host
	ends [6]*lab.Host // L1 L2 L3 R1 R2 R3, each on its veth0
	macs [6]net.HardwareAddr
	taps [6]*lab.Capture
	sent int
}

var mirrorNames = [6]string{"L1", "L2", "L3", "R1", "R2", "R3"}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	l := newLab(t)
	near := newHost(t, l, "node1")
	m := &mirror{t: t, far: newHost(t, l, "node2")}
	cable(t, l, near, m.far)
	must(t, m.far.Bridge("br0"))
	must(t, m.far.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Master: "br0"}))
	for i, name := range mirrorNames {
		host, link := near, "veth"+name[1:]
		if i >= 3 {
			host = m.far
		}
		c, err := host.BridgePort(link, name, fmt.Sprintf("172.17.1.%d/24", i+1), lab.VethOptions{MTU: 1450})
		must(t, err)
		if i >= 3 {
			must(t, m.far.SetMaster(link, "br0"))
		}
		m.ends[i] = c
		m.macs[i], err = c.MAC("veth0")
		must(t, err)
		m.taps[i], err = c.Capture("veth0", func(f lab.Frame) bool {
			return !f.Outgoing && len(f.Data) > 14 && f.Data[12] == experimental>>8 && f.Data[13] == experimental&0xff
		})
		must(t, err)
	}
	m.file = writeFile(t, mirrorFile("ports: [veth1, veth2, veth3]"))
	m.gw = start(t, near, "--config", m.file)
	for i := range m.ends { // so that all are known everywhere
		m.send(i, everyone)
		for j := range m.ends {
			if i != j {
				m.arrives(j, m.sent)
			}
		}
	}
	return m
}

func mirrorFile(vni string) string {
	return "underlay: {iface: ens18}\nmetrics: {listen: ''}\nvnis:\n- vni: 42\n  remotes: [10.65.132.188]\n  " + strings.ReplaceAll(vni, "\n", "\n  ") + "\n"
}

// becomes has gw read another VNI from its file.
func (m *mirror) becomes(vni string) {
	m.t.Helper()
	must(m.t, os.WriteFile(m.file, []byte(mirrorFile(vni)), 0o600))
	m.gw.reload("changed vni 42")
}

// kernel sets an option of ports of the kernel's bridge.
func (m *mirror) kernel(flag lab.BridgeFlag, on bool, ports ...string) {
	m.t.Helper()
	for _, p := range ports {
		must(m.t, m.far.SetBridgeFlag(p, flag, on))
	}
}

var everyone = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// send sends the next frames from one end, and returns the number of the first.
func (m *mirror) send(from int, to ...net.HardwareAddr) (first int) {
	m.t.Helper()
	var frames [][]byte
	first = m.sent + 1
	for _, mac := range to {
		m.sent++
		frames = append(frames, named(mac, m.macs[from], frameText(m.sent)))
	}
	must(m.t, m.ends[from].SendFrame("veth0", frames...))
	return first
}

func frameText(n int) string { return fmt.Sprintf("frame %d of the mirror.", n) }

func isFrame(f lab.Frame, n int) bool { return bytes.HasPrefix(f.Data[14:], []byte(frameText(n))) }

// arrives waits for a frame at one end.
func (m *mirror) arrives(at, n int) {
	m.t.Helper()
	_, err := m.taps[at].Wait(testContext(m.t), 1, func(f lab.Frame) bool { return isFrame(f, n) })
	must(m.t, err)
}

// reach says where the frames of each end come to: of each class, and to each other end's
// own address. The third ends are always reached, and everyone from them: what is sent
// there last says that all before it was dealt with.
func (m *mirror) reach() map[string]string {
	m.t.Helper()
	type sent struct {
		name     string
		from, nr int
	}
	var all []sent
	for from := range m.ends {
		last := 5 // the open end of the other side
		if from >= 3 {
			last = 2
		}
		names := []string{"broadcast", "unknown", "multicast"}
		to := []net.HardwareAddr{everyone, {2, 0, 0, 0, 0xee, 1}, {1, 0, 0x5e, 1, 2, 3}}
		for i, mac := range m.macs {
			if i != from {
				names, to = append(names, "to"), append(to, mac)
			}
		}
		first := m.send(from, append(to, m.macs[last])...)
		for i, name := range names {
			all = append(all, sent{name, from, first + i})
		}
		m.arrives(last, m.sent)
		behind := m.send(last, m.macs[:]...)
		for i := range m.macs {
			if i != last {
				m.arrives(i, behind+i)
			}
		}
	}
	got := map[string]string{}
	for _, s := range all {
		var at []string
		for i, tap := range m.taps {
			if slices.ContainsFunc(tap.Frames(), func(f lab.Frame) bool { return isFrame(f, s.nr) }) {
				at = append(at, mirrorNames[i])
			}
		}
		key := s.name + " from " + mirrorNames[s.from]
		if s.name == "to" {
			got[key] += strings.Join(at, " ") + "," // of one end after the other
		} else {
			got[key] = strings.Join(at, " ")
		}
	}
	return got
}

// same wants two results to be mirror images.
func (m *mirror) same(gw, kernel map[string]string) {
	m.t.Helper()
	turn := strings.NewReplacer("L", "R", "R", "L")
	for key, at := range gw {
		image := kernel[turn.Replace(key)]
		parts, want := strings.Fields(strings.ReplaceAll(turn.Replace(image), ",", " ")), strings.Fields(strings.ReplaceAll(at, ",", " "))
		slices.Sort(parts)
		slices.Sort(want)
		if !slices.Equal(parts, want) {
			m.t.Errorf("%s: through gw it comes to %q, through the kernel, mirrored, to %q", key, at, turn.Replace(image))
		}
	}
}

// The switches for flooding do what bcast_flood, flood and mcast_flood do at all ports of
// the kernel's bridge, in both directions, and are switched by a reload.
func TestFloodSwitches(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	const ports = "ports: [veth1, veth2, veth3]"
	on := m.reach()
	m.same(on, on)
	all := []string{"vxlan0", "veth1", "veth2", "veth3"}
	for _, c := range []struct {
		class, key string
		flag       lab.BridgeFlag
	}{
		{"broadcast", "bcast_flood", lab.BcastFlood},
		{"unknown", "flood", lab.Flood},
		{"multicast", "mcast_flood", lab.McastFlood},
	} {
		before, _, _ := verdicts(m.gw.status())
		m.becomes(ports + "\n" + c.key + ": false")
		gw := m.reach()
		after, _, _ := verdicts(m.gw.status())
		m.becomes(ports)
		m.kernel(c.flag, false, all...)
		kernel := m.reach()
		m.kernel(c.flag, true, all...)
		m.same(gw, kernel)
		for key, want := range on { // and that is what it should be
			switch key {
			case c.class + " from L1", c.class + " from L2", c.class + " from L3":
				want = ""
			case c.class + " from R1", c.class + " from R2", c.class + " from R3":
				want = strings.Join(slices.DeleteFunc(strings.Fields(want), func(s string) bool { return s[0] == 'L' }), " ")
			}
			if gw[key] != want {
				t.Errorf("%s: false: %s comes to %q, want %q", c.key, key, gw[key], want)
			}
		}
		if n := after["flood_off"] - before["flood_off"]; n < 6 {
			t.Errorf("%s: false: %d frames flood_off, want those of six ends", c.key, n)
		}
	}
	if again := m.reach(); fmt.Sprint(again) != fmt.Sprint(on) {
		t.Errorf("all switched on again: %v, was %v", again, on)
	}
	checkVerdicts(t, m.gw)
	m.gw.stop()
}

// Isolated ports are what they are at the kernel's bridge, and become so and not so by a
// reload while they are open.
func TestIsolatedPorts(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	on := m.reach()
	m.becomes("ports: [{name: veth1, isolated: true}, {name: veth2, isolated: true}, veth3]")
	gw := m.reach()
	if n, _, _ := verdicts(m.gw.status()); n["isolated"] != 2 {
		t.Errorf("verdicts %v, want two frames isolated", n)
	}
	if out := output(t, m.gw.host, "port", "show"); strings.Count(out, "  on  ") != 2 {
		t.Errorf("gw port show:\n%s", out)
	}
	m.becomes("ports: [veth1, veth2, veth3]")
	m.kernel(lab.Isolated, true, "veth1", "veth2")
	kernel := m.reach()
	m.same(gw, kernel)
	m.kernel(lab.Isolated, false, "veth1", "veth2")
	for key, want := range map[string]string{
		"broadcast from L1": "L3 R1 R2 R3", "unknown from L2": "L3 R1 R2 R3", "multicast from L1": "L3 R1 R2 R3",
		"broadcast from L3": "L1 L2 R1 R2 R3", "broadcast from R1": "L1 L2 L3 R2 R3",
		"to from L1": ",L3,R1,R2,R3,", "to from L2": ",L3,R1,R2,R3,", "to from L3": "L1,L2,R1,R2,R3,", "to from R1": "L1,L2,L3,R2,R3,",
	} {
		if gw[key] != want {
			t.Errorf("%s comes to %q, want %q", key, gw[key], want)
		}
	}
	if again := m.reach(); fmt.Sprint(again) != fmt.Sprint(on) {
		t.Errorf("none isolated any more: %v, was %v", again, on)
	}
	checkVerdicts(t, m.gw) // of the ports that there are
	output(t, m.gw.host, "port", "del", "veth2")
	output(t, m.gw.host, "port", "add", "veth2", "--vni", "42", "--isolated")
	if out := output(t, m.gw.host, "vni", "show", "-j"); !strings.Contains(out, `"isolated": true`) {
		t.Errorf("gw vni show -j: %s", out)
	}
	m.gw.stop()
}

// A storm of one class is cut down to its limit from ports and from tunnels, and no other
// frame is; without the limit all come through.
func TestStormLimits(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	const frames, limit = 90, 10
	const burst = 30 // which no ring is too small for, however busy the machine is
	storm := func(to net.HardwareAddr) (arrived, dropped uint64) {
		before, _, _ := verdicts(m.gw.status())
		first := m.sent + 1
		for _, from := range []int{0, 3} {
			for range frames / burst {
				m.send(from, append(slices.Repeat([]net.HardwareAddr{to}, burst), m.macs[1])...)
				m.arrives(1, m.sent) // behind them
			}
		}
		eventually(t, func() string { // what was dropped behind the last one is counted, too
			arrived = 0
			for _, f := range m.taps[1].Frames() {
				var n int
				if _, err := fmt.Sscanf(string(f.Data[14:]), "frame %d of", &n); err == nil && n >= first && bytes.Equal(f.Data[:6], to) {
					arrived++
				}
			}
			after, _, _ := verdicts(m.gw.status())
			if dropped = after["storm_limit"] - before["storm_limit"]; arrived+dropped < 2*frames {
				return fmt.Sprintf("of %d frames %d arrived and %d were dropped", 2*frames, arrived, dropped)
			}
			return ""
		})
		return arrived, dropped
	}
	seconds := func() uint64 { return uint64(m.gw.status().Uptime) }
	if arrived, dropped := storm(everyone); arrived != 2*frames || dropped != 0 {
		t.Errorf("without a limit %d frames arrived and %d were dropped", arrived, dropped)
	}
	m.becomes(fmt.Sprintf("ports: [veth1, veth2, veth3]\nstorm: {broadcast: %d}", limit))
	begin := seconds()
	arrived, dropped := storm(everyone)
	// A second of the gateway's clock begins up to 0.2 s late, and the first and the last of
	// these are not whole.
	if most := 2 * limit * (seconds() - begin + 2); arrived < limit || arrived > most {
		t.Errorf("with a limit %d frames arrived, %d were dropped; want at most %d", arrived, dropped, most)
	}
	if arrived, dropped := storm(net.HardwareAddr{1, 0, 0x5e, 1, 2, 3}); arrived != 2*frames || dropped != 0 {
		t.Errorf("of another class %d frames arrived and %d were dropped", arrived, dropped)
	}
	m.becomes("ports: [veth1, veth2, veth3]")
	if arrived, dropped := storm(everyone); arrived != 2*frames || dropped != 0 {
		t.Errorf("without a limit again %d frames arrived and %d were dropped", arrived, dropped)
	}
	checkVerdicts(t, m.gw)
	m.gw.stop()
}
