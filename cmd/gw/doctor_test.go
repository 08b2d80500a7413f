package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/doctor"
	"vxgw/internal/lab"
	"vxgw/netdev"
)

// newPatient is a host as gw would run on it.
func newPatient(t *testing.T) *lab.Host {
	t.Helper()
	l := newLab(t)
	h := newHost(t, l, "node1")
	must(t, l.Veth(h, "ens18", newHost(t, l, "node2"), "ens18", lab.VethOptions{MTU: 1550}))
	must(t, h.AddAddress("ens18", under1.String()+"/24"))
	must(t, l.Veth(h, "veth1", newHost(t, l, "box"), "veth0", lab.VethOptions{}))
	return h
}

// diagnose runs gw doctor -j, whose exit status has to be that of the worst finding.
func diagnose(t *testing.T, h *lab.Host, env []string, args ...string) (r doctor.Report) {
	t.Helper()
	c := command(testContext(t), h, append([]string{"doctor", "-j"}, args...)...)
	c.Env = append(c.Env, env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	_ = c.Run()
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s%s", err, &out, &errs)
	}
	if status := c.ProcessState.ExitCode(); status != int(r.Worst()) || errs.Len() > 0 {
		t.Errorf("exit status %d with %s: %s", status, r.Worst(), &errs)
	}
	return r
}

// found wants a finding of a level with words in it.
func found(t *testing.T, r doctor.Report, id string, level doctor.Level, words string) {
	t.Helper()
	if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool {
		return f.ID == id && f.Level == level && strings.Contains(f.Text+" "+f.Cure, words)
	}) {
		t.Errorf("no %s of %s with %q: %+v, not seen: %+v", level, id, words, r.Findings, r.Unseen)
	}
}

