package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// capturing is gw capture while it runs.
type capturing struct {
	t            *testing.T
	cmd          *lab.Cmd
	stdout, said *logBuffer
}

// capturingShell runs a command line in which $GW is gw; it returns when gw says that it captures.
func capturingShell(t *testing.T, h *lab.Host, line string) *capturing {
	t.Helper()
	c := &capturing{t: t, cmd: h.Command(testContext(t), "bash", "-o", "pipefail", "-c", line), stdout: &logBuffer{}, said: &logBuffer{}}
	c.cmd.Env = append(os.Environ(), actAsGW+"=1", "GW="+os.Args[0], "TZ=UTC")
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.said
	must(t, c.cmd.Start())
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.cmd.Process.Kill()
			c.cmd.Wait()
		}
	})
	eventually(t, func() string {
		if !strings.Contains(c.said.String(), "gw: capturing") {
			return fmt.Sprintf("%s: has not begun: %s", line, c.said)
		}
		return ""
	})
	return c
}

// end waits for the exit status and returns what was printed.
func (c *capturing) end() (stdout string, status int) {
	c.t.Helper()
	var exit *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("%v: %s", err, c.said)
	}
	return c.stdout.String(), c.cmd.ProcessState.ExitCode()
}

// interrupt is Ctrl-C.
func (c *capturing) interrupt() (stdout string) {
	c.t.Helper()
	must(c.t, unix.Kill(-c.cmd.Process.Pid, unix.SIGINT))
	out, status := c.end()
	if status != 0 {
		c.t.Errorf("exit status %d after an interrupt: %s", status, c.said)
	}
	return out
}

// needs fails in CI, and skips elsewhere, without programs of Debian's.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("CI must not skip this: apt-get install --no-install-recommends %s", p)
			}
			t.Skipf("needs %s (apt-get install --no-install-recommends %s)", p, p)
		}
	}
}

// endWhile has something happen until it has ended: a program whose output nobody reads any more is told when it writes.
func (c *capturing) endWhile(do func()) (stdout string) {
	c.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.cmd.Wait() // with whatever status the pipe made
	}()
	for {
		select {
		case <-ended:
			return c.stdout.String()
		default:
			do()
		}
	}
}

