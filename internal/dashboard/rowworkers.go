package main

func workers() row {
	const worker = "{{instance}} worker {{worker}}"
	rate := func(metric string) string { return `rate(` + metric + `{instance=~"$instance"}[$__rate_interval])` }
	quantile := func(share, metric string) string {
		return `histogram_quantile(` + share + `, sum by (instance, worker, le) (` + rate(metric+"_bucket") + `)) >= 0`
	}
	return row{"Workers", []panel{
		curves("Busy", "Share of its time that each worker had something to do. Near 100 %: it is saturated, and what comes beyond is lost in the kernel. More workers need more queues.", share,
			q(rate("gw_worker_busy_seconds_total"), worker)).upTo(1),
		curves("Waiting for a CPU", "Share of its time that a worker could have run and something else had its CPU: give it one of its own (--cpus).", share,
			q(rate("gw_worker_cpu_wait_seconds_total"), worker)),
		curves("Frames by worker", "Frames that each worker gave a verdict. Very uneven: the NIC spreads flows badly over its queues (ethtool -X, -N).", packets,
			q(`sum by (instance, worker) (rate(gw_frames_total{instance=~"$instance", worker!="xdp"}[$__rate_interval]))`, worker)),
		curves("Frames at once", "Frames that a worker took from a queue at once: median and 99th percentile. At 256, the most, it has more to do than it keeps up with.", count,
			q(quantile("0.5", "gw_worker_batch_frames"), worker+" median"),
			q(quantile("0.99", "gw_worker_batch_frames"), worker+" 99 %")),
		curves("Frames per kick", "Frames that waited when the kernel was called to send: median and 99th percentile. Few of them under load: system calls are what limits it.", count,
			q(quantile("0.5", "gw_worker_kick_frames"), worker+" median"),
			q(quantile("0.99", "gw_worker_kick_frames"), worker+" 99 %")),
		curves("Rounds and sleeps", "Rounds that moved something, and times that a worker had nothing to do and slept. Many rounds and no sleeps: it has something to do all the time.", perSecond,
			q(rate("gw_worker_rounds_total"), worker+" rounds"), q(rate("gw_worker_sleeps_total"), worker+" sleeps")),
		curves("By way of the kernel", "Packets that the kernel sent, or refused to send, while their next hop was unresolved.", packets,
			q(`sum by (result) (`+rate("gw_slow_path_packets_total")+`)`, "{{result}}")),
		curves("Packets too big", "Senders that were told by ICMP that their frame does not fit, and what routers said of the gateway's own packets: believed (a way is narrower than was thought) or ignored.", perSecond,
			q(`sum(`+rate("gw_icmp_too_big_sent_total")+`)`, "sent"), q(`sum by (result) (`+rate("gw_icmp_too_big_received_total")+`)`, "received: {{result}}")),
		curves("Strangers without a number", "Packets of unknown VTEPs that found the table of remotes full: nothing is learned of them. Somebody may be forging sources.", packets,
			q(`sum by (instance) (`+rate("gw_unnumbered_sources_total")+`)`, "{{instance}}")),
	}}
}
