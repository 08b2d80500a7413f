package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
	"vxgw/netdev"
)

// What gw does with what it cannot do: exit status 2 for usage and configuration, 1
// for the environment, one line that names the thing and the cure, nothing left.

// refusal is one way to start gw in vain.
type refusal struct {
	name   string
	before func(t *testing.T, h *lab.Host) // makes the environment bad, for the time of the test
	args   []string
	less   string // privileges it has not got, see lessPrivilege
	nobody bool
	status int
	want   []string // parts of the one line
}

// newUnderlay makes a host with an underlay interface, a veth pair to bridge, and
// a neighbour.
func newUnderlay(t *testing.T) (l *lab.Lab, h, peer *lab.Host) {
	t.Helper()
	l = newLab(t)
	h, peer = newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", peer, "veth1", lab.VethOptions{MTU: 1450}))
	return l, h, peer
}

// cable makes the underlay between a host and a neighbour.
func cable(t *testing.T, l *lab.Lab, h, peer *lab.Host) {
	t.Helper()
	must(t, l.Veth(h, "ens18", peer, "ens18", lab.VethOptions{}))
	must(t, h.AddAddress("ens18", "10.65.132.187/24"))
	must(t, peer.AddAddress("ens18", "10.65.132.188/24"))
}

// refuse runs the rows one after another on one host.
func refuse(t *testing.T, h *lab.Host, rows []refusal) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.before != nil {
				r.before(t, h)
			}
			links, files := dump(t, h), runFiles(t, h)
			stderr, status := r.run(t, h)
			if status != r.status {
				t.Errorf("exit status %d, want %d", status, r.status)
			}
			line := onlyLine(t, stderr)
			for _, w := range r.want {
				if !strings.Contains(line, w) {
					t.Errorf("it says %q, which lacks %q", line, w)
				}
			}
			sameDump(t, links, h)
			if d := cmp.Diff(files, runFiles(t, h)); d != "" {
				t.Errorf("files left behind (-before +after):\n%s", d)
			}
		})
	}
}

// run starts gw and waits for its end.
func (r *refusal) run(t *testing.T, h *lab.Host) (stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := command(ctx, h, r.args...)
	if r.less != "" {
		c.Env = append(c.Env, lessPrivilege+"="+r.less)
	}
	if r.nobody {
		c.Path = forEverybody(t)
		c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Errorf("it ran on:\n%s", &errs)
	}
	if out.Len() > 0 {
		t.Errorf("standard output: %s", &out)
	}
	return errs.String(), c.ProcessState.ExitCode()
}

// onlyLine returns the line on standard error that is not of the log.
func onlyLine(t *testing.T, stderr string) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(stderr) {
		if !json.Valid([]byte(line)) {
			found = append(found, line)
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "gw: ") || strings.HasPrefix(found[0], "gw: gw") {
		t.Fatalf("want one line \"gw: ...\" beside the log, got:\n%s", stderr)
	}
	return strings.TrimSuffix(found[0], "\n")
}

// forEverybody is a copy of the test binary that any user may run.
func forEverybody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gwtest")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	program, err := os.ReadFile(os.Args[0])
	must(t, err)
	path := filepath.Join(dir, "gw")
	must(t, os.WriteFile(path, program, 0o755))
	return path
}

// dump is the state of a host's network as text.
func dump(t *testing.T, h *lab.Host) string {
	t.Helper()
	d, err := h.Dump()
	must(t, err)
	return d
}

// runFiles lists the files that gateways on a host have.
func runFiles(t *testing.T, h *lab.Host) (files []string) {
	t.Helper()
	must(t, h.Do(func() (err error) {
		p := netdev.PathsFor("*")
		for _, pattern := range []string{p.Socket, p.State + "*", p.Lock, p.Handover} {
			found, err := filepath.Glob(pattern)
			if err != nil {
				return err
			}
			files = append(files, found...)
		}
		return nil
	}))
	return files
}

// removeRunFiles removes them and returns which there were.
func removeRunFiles(t *testing.T, h *lab.Host) []string {
	t.Helper()
	files := runFiles(t, h)
	for _, f := range files {
		must(t, os.Remove(f))
	}
	return files
}

