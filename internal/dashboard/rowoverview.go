package main

func overview() row {
	return row{"Overview", []panel{
		number("Ready", "Whether frames can flow through all of the gateways. No: the log and gw status tell what is awaited.", count, from(),
			q(`min(gw_ready{instance=~"$instance"})`, "ready")).words("no", "yes").bare(),
		number("Problems", "What keeps frames from flowing, or may soon: sentences that gw status has, with the cure.", count, from(at(1, "red")),
			q(`sum(gw_problems{instance=~"$instance"})`, "problems")).bare(),
		number("Last reload", "Whether the file that was read last is in force. Refused: gw status tells why, and gw config check finds it before.", count, from(),
			q(`min(gw_config_last_reload_successful{instance=~"$instance"})`, "reload")).words("refused", "applied").bare(),
		number("Links down", "Underlays and ports that are down or without carrier. gw status names them, and the cure.", count, from(at(1, "red")),
			q(`sum(1 - gw_link_up{instance=~"$instance"})`, "links")).bare(),
		number("Remotes in trouble", "Remote VTEPs whose next hop does not answer, or to which there is no route or no link.", count, from(at(1, "red")),
			q(`sum(gw_remotes{instance=~"$instance", state=~"failed|no-route|link-down"}) or vector(0)`, "remotes")).bare(),
		number("Frames received", "Frames taken from all interfaces; each has one verdict.", packets, from(),
			q(`sum(rate(gw_frames_total{instance=~"$instance"}[$__rate_interval]))`, "frames")),
		number("Dropped", "Share of the received frames that were dropped, whatever the reason.", share, from(at(0.01, "orange"), at(0.1, "red")),
			q(`sum(rate(gw_frames_total{instance=~"$instance", drop="true"}[$__rate_interval])) / (sum(rate(gw_frames_total{instance=~"$instance"}[$__rate_interval])) > 0) or vector(0)`, "dropped")),
		number("Lost by the kernel", "Packets that the kernel dropped before the gateway saw them, because a receive ring was full or had no frames to offer.", packets, from(at(1, "orange"), at(100, "red")),
			q(`sum(rate(gw_kernel_events_total{instance=~"$instance", event=~"rx_dropped|rx_ring_full"}[$__rate_interval]))`, "lost")),
		number("Out of tunnels", "Inner frames that came out of tunnels, in bits.", bits, from(),
			q(`8 * sum(rate(gw_vni_bytes_total{instance=~"$instance", direction="rx"}[$__rate_interval]))`, "rx")),
		number("Into tunnels", "Inner frames that went into tunnels, in bits.", bits, from(),
			q(`8 * sum(rate(gw_vni_bytes_total{instance=~"$instance", direction="tx"}[$__rate_interval]))`, "tx")),
		number("Running since", "How long ago the youngest of the gateways was started.", seconds, from(),
			q(`min(gw_uptime_seconds{instance=~"$instance"})`, "uptime")).bare(),
		number("Version", "Which versions run.", count, from(),
			q(`count by (version) (gw_build_info{instance=~"$instance"})`, "{{version}}")).named(),
		timeline("Links", "Each underlay and port: 1 while it is up and has a carrier. Those of a VNI have its number.",
			q(`max by (instance, interface, role, vni) (gw_link_up{instance=~"$instance"})`, "{{instance}} {{role}} {{interface}} {{vni}}")).limits(down),
		curves("Remotes by state", "Remote VTEPs and groups by the way to them. Resolving is short; failed means that the next hop does not answer, idle that nobody has sent to it.", count,
			q(`sum by (state) (gw_remotes{instance=~"$instance"})`, "{{state}}")).stacked().wide(12),
		table("Remotes", "Each remote VTEP with the state of the way to it, its next hop, and that one's MAC address.",
			`gw_remote_state{instance=~"$instance", remote=~"$remote"} * on (job, instance, remote) group_left (origin, next_hop, mac) gw_remote_info`, "instance", "remote", "state", "origin", "next_hop", "mac"),
		table("How queues are bound", "How the kernel says that each queue's socket is bound, and where XDP runs. Zero-copy with native is the best.",
			`gw_queue_mode{instance=~"$instance"}`, "instance", "interface", "queue", "mode", "xdp"),
		table("Why not better", "Interfaces that are not bound in the best mode, and why. no_zerocopy of a veth is usual; the others have a cure, which gw status tells.",
			`gw_mode_fallback{instance=~"$instance"}`, "instance", "interface", "reason"),
		curves("Reloads", "Times the file was read again, carried out or refused.", count,
			q(`sum by (result) (increase(gw_config_reloads_total{instance=~"$instance"}[$__rate_interval]))`, "{{result}}")).wide(12),
	}}
}

// down is red where something is not up.
var down = thresholds{"absolute", []step{{Color: "red"}, at(1, "green")}}
