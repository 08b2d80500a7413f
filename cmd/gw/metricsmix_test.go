package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// adds says what of a scrape does not add up, while no frame is on its way; with all, also what there was
// nothing of.
func adds(m map[string]float64, all bool) string {
	for _, c := range []struct {
		what      string
		have      float64
		of, parts []string
	}{
		{"verdicts, and frames received", 1, []string{"gw_frames_total"},
			[]string{`gw_packets_total{direction="rx"}`, "gw_injected_packets_total", `gw_steered_packets_total{action="refused"}`, `gw_steered_packets_total{action="refused_late"}`}},
		{"drops, and those of interfaces", 1, []string{`gw_frames_total{drop="true"}`}, []string{`gw_interface_dropped_frames_total{direction="rx"}`}},
		{"drops of VNIs, and their reasons", 1, []string{"gw_vni_dropped_frames_total"}, []string{"gw_vni_drops_total"}},
		{"batches, and what they held", 1, []string{"gw_worker_batch_frames_sum"}, []string{`gw_packets_total{direction="rx"}`}},
		{"frames of VNIs, and of remotes", 1, []string{"gw_vni_packets_total"}, []string{"gw_remote_packets_total"}},
		{"bytes of VNIs, and of remotes", 1, []string{"gw_vni_bytes_total"}, []string{"gw_remote_bytes_total"}},
		{"steered packets, and what workers were given", 1, []string{`gw_steered_packets_total{action="redirected"}`}, []string{`gw_packets_total{direction="rx"}`}},
		{"moves, and those of VNIs", 0, []string{"gw_fdb_moves_total"}, []string{"gw_vni_fdb_moves_total"}},
		{"refusals to learn, and those of VNIs", 1, []string{"gw_fdb_refused_total"}, []string{"gw_vni_fdb_refused_total"}},
	} {
		sum := func(series []string) (n float64) {
			for _, s := range series {
				n += m[s]
			}
			return n
		}
		if of, parts := sum(c.of), sum(c.parts); of != parts || all && of < c.have {
			return fmt.Sprintf("%s: %v of %q, %v of %q", c.what, of, c.of, parts, c.parts)
		}
	}
	return ""
}