// captureBed is the article's two hosts, gw on the first and the kernel's device on the other, with a container on a port. Packets
// go the direct way by then, and yet ping asks for the address first.
func captureBed(t *testing.T) (g *vtep, ping func(), box *lab.Host) {
	t.Helper()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
	box, err := a.BridgePort("veth1", "box", "172.17.1.11/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	g = start(t, a, "--config", write(t, `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    ports: [veth1]
    device: {addresses: [172.17.1.2/24]}
`))
	ping = func() {
		t.Helper()
		r, err := a.Ping(testContext(t), over2, lab.PingOptions{Count: 3, Timeout: patience})
		must(t, err)
		if r.Received != 3 {
			t.Fatalf("ping: %+v", r)
		}
	}
	ping()
	g.awaitDirect(under2.String())
	must(t, a.FlushNeighbours("gw42"))
	return g, ping, box
}

// What the article's tcpdump shows of its ping, tcpdump and tshark show of a capture, as it comes through a pipe and
// from a file; and tshark shows each packet's comment.
func TestCaptureArticle(t *testing.T) {
	t.Parallel()
	needs(t, "tcpdump", "tshark")
	g, ping, _ := captureBed(t)
	file := filepath.Join(t.TempDir(), "ping.pcapng")
	dump := capturingShell(t, g.host, `"$GW" capture -w - -i ens18 | tcpdump -lnr -`)
	shark := capturingShell(t, g.host, `"$GW" capture -w - -c 6 vxlan 42 and icmp | tshark -r - -T fields -e frame.interface_name -e vxlan.vni -e ip.dst -e icmp.type -e frame.comment`)
	all := capturingShell(t, g.host, `exec "$GW" capture -w `+file)
	ping()
	if out, status := shark.end(); status != 0 || strings.Count(out, "\n") != 6 {
		t.Errorf("tshark: exit status %d:\n%s%s", status, out, shark.said)
	} else {
		for _, want := range []string{
			"ens18\t42\t10.65.132.188,172.17.1.3\t8\tVNI 42, remote 10.65.132.188, FDB hit, received at gw42\n",
			"ens18\t42\t10.65.132.187,172.17.1.2\t0\tVNI 42, remote 10.65.132.188, FDB hit, to_port gw42\n",
		} {
			if strings.Count(out, want) < 2 {
				t.Errorf("tshark lacks %q:\n%s", want, out)
			}
		}
	}
	all.interrupt()
	if !strings.Contains(all.said.String(), " packets captured\n0 packets dropped by gw\n") {
		t.Errorf("it ends with %q", all.said)
	}
	// The article's lines, but for times, ports and numbers of the ping.
	article := []string{
		"> 10.65.132.188.4789: VXLAN, flags [I] (0x08), vni 42\nARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 28\n",
		"> 10.65.132.187.4789: VXLAN, flags [I] (0x08), vni 42\nARP, Reply 172.17.1.3 is-at ",
		"> 10.65.132.188.4789: VXLAN, flags [I] (0x08), vni 42\nIP 172.17.1.2 > 172.17.1.3: ICMP echo request, id ",
		"> 10.65.132.187.4789: VXLAN, flags [I] (0x08), vni 42\nIP 172.17.1.3 > 172.17.1.2: ICMP echo reply, id ",
	}
	lacking := func(out string) (lines []string) {
		return slices.DeleteFunc(slices.Clone(article), func(l string) bool { return strings.Contains(out, l) })
	}
	for _, line := range []string{"tcpdump -nr " + file + " port 4789", "tcpdump -nr - < " + file} {
		c := exec.Command("sh", "-c", line)
		out, err := c.Output()
		must(t, err)
		if l := lacking(string(out)); len(l) > 0 {
			t.Errorf("%s lacks %q:\n%s", line, l, out)
		}
	}
	eventually(t, func() string {
		if l := lacking(dump.stdout.String()); len(l) > 0 {
			return fmt.Sprintf("tcpdump lacks %q:\n%s", l, dump.stdout)
		}
		return ""
	})
	must(t, unix.Kill(-dump.cmd.Process.Pid, unix.SIGINT))
	dump.end()
	checkInterfaces(t, file)
	g.stop()
}

// checkInterfaces wants the file to name the interfaces, and every packet to have one and a comment.
func checkInterfaces(t *testing.T, file string) {
	t.Helper()
	out, err := exec.Command("tshark", "-r", file, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment").Output()
	must(t, err)
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		name, comment, _ := strings.Cut(strings.TrimSpace(line), "\t")
		seen[name] = true
		if comment == "" {
			t.Errorf("a packet without a comment: %q", line)
		}
	}
	if !seen["ens18"] || !seen["gw42"] {
		t.Errorf("interfaces %v:\n%s", seen, out)
	}
}

// Lines for people, chosen by filters and flags; what is dropped has its reason.
func TestCaptureLines(t *testing.T) {
	t.Parallel()
	g, ping, box := captureBed(t)
	inner := capturingShell(t, g.host, `exec "$GW" capture --vni 42 inner icmp`)
	drops := capturingShell(t, g.host, `exec "$GW" capture --dir drop`)
	port := capturingShell(t, g.host, `exec "$GW" capture --port veth1 --dir rx -s 20 ether proto 0x88b6`)
	head := capturingShell(t, g.host, `"$GW" capture | head -n 2`)
	ping()
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0x77, last} }
	must(t, box.SendFrame("veth0", frameOf(mac(2), net.HardwareAddr{1, 0, 0, 0, 0, 1}, 0x88b6, make([]byte, 46))))
	must(t, box.SendFrame("veth0", frameOf(mac(9), mac(8), 0x88b6, make([]byte, 46))))
	eventually(t, func() string {
		for c, wants := range map[*capturing][]string{
			inner: {
				" ens18 tx   10.65.132.187 > 10.65.132.188, VXLAN, vni 42: 172.17.1.2 > 172.17.1.3, ICMP echo request, length 148; VNI 42, remote 10.65.132.188, FDB hit, received at gw42\n",
				" gw42 tx   172.17.1.3 > 172.17.1.2, ICMP echo reply, length 98; VNI 42, remote 10.65.132.188, FDB hit, received from a tunnel\n",
				" gw42 rx   172.17.1.2 > 172.17.1.3, ICMP echo request, length 98; VNI 42, remote 10.65.132.188, FDB hit, to_remote\n",
			},
			drops: {" veth1 drop 01:00:00:00:00:01 > 02:00:00:00:77:02, ethertype 0x88b6, length 60; VNI 42, dropped, bad_source_mac: The frame's source MAC address is zero or multicast.\n"},
			port:  {" veth1 rx   02:00:00:00:77:08 > 02:00:00:00:77:09, ethertype 0x88b6, length 60; VNI 42, flooded\n"},
		} {
			for _, want := range wants {
				if !strings.Contains(c.stdout.String(), want) {
					return fmt.Sprintf("lacks %q:\n%s%s", want, c.stdout, c.said)
				}
			}
		}
		return ""
	})
	if out := head.endWhile(ping); strings.Count(out, "\n") != 2 || strings.TrimSpace(strings.ReplaceAll(head.said.String(), "gw: capturing (Ctrl-C ends it)", "")) != "" {
		t.Errorf("| head: %q, said %q", out, head.said)
	}
	device := capturingShell(t, g.host, `exec "$GW" capture --port gw42-x -c 1 icmp`) // as gw port show has it
	ping()
	if out, status := device.end(); status != 0 || !strings.Contains(out, " gw42 rx   172.17.1.2 > 172.17.1.3, ICMP echo request") ||
		!strings.Contains(device.said.String(), "\n1 packet captured\n0 packets dropped by gw\n") {
		t.Errorf("--port gw42-x: exit status %d, %q, said %q", status, out, device.said)
	}
	for line := range strings.Lines(drops.interrupt()) {
		if !strings.Contains(line, " drop ") || !strings.Contains(line, "dropped, ") {
			t.Errorf("--dir drop shows %q", line)
		}
	}
	for line := range strings.Lines(port.interrupt()) {
		if !strings.Contains(line, " veth1 rx ") && !strings.Contains(line, " veth1 drop ") {
			t.Errorf("--port veth1 --dir rx shows %q", line)
		}
	}
	inner.interrupt()
	g.stop()
}

// What cannot be captured, or not be written, is said, with the word at fault.
func TestCaptureRefused(t *testing.T) {
	t.Parallel()
	g, _, _ := captureBed(t)
	for _, c := range []struct {
		args   []string
		want   string
		status int
	}{
		{[]string{"host", "10.0.0.1", "and", "frob"}, `gw: capture: filter: "frob" at character 19: not known (a test begins with a word such as host, net, port, tcp, ether or vlan)`, 2},
		{[]string{"--dir", "up"}, `gw: capture: dir "up" is none of rx, tx and drop`, 2},
		{[]string{"--vni", "16777216"}, "gw: capture: --vni 16777216: a VNI is a number from 0 to 16777215", 2},
		{[]string{"--remote", "x"}, "gw: capture: --remote x is no IP address", 2},
		{[]string{"--port", "veth7"}, "gw: capture: veth7 is neither the underlay nor a port of this gateway (gw port show lists them)", 1},
		{[]string{"--vni", "43"}, "gw: capture: there is no vni 43 (there is 42)", 1},
		{[]string{"-w", "/proc/none/x"}, "gw: capture: write to /proc/none/x: no such file or directory", 1},
	} {
		_, stderr, status := runGW(t, g.host, append([]string{"capture"}, c.args...)...)
		if stderr != c.want+"\n" || status != c.status {
			t.Errorf("%q: exit status %d, %q, want %d, %q", c.args, status, stderr, c.status, c.want)
		}
	}
	var running []*capturing
	for range 4 {
		running = append(running, capturingShell(t, g.host, `exec "$GW" capture arp`))
	}
	if _, stderr, status := runGW(t, g.host, "capture"); status != 1 || stderr != "gw: capture: as many captures run as may (4: end one of them)\n" {
		t.Errorf("a fifth one: exit status %d, %q", status, stderr)
	}
	// One whose client is gone makes room for another.
	must(t, running[0].cmd.Process.Kill())
	running[0].cmd.Wait()
	eventually(t, func() string {
		run, err := g.client.Capture(testContext(t), control.CaptureSpec{})
		if err != nil {
			return err.Error()
		}
		must(t, run.Close())
		return ""
	})
	for _, r := range running[1:] {
		r.interrupt()
	}
	g.stop()
}
