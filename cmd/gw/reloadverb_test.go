package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
)

// gw reload does what the file says and tells what that was, or why not; with --dry-run it only tells.
func TestReloadVerb(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	const head = "underlay: {iface: ens18}\nmetrics: {listen: ''}\nvnis:\n"
	file := writeFile(t, head+"  - {vni: 42, remotes: [10.65.132.188]}\n")
	g := start(t, h, "--config", file)
	write := func(text string) { t.Helper(); must(t, os.WriteFile(file, []byte(text), 0o600)) }
	unchanged := func(was *config.Config) {
		t.Helper()
		if c := config.Compare(was, g.inForce()); !c.Empty() {
			t.Errorf("it has changed: %s", &c)
		}
	}

	output(t, h, "remote", "add", "10.65.132.189", "--vni", "42")
	output(t, h, "log", "level", "debug")
	was := g.inForce()
	write(head + "  - {vni: 42, remotes: [10.65.132.188], ageing: 9s}\n  - {vni: 43, device: null, ageing: 8s}\n")
	const diff = "- vni 42 remotes: \"10.65.132.189\"\n- vni 42 ageing: \"5m0s\"\n+ vni 42 ageing: \"9s\"\n+ vni 43\n+ vni 43 ageing: \"8s\"\n+ log.level: info\n"
	if got := output(t, h, "reload", "--dry-run"); got != diff {
		t.Errorf("a dry run says\n%s\nwant\n%s", got, diff)
	}
	unchanged(was)

	// What is refused is so in the same words, dry or not; and only what was tried in earnest is counted.
	for _, r := range []struct {
		text, want string
		status     int
	}{
		{head + "  - {vni: 42, remote: [10.65.132.188]}\n", `unknown key "remote" in vnis[0] (did you mean remotes?)`, 2},
		{strings.Replace(head, "ens18", "ens18, dstport: 8472", 1) + "  - {vni: 42}\n", "underlay.dstport cannot change while gw runs", 1},
		{head + "  - {vni: 42, remotes: [10.65.132.187]}\n", "this gateway's own address", 2},
		{head + "  - {vni: 42, ports: [nosuch]}\n", `no interface "nosuch"`, 2},
	} {
		write(r.text)
		refuses(t, h, r.status, "reload --dry-run", r.want)
		unchanged(was)
		if s := g.status(); s.Reloads.Refused != 0 {
			t.Fatalf("a dry run was counted: %+v", s.Reloads)
		}
	}
	refuses(t, h, 2, "reload", `no interface "nosuch"`)
	unchanged(was)
	if s := g.status(); s.Reloads.Refused != 1 || !s.Reloads.LastRefused {
		t.Errorf("a refusal was not counted: %+v", s.Reloads)
	}

	write(head + "  - {vni: 42, remotes: [10.65.132.188], ageing: 9s}\n  - {vni: 43, device: null, ageing: 8s}\n")
	var done control.Reloaded
	must(t, json.Unmarshal([]byte(output(t, h, "reload", "-j")), &done))
	if strings.Join(done.Changes, "\n")+"\n" != diff || done.Summary != "added vni 43; changed vni 42 (remotes, ageing); log.level is info" {
		t.Errorf("it says %+v", done)
	}
	if v := g.inForce().VNIs; len(v) != 2 || len(v[0].Remotes) != 1 {
		t.Errorf("in force is %+v", v)
	}
	if got := output(t, h, "reload", "--dry-run"); got != "nothing changes\n" {
		t.Errorf("after a reload a dry run says %s", got)
	}
	if status := g.end(unix.SIGTERM); status != 0 { // it has logged an error, as it should
		t.Errorf("exit status %d", status)
	}

	g = start(t, h, "--iface", "ens18", "--vni", "42", "--metrics", "")
	refuses(t, h, 1, "reload", "there is no file to read again")
	refuses(t, h, 1, "reload --dry-run", "there is no file to read again")
	g.stop()
}
