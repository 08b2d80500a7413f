package main

func drops() row {
	const none = ` or label_replace(vector(0), "verdict", "none", "", "")`
	const received = `sum by (verdict) (rate(gw_frames_total{instance=~"$instance", drop="true"}[$__rate_interval]))`
	return row{"Drops", []panel{
		curves("Dropped frames by reason", "Received frames that went nowhere. gw status has a sentence for each reason, the reference too.", packets,
			q(`(`+received+` > 0)`+none, "{{verdict}}")).stacked().wide(12),
		curves("Share of frames by reason", "The same as a share of all received frames.", share,
			q(`(`+received+` / ignoring (verdict) group_left () (sum(rate(gw_frames_total{instance=~"$instance"}[$__rate_interval])) > 0) > 0)`+none, "{{verdict}}")).stacked().wide(12),
		curves("Where frames are dropped", "By the interface that dropped frames came in by (rx), and that frames and copies could not leave by (tx). The underlay has no VNI.", packets,
			q(`sum by (instance, interface, direction, verdict) (rate(gw_interface_dropped_frames_total{instance=~"$instance"}[$__rate_interval])) > 0 or label_replace(vector(0), "interface", "none", "", "")`, "{{instance}} {{interface}} {{direction}} {{verdict}}")),
		curves("Dropped frames by VNI and reason", "From the VNI's ports, and from tunnels once the VNI was known.", packets,
			q(`sum by (vni, verdict) (rate(gw_vni_drops_total{instance=~"$instance", vni=~"$vni"}[$__rate_interval])) > 0`+none, "{{vni}} {{verdict}}")),
		curves("Dropped copies by reason", "Copies that flooding made and that went nowhere; the frame itself may have reached others.", packets,
			q(`(sum by (verdict) (rate(gw_flood_copies_total{instance=~"$instance", drop="true"}[$__rate_interval])) > 0)`+none, "{{verdict}}")).stacked(),
	}}
}
