package main

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"vxgw/metrics"
)

// With 10,000 VTEPs that speak, a scrape has the remote that is configured, some hundred of them, and
// one for all others; nothing is lost in the sum.
func TestMetricsOfManyVTEPs(t *testing.T) {
	t.Parallel()
	const strangers = 10_000
	s := newSegment(t)
	h, peer := s.hosts[0], s.hosts[1]
	g := start(t, h, "--iface", "ens18", "--vni", "42", "--remote", under2.String())
	under, err := h.MAC("ens18")
	must(t, err)
	speak := func(first, n int) {
		t.Helper()
		var packets [][]byte
		for i := first; i < first+n; i++ {
			packets = append(packets, craft(under, 42, named(noMAC, net.HardwareAddr{2, 0, 1, 0, byte(i >> 8), byte(i)}, "from far away"), header(atSrc, 10, 66, byte(i>>8), byte(i))))
		}
		must(t, peer.SendFrame("ens18", packets...))
	}
	const burst, turn = 100, 2000 // a veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
	for first := 0; first < strangers; first += turn {
		eventually(t, func() string { // some may be lost
			for i := first; i < first+turn; i += burst {
				speak(i, burst)
			}
			if known := samples(t, scrape(t, h))["gw_remotes"] - 1; known < float64(first+turn) {
				return fmt.Sprintf("%v VTEPs are known of %d", known, first+turn)
			}
			return ""
		})
	}
	var text []byte
	eventually(t, func() string {
		text = scrape(t, h)
		return adds(samples(t, text), false)
	})
	m := samples(t, text)
	if got, want := len(lines(text, "gw_remote_info{")), metrics.NamedStrangers+1; got != want {
		t.Errorf("%d remotes have series, want %d", got, want)
	}
	if got, most := len(lines(text, "gw_remote_")), (metrics.NamedStrangers+2)*metrics.SeriesOfRemote; got > most {
		t.Errorf("remotes have %d series, want %d at most", got, most)
	}
	for series, least := range map[string]float64{
		`gw_remote_packets_total{remote="other"}`: strangers - metrics.NamedStrangers, `gw_vni_packets_total{direction="rx"}`: strangers,
		`gw_remotes{state="idle"}`: strangers, "gw_remotes_max": strangers + 1,
	} {
		if m[series] < least {
			t.Errorf("%s is %v, want %v", series, m[series], least)
		}
	}
	if !bytes.Contains(text, []byte(`origin="configured",remote="10.65.132.188"} 1`)) {
		t.Error("the configured remote has no series")
	}
	if len(text) > 1<<20 {
		t.Errorf("a scrape has %d bytes", len(text))
	}
	g.stop()
}
