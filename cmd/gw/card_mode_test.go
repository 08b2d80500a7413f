//go:build vmlab

package main

import (
	"slices"
	"strings"
	"testing"

	"vxgw/control"
	"vxgw/internal/lab"
)

// A card that looks as if it had zero-copy, and refuses: virtio-net whose host has not
// put it behind an IOMMU.
func TestModeRefused(t *testing.T) {
	fallsBack(t, "vio9", "vio10", control.FallbackRefused, "iommu_platform=on")
}

// A card whose driver got zero-copy with a later kernel.
func TestModeNoZeroCopy(t *testing.T) {
	fallsBack(t, "igb0", "igb1", control.FallbackNoZeroCopy, "")
}

// fallsBack wants gw to do without zero-copy and to say why, in the log and in the
// status, and to refuse where it is to do with nothing less.
func fallsBack(t *testing.T, ours, theirs, code, cure string) {
	seg := newCardSegment(t, ours, theirs)
	a := seg.hosts[0]
	far := seg.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	args := on("--remote", under2.String(), "--address", over1.String()+"/24")

	_, stderr, status := runGW(t, a, append(args, "--mode", "zerocopy")...)
	if status != 1 || !strings.Contains(stderr, "zero-copy") || !strings.Contains(stderr, "--mode copy") || !strings.Contains(stderr, cure) {
		t.Errorf("--mode zerocopy: exit status %d, %s", status, stderr)
	}
	must(t, a.AwaitCarrier("ens18"))

	g := start(t, a, args...)
	u := g.status().Underlay
	if u.FallbackCode != code || u.Fallback == "" || !strings.Contains(u.FallbackCure, cure) {
		t.Errorf("fallback %q because of %q, cure %q; want %q, cure %q", u.FallbackCode, u.Fallback, u.FallbackCure, code, cure)
	}
	for _, q := range u.Queues {
		if q.Mode != "copy" {
			t.Errorf("queue %d is in mode %s", q.Queue, q.Mode)
		}
	}
	if text := output(t, a, "status"); !strings.Contains(text, u.Fallback) {
		t.Errorf("gw status does not say why:\n%s", text)
	}
	if g.log.grep(u.Fallback) == "" {
		t.Errorf("the log does not say %q", u.Fallback)
	}
	converse(t, seg.end(0, "gw42"), far)
	checkVerdicts(t, g)
	g.stop()
}

// igb loses its carrier for seconds when XDP comes. gw is ready only when it is back: the
// status has nothing to complain of then, and a ping need not be tried twice.
func TestCardReady(t *testing.T) {
	s := newTrio(t, "igb")
	far := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	eventually(t, func() string {
		g, near := s.gw(t, 0, "--remote", under2.String())
		if st := g.status(); !st.Ready || len(st.Problems) > 0 || !st.Underlay.Up {
			t.Errorf("ready %v, up %v, problems %q", st.Ready, st.Underlay.Up, st.Problems)
		}
		ping(t, near, far, lab.PingOptions{})
		g.stop()
		must(t, s.hosts[0].AwaitCarrier("ens18")) // which it loses with XDP, too
		log, _, ready := strings.Cut(g.log.String(), `"msg":"ready"`)
		var up []bool // of the underlay, in turn
		for line := range strings.Lines(log) {
			if strings.Contains(line, `"msg":"underlay interface"`) {
				up = append(up, strings.Contains(line, `"up":true`))
			}
		}
		if !slices.Contains(up, false) { // who has no CPU meanwhile looks when it is back
			return "the log does not tell of a carrier that is lost"
		}
		if !ready || !up[len(up)-1] {
			t.Error("the log does not tell of a carrier that is back before gw is ready")
		}
		return ""
	})
}