// Under a mix of what is forwarded, flooded, learned, dropped by workers, by XDP and late, and of what
// comes by way of the kernel, scraped all the while, the series add up.
func TestMetricsAddUp(t *testing.T) {
	t.Parallel()
	b := &allowBed{fdbBed: newFDBBed(t)}
	b.stop()
	const file = `
underlay: {iface: ens18}
vnis:
- {vni: 42, allow: remotes, remotes: [10.65.132.188], ports: [veth1, veth2], maxaddress: 30, device: {addresses: [172.17.1.2/24]}, fdb: [{mac: "02:00:00:00:00:b1", port: veth1}]}
- {vni: 43, group: 224.1.1.1, device: {name: blue}}
`
	b.file = writeFile(t, file)
	b.vtep = start(t, b.host, "--config", b.file)
	self, peer := b.segment.end(0, "gw42"), b.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	resolve(t, self, peer)
	everyone, moving := bytes.Repeat([]byte{0xff}, 6), slices.Concat(boxMAC[:5], []byte{0xe0})
	const rounds, each = 6, 5
	for round := range rounds {
		var box, box2, node2, node3 [][]byte
		for i := range each {
			id := byte(round*each + i)
			box = append(box,
				named(noMAC, slices.Concat(boxMAC[:5], []byte{0x40 + id}), "learned, flooded, and refused from the limit on"),
				named([]byte{1, 0x80, 0xc2, 0, 0, 1}, noMAC, "to the link itself"),
				named(noMAC, everyone, "from a group"),
				named(boxMAC, noMAC, "to where it came from"),
				named(farMAC, moving, "from one that moves"))
			box2 = append(box2,
				named(farMAC, moving, "from one that moves"),
				named(boxMAC, hostMAC, "from port to port"))
			node2 = append(node2,
				craft(b.under, 42, named(boxMAC, farMAC, "to the container")),
				craft(b.under, 42, named(noMAC, farMAC, "without the flag"), set(atVXLAN, 0)),
				craft(b.under, 42, named(noMAC, farMAC, "short"), cut(atVXLAN+4)),
				craft(b.under, 42, named(noMAC, farMAC, "wrong checksum"), set16(atUSum, 1)),
				craft(b.under, 42, named(noMAC, boxMAC, "from an address that is pinned elsewhere")),
				craft(b.under, 42, named(noMAC, everyone, "from a group")))
			for _, form := range forms {
				node2 = append(node2, b.packet(42, under2, form)...)
				node3 = append(node3, b.packet(42, forger, form)...)
				node3 = append(node3, b.packet(43, forger, "group")...)
			}
		}
		must(t, b.box.SendFrame("veth0", box...))
		must(t, b.box2.SendFrame("veth0", box2...))
		must(t, b.hosts[1].SendFrame("ens18", node2...))
		must(t, b.hosts[2].SendFrame("ens18", node3...))
		ping(t, peer, self, lab.PingOptions{})
		scrape(t, b.host) // in the midst of it
	}
	eventually(t, func() string { // time is told from a sample of a worker's rounds
		ping(t, peer, self, lab.PingOptions{Count: 10, Interval: time.Millisecond})
		if m := samples(t, scrape(t, b.host)); m["gw_worker_busy_seconds_total"] == 0 || m["gw_worker_spin_seconds_total"] == 0 {
			return fmt.Sprintf("workers were busy for %v s and spun for %v s", m["gw_worker_busy_seconds_total"], m["gw_worker_spin_seconds_total"])
		}
		return ""
	})
	var text []byte
	eventually(t, func() string {
		text = scrape(t, b.host)
		m := samples(t, text)
		for series, least := range map[string]float64{ // all has come
			`gw_vni_drops_total{verdict="remote_not_allowed"}`: rounds * each * 3, `gw_steered_packets_total{action="refused_late"}`: rounds * each,
			"gw_injected_packets_total": rounds * each, `gw_frames_total{verdict="static_conflict"}`: rounds * each, `gw_frames_total{verdict="bad_flags"}`: rounds * each,
			`gw_frames_total{verdict="udp_csum"}`: rounds * each, `gw_frames_total{verdict="link_local"}`: rounds * each, `gw_frames_total{verdict="bad_source_mac"}`: 2 * rounds * each, `gw_frames_total{verdict="same_port"}`: rounds * each,
			`gw_frames_total{verdict="flooded"}`: rounds * each, `gw_frames_total{verdict="to_port"}`: rounds * each, "gw_vni_fdb_moves_total": 1,
		} {
			if m[series] < least {
				return fmt.Sprintf("%s is %v, want %v", series, m[series], least)
			}
		}
		return adds(m, true)
	})
	checkPromtool(t, text)
	m := samples(t, text)
	for _, series := range []string{`gw_vni_fdb_refused_total{reason="limit"}`, "gw_worker_busy_seconds_total", "gw_worker_spin_seconds_total", "gw_worker_cpu_seconds_total",
		"gw_worker_kick_frames_count", `gw_kernel_frames{direction="rx"}`, "gw_fdb_memory_bytes", "gw_snapshots_total", "gw_route_lookups_total", "gw_remotes_max"} {
		if m[series] <= 0 {
			t.Errorf("%s is %v", series, m[series])
		}
	}
	if kicks, kicked := m["gw_kicks_total"], m["gw_worker_kick_frames_count"]; kicks < kicked {
		t.Errorf("%v calls to send, in %v times", kicks, kicked)
	}
	for _, line := range []string{
		fmt.Sprintf(`gw_remote_info{mac="%s",next_hop="10.65.132.188",origin="configured",remote="10.65.132.188"} 1`, macOf(t, b.hosts[1], "ens18")),
		`gw_remote_state{remote="10.65.132.188",state="direct"} 1`,
		`gw_remote_mtu_bytes{remote="10.65.132.188"} 1500`,
		`gw_vni_info{group="",name="gw42",vni="42"} 1`,
		`gw_vni_info{group="224.1.1.1",name="gw43",vni="43"} 1`,
		`gw_vni_fdb_max_entries{vni="42"} 30`,
		`gw_link_mtu_bytes{interface="ens18",role="underlay",vni=""} 1500`,
		`gw_config_reloads_total{result="applied"} 0`,
		`gw_config_last_reload_successful 1`,
	} {
		if !bytes.Contains(text, []byte("\n"+line+"\n")) {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("the scrape lacks %s; it has\n%s", line, strings.Join(lines(text, name), "\n"))
		}
	}

	// Reloads are counted, and the last one that worked stays known.
	must(t, os.WriteFile(b.file, []byte(file+"- {vni: 42}\n"), 0o600))
	b.reload("the reload is refused")
	before := samples(t, scrape(t, b.host))
	must(t, os.WriteFile(b.file, []byte(strings.Replace(file, "maxaddress: 30", "maxaddress: 40", 1)), 0o600))
	b.reload("changed vni 42 (maxaddress)")
	eventually(t, func() string {
		after := samples(t, scrape(t, b.host))
		for series, want := range map[string][2]float64{
			`gw_config_reloads_total{result="refused"}`: {1, 1}, `gw_config_reloads_total{result="applied"}`: {0, 1}, "gw_config_last_reload_successful": {0, 1},
		} {
			if got := [2]float64{before[series], after[series]}; got != want {
				return fmt.Sprintf("%s was %v after the one and the other, want %v", series, got, want)
			}
		}
		if then, now := before["gw_config_last_reload_success_timestamp_seconds"], after["gw_config_last_reload_success_timestamp_seconds"]; now <= then || then == 0 {
			return fmt.Sprintf("the last reload was at %v, the start at %v", now, then)
		}
		return ""
	})
	if status := b.vtep.end(unix.SIGTERM); status != 0 { // it has logged an error, as it should
		t.Errorf("exit status %d", status)
	}
}

// lines are those of a scrape that begin with name.
func lines(text []byte, name string) (out []string) {
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func macOf(t *testing.T, h *lab.Host, link string) string {
	t.Helper()
	mac, err := h.MAC(link)
	must(t, err)
	return mac.String()
}

// checkPromtool has Prometheus judge a scrape, where its promtool is there, as it is in CI.
func checkPromtool(t *testing.T, text []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Error("promtool is not there, and CI must not skip this (apt-get install prometheus)")
		}
		return
	}
	cmd := exec.CommandContext(testContext(t), path, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