// write puts a text into a file of the test.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// on is the shortest good command line, and more.
func on(more ...string) []string {
	return append([]string{"--iface", "ens18", "--vni", "42", "--metrics", ""}, more...)
}

func TestBadCommandLine(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	refuse(t, h, []refusal{
		{name: "nothing", status: 2, want: []string{"no underlay interface", "--iface"}},
		{name: "unknown flag", args: on("--adress", "172.17.1.2/24"), status: 2, want: []string{"--adress", "gw --help"}},
		{name: "unknown flag of status", args: []string{"status", "--wiat", "5s"}, status: 2, want: []string{"--wiat", "gw status --help"}},
		{name: "flag without value", args: []string{"--iface"}, status: 2, want: []string{"--iface"}},
		{name: "unknown command", args: []string{"frobnicate"}, status: 2, want: []string{`"frobnicate"`, "gw --help"}},
		{name: "command misspelt", args: []string{"staus"}, status: 2, want: []string{`"staus"`, "did you mean gw stats or gw status?"}},
		{name: "command of fdb misspelt", args: []string{"fdb", "shwo"}, status: 2, want: []string{`"shwo"`, "did you mean gw fdb show?"}},
		{name: "underlay twice", args: on("--iface", "veth1"), status: 2, want: []string{`"veth1"`, "--iface", "twice"}},
		{name: "group twice", args: on("--group", "239.1.1.1", "--group", "239.1.1.2"), status: 2, want: []string{`"239.1.1.2"`, "--group", "twice"}},
		{name: "argument too many", args: []string{"run", "now"}, status: 2, want: []string{`"now"`, "gw run --help"}},
		{name: "wait for nonsense", args: []string{"status", "--wait", "soon"}, status: 2, want: []string{"soon", "--wait"}},
		{name: "cleanup of nothing", args: []string{"cleanup"}, status: 2, want: []string{"--iface is missing"}},
		{name: "config and vni", args: []string{"--config", "gw.yaml", "--vni", "42"}, status: 2, want: []string{"--config and --vni"}},
		{name: "config and remote", args: []string{"--config", "gw.yaml", "--remote", "10.1.1.1"}, status: 2, want: []string{"--config and --remote"}},
		{name: "config of no name", args: []string{"--config", ""}, status: 2, want: []string{"--config is empty"}},
		{name: "empty remote", args: on("--remote", ""), status: 2, want: []string{"--remote is empty"}},
		{name: "empty port", args: on("--port", ""), status: 2, want: []string{"--port is empty"}},
		{name: "empty group", args: on("--group", ""), status: 2, want: []string{"--group is empty"}},
		{name: "log format", args: on("--log-format", "xml"), status: 2, want: []string{"xml", "json"}},
		{name: "log level", args: on("--log-level", "loud"), status: 2, want: []string{"loud", "info"}},
		{name: "mode", args: on("--mode", "fast"), status: 2, want: []string{"fast", "auto, zerocopy, copy, generic"}},
		{name: "no vni", args: []string{"--iface", "ens18"}, status: 2, want: []string{"no vni", "--vni"}},
		{name: "vni 0", args: []string{"--iface", "ens18", "--vni", "0"}, status: 2, want: []string{"vni 0", "1-16777215"}},
		{name: "vni 2^24", args: []string{"--iface", "ens18", "--vni", "16777216"}, status: 2, want: []string{"vni 16777216", "1-16777215"}},
		{name: "vni in words", args: []string{"--iface", "ens18", "--vni", "blue"}, status: 2, want: []string{"blue", "--vni"}},
		{name: "vni a range", args: []string{"--iface", "ens18", "--vni", "42-44"}, status: 2, want: []string{`"42-44" for "--vni" flag: invalid syntax (gw --help`}},
		{name: "value of a switch", args: on("--udpcsum", "false"), status: 2, want: []string{`"false" belongs to no flag`, "--udpcsum=false"}},
		{name: "vni negative", args: []string{"--iface", "ens18", "--vni", "-1"}, status: 2, want: []string{"-1", "--vni"}},
		{name: "vni twice", args: on("--vni", "42"), status: 2, want: []string{"vni 42 is given twice"}},
		{name: "two vnis and a port", args: on("--vni", "43", "--port", "veth1"), status: 2, want: []string{"one --vni", "--config"}},
		{name: "dstport 0", args: on("--dstport", "0"), status: 2, want: []string{"dstport 0", "4789"}},
		{name: "dstport 65536", args: on("--dstport", "65536"), status: 2, want: []string{"65536", "4789"}},
		{name: "metrics nowhere", args: []string{"--iface", "ens18", "--vni", "42", "--metrics", "9478"}, status: 2, want: []string{`"9478"`, "127.0.0.1:9478"}},
		{name: "control too long", args: on("--control", "/run/"+strings.Repeat("x", 120)), status: 2, want: []string{"control", "107 bytes"}},
	})
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	must(t, h.LinkLocal())
	refuse(t, h, []refusal{
		{name: "group not multicast", args: on("--group", "10.1.1.1"), status: 2, want: []string{"group 10.1.1.1", "not multicast", "224.1.1.1"}},
		{name: "group of this link only", args: on("--group", "224.0.0.1"), status: 2, want: []string{"group 224.0.0.1"}},
		{name: "group no address", args: on("--group", "224.1.1"), status: 2, want: []string{"--group", "224.1.1"}},
		{name: "remote no address", args: on("--remote", "10.65.132.300"), status: 2, want: []string{"--remote", "10.65.132.300"}},
		{name: "remote a name", args: on("--remote", "node2.example"), status: 2, want: []string{"--remote", "node2.example"}},
		{name: "remote IPv6", args: on("--remote", "2001:db8::1"), status: 2, want: []string{"2001:db8::1"}},
		{name: "remote multicast", args: on("--remote", "224.1.1.1"), status: 2, want: []string{"remote 224.1.1.1", "group"}},
		{name: "remote zero", args: on("--remote", "0.0.0.0"), status: 2, want: []string{"remote 0.0.0.0"}},
		{name: "remote loopback", args: on("--remote", "127.0.0.1"), status: 2, want: []string{"remote 127.0.0.1"}},
		{name: "remote broadcast", args: on("--remote", "255.255.255.255"), status: 2, want: []string{"remote 255.255.255.255"}},
		{name: "remote twice", args: on("--remote", "10.65.132.188", "--remote", "10.65.132.188"), status: 2, want: []string{"given twice"}},
		{name: "remote is local", args: on("--local", "10.65.132.187", "--remote", "10.65.132.187"), status: 2, want: []string{"remote 10.65.132.187"}},
		{name: "remote is the default local", args: on("--remote", "10.65.132.187"), status: 2, want: []string{"vni 42", "remote 10.65.132.187", "own address"}},
		{name: "local elsewhere", args: on("--local", "10.65.132.99"), status: 2, want: []string{"10.65.132.99", "10.65.132.187", "--local", "ip address add"}},
		{name: "local IPv6", args: on("--local", "2001:db8::1"), status: 2, want: []string{"2001:db8::1"}},
		{name: "local multicast", args: on("--local", "224.1.1.1"), status: 2, want: []string{"224.1.1.1"}},
		{name: "address without prefix", args: on("--address", "172.17.1.2"), status: 2, want: []string{"--address", "172.17.1.2", "172.17.1.2/24"}},
		{name: "address too long", args: on("--address", "172.17.1.2/33"), status: 2, want: []string{"--address", "172.17.1.2/33"}},
		{name: "address twice", args: on("--address", "172.17.1.2/24", "--address", "172.17.1.2/24"), status: 2, want: []string{"172.17.1.2", "twice"}},
		{name: "address without device", args: on("--port", "veth1", "--address", "172.17.1.2/24"), status: 2, want: []string{"--address", "--device gw42"}},
	})
}

