package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"vxgw/internal/lab"
)

// scrape gets /metrics as Prometheus does, from the host that gw runs on.
func scrape(t *testing.T, h *lab.Host) []byte {
	t.Helper()
	text, err := get(t, h, "http://127.0.0.1:9478/metrics")
	must(t, err)
	return text
}

// get asks a server on a host, from there.
func get(t *testing.T, h *lab.Host, url string) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			err = h.Do(func() error {
				conn, err = new(net.Dialer).DialContext(ctx, network, addr)
				return err
			})
			return conn, err
		},
	}}
	req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("get %s: %s: %s", url, resp.Status, text)
	}
	return text, err
}

// samples sums the values of each family of a scrape, and of each label of it:
// both packets_total and packets_total{direction="rx"}.
func samples(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	sums := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		series, number, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name, labels, labelled := strings.Cut(series, "{")
		if !labelled {
			name, number, _ = strings.Cut(series, " ")
		}
		value, err := strconv.ParseFloat(number, 64)
		must(t, err)
		sums[name] += value
		for label := range strings.SplitSeq(labels, `",`) {
			sums[fmt.Sprintf(`%s{%s"}`, name, strings.TrimSuffix(label, `"`))] += value
		}
	}
	return sums
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	g, self := s.gw(t, 0, "--group", group.String())
	peer := s.kernel(t, 1, lab.VXLANConfig{Group: group})
	resolve(t, self, peer)
	eventually(t, func() string { // the first frames go by way of the kernel
		ping(t, self, peer, lab.PingOptions{})
		if by, _, _ := verdicts(g.status()); by["to_remote"] < 20 {
			return fmt.Sprintf("frames still do not leave directly: %v", by)
		}
		return ""
	})
	checkVerdicts(t, g)

	text := scrape(t, self.host)
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatalf("Prometheus cannot read the scrape: %v\n%s", err, text)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "gw_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if bytes.Contains(text, []byte("gw42-x")) {
		t.Errorf("a device goes by the name of its far end:\n%s", text)
	}
	got := samples(t, text)
	for _, family := range []string{
		"gw_build_info", "gw_ready", "gw_uptime_seconds", "gw_link_up", "gw_queue_mode", "gw_mode_fallback", "gw_packets_total", "gw_bytes_total",
		"gw_steered_packets_total", "gw_kicks_total", "gw_foreign_descriptors_total", "gw_kernel_events_total", "gw_frames_total",
		"gw_flood_copies_total", "gw_worker_rounds_total", "gw_worker_sleeps_total", "gw_unnumbered_sources_total",
		"gw_icmp_too_big_sent_total", "gw_slow_path_packets_total", "gw_remotes", "gw_fdb_entries", "gw_vni_fdb_entries", "gw_fdb_moves_total", "gw_fdb_refused_total",
		"gw_injected_packets_total", "gw_injected_bytes_total", "gw_injected_drops_total",
		"gw_fdb_aged_total", "gw_memory_frames", "gw_memory_free_frames", "gw_port_packets_total", "gw_port_bytes_total", "gw_vni_packets_total", "gw_vni_bytes_total",
		"gw_vni_dropped_frames_total", "gw_remote_packets_total", "gw_remote_bytes_total", "go_goroutines", "process_open_fds",
	} {
		if _, ok := got[family]; !ok {
			t.Errorf("the scrape lacks %s", family)
		}
	}
	for series, least := range map[string]float64{
		"gw_ready":                                      1,
		`gw_build_info{version="devel"}`:                1,
		`gw_packets_total{interface="ens18"}`:           40,
		`gw_packets_total{interface="gw42"}`:            40,
		`gw_packets_total{direction="rx"}`:              40,
		`gw_frames_total{verdict="to_port"}`:            20,
		`gw_frames_total{verdict="to_remote"}`:          20,
		`gw_frames_total{verdict="flooded"}`:            1,
		`gw_steered_packets_total{action="redirected"}`: 40,
		`gw_queue_mode{mode="copy"}`:                    2,
		`gw_mode_fallback{reason="no_zerocopy"}`:        2,
		`gw_vni_fdb_entries{vni="42"}`:                  1,
		"gw_fdb_entries":                                2,
		`gw_port_packets_total{port="gw42"}`:            40,
		`gw_vni_packets_total{direction="tx"}`:          20,
		`gw_remote_packets_total{direction="rx"}`:       20,
		`gw_remotes{state="direct"}`:                    2,
		`gw_link_up`:                                    2,
	} {
		if got[series] < least {
			t.Errorf("%s is %v, want at least %v", series, got[series], least)
		}
	}
	for _, none := range []string{`gw_mode_fallback{reason="refused"}`, `gw_frames_total{drop="true"}`, "gw_interface_dropped_frames_total", `gw_remote_packets_total{remote="other"}`, `gw_kernel_events_total{event="rx_dropped"}`, `gw_kernel_events_total{event="rx_invalid"}`,
		`gw_kernel_events_total{event="tx_invalid"}`, `gw_kernel_events_total{event="rx_ring_full"}`, "gw_foreign_descriptors_total", "gw_unnumbered_sources_total", "gw_icmp_too_big_sent_total",
		"gw_injected_packets_total", "gw_injected_drops_total"} {
		if got[none] != 0 {
			t.Errorf("%s is %v after nothing but pings: %v", none, got[none], g.status().Workers)
		}
	}
	eventually(t, func() string { // not while a frame comes in
		got := samples(t, scrape(t, self.host))
		if frames, rx := got["gw_frames_total"], got[`gw_packets_total{direction="rx"}`]; frames != rx {
			return fmt.Sprintf("%v verdicts for %v frames", frames, rx)
		}
		return ""
	})

	// --metrics '' makes none.
	g.stop()
	quiet := start(t, self.host, "--iface", "ens18", "--vni", "42", "--metrics", "")
	must(t, self.host.Do(func() error {
		if c, err := net.Dial("tcp", "127.0.0.1:9478"); err == nil {
			c.Close()
			t.Error("somebody listens for scrapes")
		}
		return nil
	}))
	quiet.stop()
}
