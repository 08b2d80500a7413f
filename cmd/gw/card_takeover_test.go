//go:build vmlab

package main

import (
	"slices"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// TestCardTakeOver follows a gateway on cards, which the driver would reset if XDP went: igb's carrier is away for
// seconds then.
func TestCardTakeOver(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		h := s.hosts[0]
		right := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
		g, left := s.gw(t, 0, "--remote", under2.String())
		checkZeroCopy(t, g, "ens18")
		converse(t, left, right)
		in := newTrickle(t, s.hosts[1], h, over1.String(), 7001)
		out := newTrickle(t, h, s.hosts[1], over2.String(), 7002)
		in.flows(t)
		out.flows(t)
		in.longest()
		out.longest()
		w := watchLinks(t, h, []string{"ens18", "gw42-x"}, "gw42")
		g = follow(t, g, append(slices.Clone(g.args), "--takeover")...)
		in.flows(t)
		out.flows(t)
		w.stop()
		t.Logf("the longest gaps were %v and %v", in.longest().Round(time.Millisecond), out.longest().Round(time.Millisecond))
		for _, what := range w.troubles {
			t.Error(what)
		}
		if ids := w.programs["ens18"]; len(ids) != 2 {
			t.Errorf("ens18 had programs %v, want the old one and the new one", ids)
		}
		if said := g.log.grep("waiting for the carrier", "attached anew"); said != "" {
			t.Errorf("it says %s", said)
		}
		in.stop()
		out.stop()
		checkZeroCopy(t, g, "ens18")
		converse(t, left, right)
		g.stop()
	})
}
