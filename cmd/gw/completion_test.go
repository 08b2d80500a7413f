package main

import (
	"strings"
	"testing"
)

// Shells ask gw itself what may follow, and gw takes what it offers.
func TestCompletion(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	for line, want := range map[string]string{
		"--iface": "ens18", "run --iface": "ens18", "status --iface": "ens18", "--mode": "zerocopy", "--poll": "adaptive", "--log-level": "warn", "vni add 42 --df": "inherit", "log level": "debug", "fdb": "append",
	} {
		out, _, status := runGW(t, h, append(append([]string{"__complete"}, strings.Fields(line)...), "")...) // which tells cobra's directive on stderr
		if status != 0 || !strings.Contains("\n"+out, "\n"+want) {
			t.Errorf("behind gw %s comes not %s but\n%s", line, want, out)
		}
	}
	for name, words := range flagWords {
		for _, word := range words {
			stdout, stderr, status := runGW(t, h, "config", "show", "--iface", "ens18", "--vni", "42", "--"+name+"="+word)
			if status != 0 {
				t.Errorf("--%s=%s: exit status %d: %s%s", name, word, status, stdout, stderr)
			}
		}
	}
}
