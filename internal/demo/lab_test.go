package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// childKnock names the environment variable that makes the test binary knock at the address in it.
const childKnock = "VXGW_DEMO_TEST_KNOCK"

// knock sends UDP to a port that nobody has, until the host there says so (ICMP port unreachable): a ping that every
// machine has.
func knock(to string) error {
	c, err := net.Dial("udp", net.JoinHostPort(to, "9"))
	if err != nil {
		return err
	}
	defer c.Close()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if _, err = c.Write([]byte("knock")); err == nil {
			c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, err = c.Read(make([]byte, 8))
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
	}
	return fmt.Errorf("no answer from %s: %w", to, err)
}

// stand is a lab under test.
type stand struct {
	t            *testing.T
	gw, name     string
	seen         []namespace
	stdout, told string
}

// newStand returns a name that no lab has. Whatever becomes of the test, nothing stays.
func newStand(t *testing.T) *stand {
	s := &stand{t: t, gw: build(t), name: strings.TrimPrefix(ownPrefix(), "gw-demo-")}
	t.Cleanup(func() {
		remove(s.prefix())
		release(s.seen)
	})
	return s
}

func (s *stand) prefix() string { return labPrefix + "-" + s.name }

// lab runs gw lab VERB --name and returns its exit status. What it says is in stdout and told.
func (s *stand) lab(verb string, args ...string) int {
	s.t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(s.gw, append([]string{"lab", verb, "--name", s.name}, args...)...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		s.t.Fatal(err)
	}
	s.stdout, s.told = out.String(), errs.String()
	return c.ProcessState.ExitCode()
}

// want runs gw lab and checks its exit status and what it says.
func (s *stand) want(status int, text string, verb string, args ...string) {
	s.t.Helper()
	got := s.lab(verb, args...)
	if got != status || !strings.Contains(s.stdout+s.told, text) || strings.Count(s.told, "\n") > 1 {
		s.t.Errorf("lab %s %q: exit status %d, want %d and %q:\n%s%s", verb, args, got, status, text, s.stdout, s.told)
	}
}

// up builds the lab and holds its namespaces.
func (s *stand) up(scenario, vtep string) {
	s.t.Helper()
	if status := s.lab("up", "--scenario", scenario, "--vtep", vtep); status != 0 {
		s.t.Fatalf("lab up: exit status %d: %s", status, s.told)
	}
	s.hold()
}

func (s *stand) hold() {
	s.t.Helper()
	found, err := hold(s.prefix() + "-")
	s.seen = append(s.seen, found...)
	must(s.t, err)
}

// knocks lets one of the lab knock at an address.
func (s *stand) knocks(from, to string) {
	s.t.Helper()
	self, err := os.Executable()
	must(s.t, err)
	s.want(0, "", "exec", from, "--", "env", childKnock+"="+to, self)
}

// gateways returns the pids of the lab's gateways, by host.
func (s *stand) gateways() map[string]int {
	s.t.Helper()
	s.lab("status", "-j")
	var status LabStatus
	must(s.t, json.Unmarshal([]byte(s.stdout), &status))
	all := map[string]int{}
	for _, h := range status.Hosts {
		if h.PID != 0 {
			all[h.Name] = h.PID
		}
	}
	return all
}

// nothing checks that the lab is gone without a trace.
func (s *stand) nothing(gateways map[string]int) {
	s.t.Helper()
	var output strings.Builder
	for _, pid := range gateways {
		fmt.Fprintf(&output, ", pid %d\n", pid)
	}
	nothingLeft(s.t, s.prefix(), output.String(), s.seen)
	if left, err := lab.Claims(s.prefix()); err != nil || len(left) > 0 {
		s.t.Errorf("left: %v %v", left, err)
	}
}

