package main

func throughput() row {
	const ofVNI, ofRemote = `instance=~"$instance", vni=~"$vni"`, `instance=~"$instance", remote=~"$remote"`
	both := func(metric, labels, by, factor string) []query {
		rate := func(direction string) string {
			return factor + `sum by (` + by + `) (rate(` + metric + `{` + labels + `, direction="` + direction + `"}[$__rate_interval]))`
		}
		return []query{q(rate("rx"), "{{"+by+"}} rx"), q("-"+rate("tx"), "{{"+by+"}} tx")}
	}
	const axis = "tx below, rx above"
	return row{"Throughput", []panel{
		curves("Bits by VNI", "Inner frames of each VNI that came out of tunnels (rx, above) and went into them (tx, below).", bits,
			both("gw_vni_bytes_total", ofVNI, "vni", "8 * ")...).below(axis),
		curves("Bits by remote", "Inner frames that came from each remote (rx, above) and went to it (tx, below). VTEPs that spoke first are together called other, beyond some hundred.", bits,
			both("gw_remote_bytes_total", ofRemote, "remote", "8 * ")...).below(axis),
		curves("Bits by port", "Frames received from each port (rx, above) and sent to it (tx, below).", bits,
			both("gw_port_bytes_total", ofVNI, "port", "8 * ")...).below(axis),
		curves("Packets by VNI", "As bits by VNI, in frames.", packets, both("gw_vni_packets_total", ofVNI, "vni", "")...).below(axis),
		curves("Packets by remote", "As bits by remote, in frames.", packets, both("gw_remote_packets_total", ofRemote, "remote", "")...).below(axis),
		curves("Packets by port", "As bits by port, in frames.", packets, both("gw_port_packets_total", ofVNI, "port", "")...).below(axis),
		curves("What became of frames", "Received frames that were not dropped, by verdict: to_port and to_remote go straight on, flooded ones to all, to_kernel ones wait for a next hop.", packets,
			q(`sum by (verdict) (rate(gw_frames_total{instance=~"$instance", drop="false"}[$__rate_interval]))`, "{{verdict}}")).stacked(),
		curves("Flooding", "Copies that flooding made of frames, by what became of them. Much of it for long: nobody learns, or somebody storms.", packets,
			q(`sum by (verdict) (rate(gw_flood_copies_total{instance=~"$instance", drop="false"}[$__rate_interval]))`, "{{verdict}}")).stacked(),
		curves("Mean size of frames", "Bytes per inner frame in tunnels, by VNI and direction.", size,
			q(`sum by (vni, direction) (rate(gw_vni_bytes_total{instance=~"$instance", vni=~"$vni"}[$__rate_interval])) / (sum by (vni, direction) (rate(gw_vni_packets_total{instance=~"$instance", vni=~"$vni"}[$__rate_interval])) > 0)`, "{{vni}} {{direction}}")),
	}}
}
