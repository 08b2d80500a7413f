package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/control"
	"vxgw/internal/lab"
)

// runWith runs gw with variables in its environment.
func runWith(t *testing.T, h *lab.Host, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := command(testContext(t), h, args...)
	c.Env = append(c.Env, env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// A flag wins over its variable, that over the file, that over the default; gw config show says which it was, and what a running
// gateway was told since.
func TestConfigShow(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	file := writeFile(t, "underlay: {iface: ens18, mode: generic}\nmetrics: {listen: ''}\nlog: {level: info}\nvnis:\n  - vni: 42\n    remotes: [10.65.132.188]\n    device: null\n    ageing: 60s\n")
	g := prepare(t, h, "--config", file, "--log-level", "debug")
	g.cmd.Env = append(g.cmd.Env, "GW_MODE=copy", "GW_LOG_LEVEL=warn", "GW_WORKERS=1")
	g.begin()
	g.ready()
	output(t, h, "vni", "add", "43", "--no-device", "--ttl", "7")
	output(t, h, "vni", "set", "42", "--ttl", "9")
	output(t, h, "remote", "add", "10.65.132.189", "--vni", "42")
	text := output(t, h, "config", "show")
	for _, want := range []string{
		"  iface: ens18 # " + file + ":1", "  mode: copy # GW_MODE", "  level: debug # --log-level", "  workers: 1 # GW_WORKERS", "  dstport: 4789 # default",
		"  - vni: 42 # " + file + ":5", `    ageing: "1m0s" # ` + file + ":8", "    remotes:  # changed at run time", `      - "10.65.132.189"`, "      ttl: 9 # changed at run time",
		"  - vni: 43 # changed at run time", "      ttl: 7 # changed at run time",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	same := func(text string) {
		t.Helper()
		cfg, err := config.Parse([]byte(text), "shown")
		must(t, err)
		if c := config.Compare(g.inForce(), cfg); !c.Empty() {
			t.Errorf("%s, fixed %v, is different in\n%s", &c, c.Fixed, text)
		}
	}
	same(text)
	same(output(t, h, "config", "show", "--running", "-j"))
	if out := output(t, h, "config", "check", writeFile(t, text)); !strings.Contains(out, "is right") {
		t.Error(out)
	}
	output(t, h, "log", "level", "warn")
	if text := output(t, h, "config", "show"); !strings.Contains(text, "  level: warn # changed at run time\n") {
		t.Errorf("after gw log level:\n%s", text)
	}
	g.reload("removed vni 43; changed vni 42 (remotes, tunnel); log.level is debug")
	if text := output(t, h, "config", "show", "--running", "--iface", "ens18"); strings.Contains(text, "run time") || !strings.Contains(text, "  mode: copy # GW_MODE\n") {
		t.Errorf("after a reload:\n%s", text)
	}
	g.stop()

	refuses(t, h, 1, "config show", "no gw answers")
	refuses(t, h, 2, "config show one two", "of what?")
	refuses(t, h, 2, "config show /nowhere.yaml", "no such file")
	if out, _, status := runWith(t, h, []string{"GW_IFACE=ens18", "GW_VNI=42,43", "GW_TTL=8"}, "config", "show"); status != 0 ||
		!strings.Contains(out, "  ttl: 8 # GW_TTL\n") || !strings.Contains(out, "  - vni: 43 # GW_VNI\n") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}

// inForce is the configuration that the gateway answers.
func (g *vtep) inForce() *config.Config {
	g.t.Helper()
	answer, err := g.client.Config(testContext(g.t))
	must(g.t, err)
	cfg, err := config.Parse(answer.Config, "the answer")
	must(g.t, err)
	return cfg
}

// A gateway that the environment alone describes, in words and errors of its own.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	path := filepath.Join(t.TempDir(), "gw.sock")
	env := []string{"GW_IFACE=ens18", "GW_VNI=42", "GW_REMOTE=10.65.132.188,10.65.132.189", "GW_METRICS=", "GW_NO_DEVICE=true", "GW_CONTROL=" + path, "GW_UDPCSUM=true"}
	g := prepare(t, h)
	g.control = path
	g.cmd.Env = append(g.cmd.Env, env...)
	g.begin()
	g.ready()
	v := g.inForce().VNIs
	if len(v) != 1 || len(v[0].Remotes) != 2 || v[0].Device != nil || !v[0].Tunnel.UDPCsum {
		t.Errorf("%+v", v)
	}
	out, _, _ := runWith(t, h, env, "status", "-j") // finds it by GW_CONTROL
	var s control.Status
	must(t, json.Unmarshal([]byte(out), &s))
	if s.PID != g.cmd.Process.Pid {
		t.Errorf("asked another one: %s", out)
	}
	g.stop()
	for _, r := range []struct {
		env  []string
		args []string
		want string
	}{
		{[]string{"GW_VNI=x"}, on(), ""},     // the flag wins
		{[]string{"GW_VERSION=x"}, on(), ""}, // no setting
		{[]string{"GW_MTU=x"}, on(), `GW_MTU: "x"`},
		{[]string{"GW_REMOTE="}, on(), "GW_REMOTE is empty (give a value, or unset it)"},
		{[]string{"GW_REMOTE=here"}, on(), `GW_REMOTE: "here" is not an IP address`},
		{[]string{"GW_MODE=fast"}, on(), `"fast" is unknown (give auto, zerocopy, copy, generic) (from the environment: GW_MODE)`},
		{[]string{"GW_NO_DEVICE=maybe"}, on(), `GW_NO_DEVICE: "maybe"`},
		{[]string{"GW_CONFIG=gw.yaml", "GW_VNI=42"}, nil, "GW_CONFIG and GW_VNI do not go together"},
		{[]string{"GW_CONFIG=gw.yaml"}, []string{"--vni", "42"}, "GW_CONFIG and --vni do not go together"},
		{[]string{"GW_CONFIG=/nowhere/gw.yaml"}, nil, "/nowhere/gw.yaml"},
	} {
		args := append([]string{"config", "show"}, r.args...)
		if r.args == nil {
			args = []string{"run"}
		}
		_, stderr, status := runWith(t, h, r.env, args...)
		if want := map[bool]int{true: 0, false: 2}[r.want == ""]; status != want || !strings.Contains(stderr, r.want) {
			t.Errorf("%v gw %v: exit status %d: %s", r.env, args, status, stderr)
		}
	}
}
