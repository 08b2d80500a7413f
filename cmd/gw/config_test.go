package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	h := newHost(t, newLab(t), "h")
	good := write(t, "underlay: {iface: none0}\nvnis:\n  - vni: 42\n")
	bad := write(t, "underlay: {iface: none0}\nvnis:\n  - vni: 42\n    learnin: false\n")
	for _, one := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"config", "check", good}, 0, good + " is right\n"},
		{[]string{"config", "check", bad}, 2, bad + ":4: unknown key \"learnin\" in vnis[0] (did you mean learning?)"},
		{[]string{"config", "check", good + ".not"}, 2, "no such file"},
		{[]string{"config", "check"}, 2, "which file?"},
		{[]string{"config", "chekc"}, 2, "did you mean gw config check?"},
	} {
		out, errs, status := runGW(t, h, one.args...)
		if status != one.status || !strings.Contains(out+errs, one.says) {
			t.Errorf("gw %s: exit status %d, said %q and %q; want %d and %q", strings.Join(one.args, " "), status, out, errs, one.status, one.says)
		}
	}
}

func TestConfigSchema(t *testing.T) {
	t.Parallel()
	out, errs, status := runGW(t, newHost(t, newLab(t), "h"), "config", "schema")
	var schema struct {
		Properties map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(out), &schema); err != nil || status != 0 || errs != "" {
		t.Fatalf("exit status %d, said %q, and %v", status, errs, err)
	}
	if schema.Properties["vnis"] == nil || schema.Properties["underlay"] == nil {
		t.Errorf("there is no vnis or no underlay in it: %s", out)
	}
}
