package metrics

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vxgw/control"
)

// Strangers do not fill Prometheus: with 10,000 that speak, and more remotes configured than have
// series, the busiest of each kind are named, and all others are one.
func TestManyRemotes(t *testing.T) {
	t.Parallel()
	const strangers, configured = 10_000, 3_000
	s, sum := control.Status{}, uint64(0)
	for n := range strangers + configured {
		bytes := uint64(n * 7919 % (strangers + configured)) // each another one
		sum += bytes
		s.Remotes = append(s.Remotes, control.Remote{
			Address: fmt.Sprintf("10.1.%d.%d", n>>8, n&255), Number: n, Configured: n >= strangers, State: "direct", Traffic: control.Traffic{RxBytes: bytes}})
	}
	own, others := newNaming().update(&s)
	least, byKind := map[bool]uint64{true: sum, false: sum}, map[bool]int{}
	isOwn := map[int]bool{}
	for _, r := range own {
		sum -= r.RxBytes
		byKind[r.Configured]++
		least[r.Configured] = min(least[r.Configured], r.RxBytes)
		isOwn[r.Number] = true
	}
	if byKind[true] != NamedConfigured || byKind[false] != NamedStrangers {
		t.Errorf("named are %v", byKind)
	}
	for _, r := range s.Remotes {
		if !isOwn[r.Number] && r.RxBytes > least[r.Configured] {
			t.Fatalf("%s with %d bytes has no series, another one with %d has", r.Address, r.RxBytes, least[r.Configured])
		}
	}
	if others.RxBytes != sum {
		t.Errorf("the others have %d bytes, want %d", others.RxBytes, sum)
	}
}

// Whatever comes and goes, is forgotten and comes back under the same name or number: what all series
// rise by is what was exchanged, no series of a remote goes back while it is there, the others' never.
func TestRemotesComeAndGo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	n, s := newNaming(), control.Status{}
	last, told, exchanged := map[string]uint64{}, uint64(0), uint64(0)
	var lastOthers uint64
	crowded := 0 // steps
	for step := range 500 {
		switch r.IntN(4) {
		case 0: // some come
			for range r.IntN(120) {
				num := r.IntN(3000)
				taken := false
				name := fmt.Sprintf("10.1.0.%d", r.IntN(3000))
				for _, x := range s.Remotes {
					taken = taken || x.Number == num || x.Address == name
				}
				if !taken {
					s.Remotes = append(s.Remotes, control.Remote{Address: name, Number: num, Configured: num < 100})
				}
			}
		case 1: // some go
			for range r.IntN(60) {
				if len(s.Remotes) == 0 {
					break
				}
				i := r.IntN(len(s.Remotes))
				add(&s.Forgotten, s.Remotes[i].Traffic)
				s.Remotes = append(s.Remotes[:i], s.Remotes[i+1:]...)
			}
		}
		for i := range s.Remotes {
			bytes := uint64(r.IntN(3) * r.IntN(1000))
			s.Remotes[i].TxBytes += bytes
			exchanged += bytes
		}
		own, others := n.update(&s)
		if len(n.crowd) > 0 {
			crowded++
		}
		now := map[string]uint64{}
		for _, x := range own {
			key := fmt.Sprint(x.Address, " ", x.Number)
			if _, twice := now[key]; twice {
				t.Fatalf("step %d: %s twice", step, key)
			}
			now[key] = x.TxBytes
			was, there := last[key]
			if there && x.TxBytes < was { // gone and come back at once
				was = 0
			}
			told += x.TxBytes - was
		}
		if others.TxBytes < lastOthers {
			t.Fatalf("step %d: the others have %d bytes, %d before", step, others.TxBytes, lastOthers)
		}
		told += others.TxBytes - lastOthers
		last, lastOthers = now, others.TxBytes
		if told != exchanged {
			t.Fatalf("step %d: series have risen by %d bytes, %d were exchanged", step, told, exchanged)
		}
	}
	if crowded < 100 {
		t.Errorf("in %d steps only somebody was without a name", crowded)
	}
}

// A name that two remotes have does not spoil a scrape.
func TestOneNameTwice(t *testing.T) {
	t.Parallel()
	s := full()
	s.Remotes = append(s.Remotes, s.Remotes[0])
	s.Remotes[1].Number = 7
	text := string(scrapeOf(fixed(s)))
	if !strings.Contains(text, `promhttp_metric_handler_errors_total{cause="gathering"} 0`) || strings.Count(text, "gw_remote_mtu_bytes{") != 1 {
		t.Errorf("the scrape:\n%s", text)
	}
}
