package main

import (
	"fmt"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// gw that knows nobody says so, makes its device, and learns who speaks first.
func TestAlone(t *testing.T) {
	t.Parallel()
	for _, far := range []string{"kernel", "gw"} {
		t.Run(far, func(t *testing.T) {
			s := newSegment(t)
			g := start(t, s.hosts[0], "--iface", "ens18", "--vni", "42")
			for _, said := range []string{g.status().Hint, g.log.grep("knows no other VTEP"), output(t, g.host, "status")} {
				if !strings.Contains(said, "vni 42 knows no other VTEP") || !strings.Contains(said, "--remote") || !strings.Contains(said, "--group") || !strings.Contains(said, "gw fdb append 00:00:00:00:00:00 dev gw42 dst") {
					t.Errorf("no hint how to add a VTEP in %q", said)
				}
			}
			self := s.end(0, "gw42")
			eventually(t, func() string { // which the kernel says some time after it has a carrier (net/core/link_watch.c)
				link, err := self.host.Link("gw42")
				must(t, err)
				if a := link.Attrs(); a.MTU != 1450 || a.OperState.String() != "up" {
					return fmt.Sprintf("gw42 has MTU %d and is %v", a.MTU, a.OperState)
				}
				return ""
			})
			must(t, self.host.AddAddress("gw42", over1.String()+"/24"))

			var peer end
			if far == "gw" {
				var other *vtep
				other, peer = s.gw(t, 1, "--remote", under1.String())
				defer other.stop()
			} else {
				peer = s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
			}
			// The peer asks for our address, and so we know its own: there is nobody
			// that a question of ours could go to, as with a kernel device without
			// remote or group.
			ping(t, peer, self, lab.PingOptions{})
			resolved(t, peer, self)
			resolved(t, self, peer)
			g.awaitFDB(learned(t, "gw42", peer))
			exchange(t, self, peer)
			tenMegabytes(t, self, peer)
			checkPorts(t, outers(t, s.probes[0], under1))
			checkVerdicts(t, g)
			if st := g.status(); st.Hint != "" || len(st.Remotes) != 1 || st.Remotes[0].Address != under2.String() || st.Remotes[0].Configured {
				t.Errorf("status after %s has spoken: hint %q, remotes %+v", under2, st.Hint, st.Remotes)
			}
			g.stop()
			if _, err := self.host.Link("gw42"); err == nil {
				t.Error("gw42 is still there after gw")
			}
		})
	}
}

// TestOneOfTwoAlone has a VNI that knows nobody beside one that does, by an FDB entry.
func TestOneOfTwoAlone(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	g := start(t, h, "--config", write(t, `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - {vni: 42, fdb: [{mac: "02:00:00:00:42:03", dst: 10.65.132.188}]}
  - {vni: 43}
`))
	st := g.status()
	if !strings.Contains(st.Hint, "vni 43 knows no other VTEP") {
		t.Errorf("hint %q, want one for vni 43", st.Hint)
	}
	if len(st.Remotes) != 1 || !st.Remotes[0].Configured {
		t.Errorf("remotes %+v, want one that the configuration names", st.Remotes)
	}
	g.stop()
}
