package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
)

// The monitor prints what comes, moves and goes, whoever does it.
func TestFDBMonitor(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	text, plain := listen(t, b)
	asJSON, lines := listen(t, b, "-j", "self")
	far := farMAC.String()
	objects := 0 // lines of JSON so far
	step := func(do func(), want ...string) {
		t.Helper()
		for _, w := range want {
			objects += strings.Count(w, " self")
		}
		seen := len(plain())
		do()
		for _, w := range want {
			eventually(t, func() string {
				if !strings.Contains("\n"+plain()[seen:], "\n"+w+"\n") {
					return fmt.Sprintf("the monitor lacks %q, has\n%s", w, plain())
				}
				return ""
			})
		}
		eventually(t, func() string {
			if n := strings.Count(lines(), "\n"); n != objects {
				return fmt.Sprintf("%d lines of JSON, want %d:\n%s", n, objects, lines())
			}
			return ""
		})
	}
	step(func() { b.says(t, 1, farMAC, "flooded") }, far+" dev gw42 dst 10.65.132.188 self")
	step(func() { b.says(t, 2, farMAC, "flooded") }, far+" dev gw42 dst 10.65.132.189 self")
	step(func() { b.gw(t, "replace "+far+" dev gw42 dst 10.65.132.189 static") }, far+" dev gw42 dst 10.65.132.189 self static")
	step(func() { b.gw(t, "replace "+far+" dev gw42 dst 10.65.132.189") }, far+" dev gw42 dst 10.65.132.189 self permanent")
	step(func() { b.gw(t, "replace "+far+" dev veth1 master") },
		"Deleted "+far+" dev gw42 dst 10.65.132.189 self permanent", far+" dev veth1 master gw42 static")
	step(func() { b.gw(t, "del "+far+" dev veth1") }, "Deleted "+far+" dev veth1 master gw42 static")
	step(func() { b.gw(t, "append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189") },
		"00:00:00:00:00:00 dev gw42 dst 10.65.132.189 via ens18 self permanent")
	step(func() { b.gw(t, "del 00:00:00:00:00:00 dev gw42") },
		"Deleted 00:00:00:00:00:00 dev gw42 dst 10.65.132.188 via ens18 self permanent",
		"Deleted 00:00:00:00:00:00 dev gw42 dst 10.65.132.189 via ens18 self permanent")

	for i, want := range []string{"10.65.132.188", "10.65.132.189"} {
		var e control.FDBEvent
		must(t, json.Unmarshal([]byte(strings.Split(lines(), "\n")[i]), &e))
		if e.MAC != far || e.Dst != want || e.Ifname != "gw42" || e.Deleted {
			t.Errorf("line %d of the JSON: %+v", i, e)
		}
	}
	if !strings.Contains(lines(), `{"deleted":true,"mac":"00:00:00:00:00:00","ifname":"gw42"`) || strings.Contains(lines(), "veth1") {
		t.Errorf("the JSON of self is\n%s", lines())
	}

	b.stop()
	if status := text.wait(); status != 1 || !strings.Contains(plain(), "gw: fdb monitor: the gateway has stopped") {
		t.Errorf("exit status %d after the gateway has stopped:\n%s", status, plain())
	}
	if status := asJSON.wait(); status != 1 {
		t.Errorf("exit status %d", status)
	}
}

// listen starts gw fdb monitor and returns when it listens, with what it says from then on.
func listen(t *testing.T, b *fdbBed, args ...string) (m *vtep, said func() string) {
	t.Helper()
	m = launch(t, b.host, append([]string{"fdb", "monitor"}, args...)...)
	const mac, last = "02:00:00:00:00:ee", "02:00:00:00:00:ef"
	i := 0
	eventually(t, func() string { // an entry that comes and goes until it is seen
		if i++; i%2 == 1 {
			b.change(t, "add", mac+" dev gw43 dst 10.65.132.188")
		} else {
			b.change(t, "del", mac+" dev gw43")
		}
		for range 30 {
			if m.log.grep(mac) != "" {
				return ""
			}
			unix.Nanosleep(&unix.Timespec{Nsec: 1e7}, nil)
		}
		return "the monitor says nothing"
	})
	if i%2 == 1 {
		b.change(t, "del", mac+" dev gw43")
	}
	// Of all that it is still to be told when another one has come and gone.
	for n, c := range [][2]string{{"add", last + " dev gw43 dst 10.65.132.188"}, {"del", last + " dev gw43"}} {
		b.change(t, c[0], c[1])
		eventually(t, func() string {
			if text := m.log.String(); strings.Count(text, last) != n+1 || !strings.HasSuffix(text, "\n") {
				return "the monitor does not see the last entry come and go:\n" + text
			}
			return ""
		})
	}
	before := len(m.log.String())
	return m, func() string { return m.log.String()[before:] }
}
