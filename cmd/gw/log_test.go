package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// gw log changes what a running gateway logs: of one VNI, or all of it; so does the file.
func TestLogOfOneVNI(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	const vni42 = `"vni":42`
	line := func(words ...string) string {
		for line := range strings.Lines(b.log.String()) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return line
			}
		}
		return ""
	}
	said := func(words ...string) {
		t.Helper()
		eventually(t, func() string {
			if line(words...) == "" {
				return "the log lacks a line with " + strings.Join(words, ", ")
			}
			return ""
		})
	}
	b.goesTo(t, noMAC, under2) // learns boxMAC, of which nothing is said
	output(t, b.host, "log", "vni", "42", "debug")
	said("what happens in the VNI is told from now on", vni42, "veth1, veth2", "10.65.132.188")
	if got := output(t, b.host, "log", "show"); got != "level info\nvni 42 debug\nleft out 0\n" {
		t.Errorf("gw log show prints %q", got)
	}
	b.says(t, 1, farMAC, "to_port")
	said("an address is known", vni42, farMAC.String(), `"at":"10.65.132.188"`)
	b.says(t, 2, farMAC, "to_port")
	said("an address has moved", farMAC.String(), `"at":"10.65.132.189"`, `"from":"10.65.132.188"`)
	b.gw(t, "replace "+farMAC.String()+" dev veth2 master static")
	said("an address has moved", farMAC.String(), `"at":"veth2"`, `"from":"10.65.132.189"`)
	b.says(t, 1, farMAC, "static_conflict")
	said("frames were dropped", vni42, "static_conflict 1")
	said("addresses were not learned", "pinned elsewhere")
	b.gw(t, "append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189")
	said("it floods there too", vni42, `"dst":"10.65.132.189"`)
	b.gw(t, "del "+farMAC.String()+" dev veth2 master")
	said("an address is known no more", farMAC.String(), `"at":"veth2"`, `"entry":"`+farMAC.String())
	b.gw(t, "add "+farMAC2.String()+" dev gw43 dst 10.65.132.188")
	b.gw(t, "add "+farMAC2.String()+" dev veth1 master static")
	said("an address is known", farMAC2.String(), `"at":"veth1"`)
	if l := line(`"vni":43`, "DEBUG"); l != "" {
		t.Errorf("of another VNI is said %s", l)
	}
	if l := line("an address", boxMAC.String()); l != "" {
		t.Errorf("of what was there is said %s", l)
	}

	output(t, b.host, "log", "vni", "42", "info")
	b.gw(t, "del "+farMAC2.String()+" dev veth1 master")
	output(t, b.host, "log", "level", "debug")
	b.says(t, 1, farMAC, "to_port")
	b.gw(t, "append 00:00:00:00:00:00 dev gw42 dst 10.65.132.190") // whose way is told of
	said("underlay path", "10.65.132.190")
	if l := line("an address is known no more", farMAC2.String()); l != "" {
		t.Errorf("of a VNI that is not debugged any more is said %s", l)
	}
	output(t, b.host, "log", "level", "warn")
	if got := output(t, b.host, "log", "show"); got != "level warn\nleft out 0\n" {
		t.Errorf("gw log show prints %q", got)
	}
	must(t, os.WriteFile(b.args[1], []byte(strings.TrimSpace(fdbFile)+"\nlog: {level: info}\n"), 0o600))
	b.reload("log.level is info")
	for args, want := range map[string]string{
		"log vni 44 debug": "log: there is no vni 44", "log vni x debug": "x is no VNI", "log level loud": "which one? (debug, info, warn, error)", "log vni 42": "give a VNI, and debug or info",
	} {
		if _, stderr, status := runGW(t, b.host, strings.Fields(args)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("gw %s: exit status %d: %s", args, status, stderr)
		}
	}
	b.stop()
}