// Two labs side by side, each with what was asked for, do not know of one another.
func TestLab(t *testing.T) {
	a, b := newStand(t), newStand(t)
	a.up("bridge", "mixed")
	b.up("ptp", "gw")
	a.knocks("net1", "172.19.1.5") // gw, and a kernel bridge on host3
	a.knocks("net3", "172.19.1.3")
	b.knocks("host2", "172.17.1.2")

	a.want(0, "| net4    172.19.1.5/24     |", "status")
	a.want(0, "container on host3", "status")
	a.want(0, "host1# gw --iface ens18 --vni 42 --group 224.1.1.1 --port veth1 --port veth2\n", "status")
	b.want(0, "gw, ready, pid ", "status")
	ofA, ofB := a.gateways(), b.gateways()
	if len(ofA) != 1 || ofA["host1"] == 0 || len(ofB) != 2 || ofB["host2"] == 0 {
		t.Errorf("gateways %v and %v", ofA, ofB)
	}

	a.want(37, "", "exec", "net2", "--", "sh", "-c", "exit 37")
	for _, host := range []string{"host1", "net1"} { // they speak IPv6, as other machines do
		a.want(0, "fe80", "exec", host, "--", "cat", "/proc/net/if_inet6")
	}
	a.want(0, "veth2\n", "exec", "host1", "--", "ls", "/sys/class/net")
	a.want(0, "-ons", "exec", "host1", "--", "echo", "-ons")
	a.want(-1, "", "exec", "host1", "--", "sh", "-c", "kill -9 $$")
	a.want(1, "no-such-program", "exec", "host1", "--", "no-such-program")
	a.want(2, "host1, net1, net2, host2, net3, host3, net4", "exec", "host4", "--", "true")
	a.want(1, "stands already", "up", "--scenario", "ptp")

	a.want(0, "", "down")
	a.nothing(ofA)
	b.knocks("host1", "172.17.1.3")
	must(t, unix.Kill(ofB["host2"], unix.SIGKILL))
	for end := time.Now().Add(10 * time.Second); runs(ofB["host2"]) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	b.want(1, "host2: ", "status")
	b.want(0, "", "down")
	b.nothing(ofB)
	b.want(0, "nothing to remove", "down")
	b.want(1, "no such lab", "status")
}

// A lab with kernel devices only needs no AF_XDP.
func TestLabKernel(t *testing.T) {
	s := newStand(t)
	s.up("multicast", "kernel")
	s.knocks("host2", "172.17.1.4")
	s.want(0, "host3# ip link add vxlan0 type vxlan id 42 ", "status")
	if g := s.gateways(); len(g) > 0 {
		t.Errorf("gateways %v", g)
	}
	s.want(0, "", "down")
	s.nothing(nil)
}

// What a killed or interrupted up has made does not stay, and does not keep another one from its name.
func TestLabEnded(t *testing.T) {
	for _, tc := range []struct {
		sig  unix.Signal
		then string // the first call afterwards
	}{{unix.SIGKILL, "down"}, {unix.SIGKILL, "up"}, {unix.SIGTERM, ""}} {
		t.Run(tc.sig.String()+" "+tc.then, func(t *testing.T) {
			s := newStand(t)
			var told bytes.Buffer
			c := s.unfinished(&told)
			s.want(1, "is not finished", "exec", "host1", "--", "true")
			s.want(1, "is being built by another", "up", "--scenario", "ptp")
			must(t, c.Process.Signal(tc.sig))
			_ = c.Process.Signal(unix.SIGCONT) // fails if it is gone, which is what we want
			err := c.Wait()
			if err == nil || tc.then == "" && told.String() != "gw: lab: interrupted, everything is removed\n" {
				t.Errorf("%v: %s", err, told.String())
			}
			s.hold()
			if tc.then == "up" {
				s.up("ptp", "kernel")
				s.knocks("host1", "172.17.1.3")
			}
			if tc.then != "" {
				s.want(0, "", "down")
			}
			s.nothing(nil)
		})
	}
}

// unfinished returns a gw lab up that has been halted in the midst of its work: SIGCONT has it go on. Where it was done
// before it could be halted, another one is.
func (s *stand) unfinished(stderr *bytes.Buffer) *exec.Cmd {
	s.t.Helper()
	for range 20 {
		c := exec.Command(s.gw, "lab", "up", "--name", s.name, "--scenario", "bridge")
		c.Stderr = stderr
		must(s.t, c.Start())
		for len(s.seen) == 0 {
			s.hold()
		}
		must(s.t, c.Process.Signal(unix.SIGSTOP))
		for runs(c.Process.Pid) && state(c.Process.Pid) != "T" {
			time.Sleep(time.Millisecond)
		}
		if s.lab("exec", "host1", "--", "true"); strings.Contains(s.told, "is not finished") {
			return c
		}
		must(s.t, c.Process.Signal(unix.SIGCONT))
		must(s.t, c.Wait())
		s.want(0, "", "down")
		release(s.seen)
		s.seen = nil
	}
	s.t.Fatal("gw lab up is always done before it can be halted")
	return nil
}

// A gw that does not come up fails the lab with what it said.
func TestLabNoProgram(t *testing.T) {
	s := newStand(t)
	o := NewLabOptions("/bin/false", s.name, "ptp", "gw")
	if err := Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), "gw on host") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error: %v", err)
	}
	s.nothing(nil)
}