// complaints lists the ids of what is not ok.
func complaints(r doctor.Report) (ids []string) {
	for _, f := range r.Findings {
		if f.Level != doctor.OK {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// The text has what JSON has, without colours where it is no terminal; the exit status says how bad it is, and usage
// errors stay what they are.
func TestDoctorTells(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	args := []string{"--iface", "ens18", "--vni", "42", "--port", "veth1", "--remote", under2.String()}
	r := diagnose(t, h, nil, args...)
	must(t, h.SetDown("ens18"))
	down := diagnose(t, h, nil, args...)
	found(t, down, "underlay.link", doctor.Error, "ip link set dev ens18 up")
	if down.Worst() != doctor.Error {
		t.Errorf("%s", down.Worst())
	}
	must(t, h.SetUp("ens18"))
	stdout, stderr, status := runGW(t, h, append([]string{"doctor"}, args...)...)
	if stderr != "" || status != int(r.Worst()) || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit status %d: %s%s", status, stdout, stderr)
	}
	for _, f := range r.Findings {
		if !strings.Contains(stdout, f.ID) || !strings.Contains(stdout, strings.ToUpper(f.Group)+"\n") {
			t.Errorf("the text lacks %s:\n%s", f.ID, stdout)
		}
	}
	for _, bad := range [][]string{{"--mode", "fast"}, {"--config", "/none.yaml"}, {"--iface", "a/b"}, {"--config", "x", "--iface", "ens18"}, {"ens18"}} {
		if stdout, stderr, status := runGW(t, h, append([]string{"doctor"}, bad...)...); status == 0 || stderr == "" || stdout != "" {
			t.Errorf("%v: exit status %d: %s%s", bad, status, stdout, stderr)
		}
	}
}

// While gw runs it is asked, and not disturbed; what is left of it when it was killed is found, and what cures it does.
func TestDoctorAndGateway(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	program := func() (id uint32) {
		must(t, h.Do(func() error {
			i, err := netdev.Lookup("ens18")
			id = i.XDPProgID
			return err
		}))
		return id
	}
	g := start(t, h, on("--remote", under2.String(), "--port", "veth1")...)
	before, was := program(), g.status()
	r := diagnose(t, h, nil)
	found(t, r, "underlay.mode", doctor.OK, "the running gw has bound it")
	found(t, r, "port.mode", doctor.OK, "the running gw has bound it")
	found(t, r, "underlay.xdp", doctor.OK, "")
	found(t, r, "port.xdp", doctor.OK, "")
	if ids := complaints(r); slices.Contains(ids, "gateway.leftovers") || slices.Contains(ids, "gateway.metrics") {
		t.Errorf("%v", ids)
	}
	r = diagnose(t, h, nil, "--iface", "ens18", "--probe")
	found(t, r, "underlay.mode", doctor.OK, "the running gw has bound it")
	if after, is := program(), g.status(); after != before || is.PID != was.PID || !is.Ready {
		t.Errorf("the program was %d and is %d, ready %v", before, after, is.Ready)
	}
	if bad := g.log.grep(`"level":"ERROR"`); bad != "" {
		t.Error(bad)
	}

	g.end(unix.SIGKILL)
	r = diagnose(t, h, nil, "--iface", "ens18")
	found(t, r, "gateway.leftovers", doctor.Warning, "gw cleanup --iface ens18")
	found(t, r, "gateway.running", doctor.OK, "no gw runs")
	output(t, h, "cleanup", "--iface", "ens18")
	found(t, diagnose(t, h, nil, "--iface", "ens18"), "gateway.leftovers", doctor.OK, "")
}

// One whose socket is elsewhere is not taken for a stranger, and asked where it is said to be.
func TestDoctorOfSocketElsewhere(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	path := filepath.Join(t.TempDir(), "gw.sock")
	g := start(t, h, on("--remote", under2.String(), "--port", "veth1", "--control", path)...)
	r := diagnose(t, h, nil, "--iface", "ens18", "--port", "veth1")
	found(t, r, "gateway.running", doctor.Warning, "does not answer")
	if ids := complaints(r); slices.Contains(ids, "underlay.xdp") || slices.Contains(ids, "port.xdp") || slices.Contains(ids, "gateway.leftovers") {
		t.Errorf("%v", ids)
	}
	r = diagnose(t, h, nil, "--control", path)
	found(t, r, "underlay.mode", doctor.OK, "the running gw has bound it")
	found(t, r, "underlay.xdp", doctor.OK, "")
	g.stop()
}

// The user that it runs as is the one that is looked at: what it lacks is an error, and what it cannot see is no finding.
func TestDoctorPrivilege(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	args := []string{"--iface", "ens18", "--vni", "42", "--port", "veth1"}
	r := diagnose(t, h, []string{lessPrivilege + "=" + join(unix.CAP_PERFMON, unix.CAP_SYS_ADMIN)}, args...)
	found(t, r, "privilege.capabilities", doctor.Error, "CAP_PERFMON")

	r = diagnose(t, h, []string{lessPrivilege + "=memlock=8388608," + join(unix.CAP_IPC_LOCK, unix.CAP_SYS_RESOURCE)}, args...)
	found(t, r, "privilege.memlock", doctor.Error, "LimitMEMLOCK")
	r = diagnose(t, h, []string{lessPrivilege + "=" + join(unix.CAP_SYS_NICE)}, args...)
	found(t, r, "privilege.capabilities", doctor.Warning, "CAP_SYS_NICE")

	var all []int
	for c := range unix.CAP_LAST_CAP + 1 {
		if c != unix.CAP_SETPCAP { // which the others go by
			all = append(all, c)
		}
	}
	r = diagnose(t, h, []string{lessPrivilege + "=" + join(append(all, unix.CAP_SETPCAP)...)}, args...)
	found(t, r, "privilege.capabilities", doctor.Error, "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON")
	found(t, r, "underlay.mtu", doctor.OK, "")
	for _, id := range []string{"kernel.af_xdp", "kernel.bpf", "underlay.mode", "traffic.firewall"} {
		if !slices.ContainsFunc(r.Unseen, func(u doctor.Unseen) bool { return u.ID == id }) {
			t.Errorf("%s was seen: %+v", id, r.Unseen)
		}
	}
	for _, id := range complaints(r) {
		if !strings.HasPrefix(id, "privilege.") {
			t.Errorf("%s is complained of: %+v", id, r.Findings)
		}
	}
}

// Colours are for terminals, and for who has not set NO_COLOR.
func TestDoctorColours(t *testing.T) {
	var plain, colour bytes.Buffer
	r := doctor.Report{Findings: []doctor.Finding{{ID: "a.b", Group: "a", Level: doctor.Warning, Text: "bad", Cure: "mend it"}}}
	must(t, printReport(&plain, r, false))
	must(t, printReport(&colour, r, true))
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(colour.String(), "\x1b[33mwarning\x1b[0m") {
		t.Errorf("%q, %q", plain.String(), colour.String())
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer terminal.Close()
	for _, c := range []struct {
		none string
		want bool
	}{{"", true}, {"1", false}} {
		t.Setenv("NO_COLOR", c.none)
		if colourful(terminal) != c.want {
			t.Errorf("NO_COLOR=%s: colours %v", c.none, !c.want)
		}
	}
}