func TestBadInterfaces(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	iface := func(name string) []string { return []string{"--iface", name, "--vni", "42", "--metrics", ""} }
	refuse(t, h, []refusal{
		{name: "underlay misspelt", args: iface("ens81"), status: 2, want: []string{`"ens81"`, "did you mean ens18?"}},
		{name: "underlay unknown", args: iface("wlp3s0"), status: 2, want: []string{`"wlp3s0"`, "ens18", "veth1"}},
		{name: "underlay without address", args: iface("veth1"), status: 2, want: []string{"veth1", "no global IPv4 address", "ip address add", "--local"}},
		{name: "port misspelt", args: on("--port", "vet1"), status: 2, want: []string{"vni 42", `"vet1"`, "did you mean veth1?"}},
		{name: "port is the underlay", args: on("--port", "ens18"), status: 2, want: []string{"port ens18", "underlay"}},
		{name: "port twice", args: on("--port", "veth1", "--port", "veth1"), status: 2, want: []string{"port veth1", "already"}},
		{name: "device is the underlay", args: on("--device", "ens18"), status: 2, want: []string{"ens18"}},
		{name: "device is a port", args: on("--device", "veth1", "--port", "veth1"), status: 2, want: []string{"veth1"}},
		{name: "device name too long", args: on("--device", "overlay-device"), status: 2, want: []string{"overlay-device", "13"}},
		{name: "device name with a slash", args: on("--device", "a/b"), status: 2, want: []string{"a/b"}},
		{name: "device name taken", args: on("--device", "veth1"), status: 1, want: []string{"veth1", "--device", "ip link del veth1"}},
		{name: "device is the loopback", args: on("--device", "lo"), status: 1, want: []string{"lo already", "--device"}},
		{name: "no zero-copy", args: on("--mode", "zerocopy"), status: 1, want: []string{"ens18", "zero-copy", "mode copy"}},
	})
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	file := func(text string) []string { return []string{"--config", write(t, text)} }
	const good = "underlay: {iface: ens18}\nmetrics: {listen: \"\"}\n"
	secret := write(t, good)
	must(t, os.Chmod(secret, 0))
	refuse(t, h, []refusal{
		{name: "missing", args: []string{"--config", "/nowhere/gw.yaml"}, status: 2, want: []string{"/nowhere/gw.yaml", "no such file"}},
		{name: "a folder", args: []string{"--config", os.TempDir()}, status: 2, want: []string{os.TempDir(), "directory"}},
		{name: "unreadable", args: []string{"--config", secret}, nobody: true, status: 2, want: []string{"permission denied"}},
		{name: "empty", args: file(""), status: 2, want: []string{"gw.yaml", "empty"}},
		{name: "key misspelt", args: file(good + "vnis:\n  - vni: 42\n    remots: [10.65.132.188]\n"), status: 2, want: []string{"gw.yaml:5:", `"remots"`, "did you mean remotes?"}},
		{name: "key of another section", args: file(good + "vnis:\n  - vni: 42\nmode: copy\n"), status: 2, want: []string{"gw.yaml:5:", `"mode"`}},
		{name: "number in quotes", args: file(good + "vnis:\n  - vni: \"42\"\n"), status: 2, want: []string{"gw.yaml:4:", "vni", "not a whole number"}},
		{name: "text for a list", args: file(good + "vnis:\n  - vni: 42\n    remotes: 10.65.132.188\n"), status: 2, want: []string{"gw.yaml:5:", "remotes", "[a, b]"}},
		{name: "list for a mapping", args: file("underlay: [ens18]\n"), status: 2, want: []string{"gw.yaml:1:", "underlay"}},
		{name: "out of step", args: file(good + "vnis:\n  - vni: 42\n   group: 224.1.1.1\n"), status: 2, want: []string{"gw.yaml:"}},
		{name: "no YAML", args: file("\x00\x01\x02"), status: 2, want: []string{"gw.yaml"}},
		{name: "value out of range", args: file(good + "vnis:\n  - vni: 16777216\n"), status: 2, want: []string{"gw.yaml:4:", "16777216"}},
		{name: "port unknown", args: file(good + "vnis:\n  - vni: 42\n    ports: [vet1]\n"), status: 2, want: []string{"vni 42", `"vet1"`, "did you mean veth1?"}},
		{name: "fdb entry to oneself", args: file(good + "vnis:\n  - vni: 42\n    fdb: [{mac: \"02:00:00:00:00:01\", dst: 10.65.132.187}]\n"), status: 2, want: []string{"vni 42", "02:00:00:00:00:01", "10.65.132.187", "own address"}},
		{name: "fdb entry to nowhere", args: file(good + "vnis:\n  - vni: 42\n    fdb: [{mac: \"02:00:00:00:00:01\", port: veth1}]\n"), status: 2, want: []string{"02:00:00:00:00:01", "veth1"}},
	})
}
