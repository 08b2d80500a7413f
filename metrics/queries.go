package metrics

// Query is something to ask Prometheus for.
type Query struct{ What, Expr string }

// Queries are examples, for docs/metrics.md. Read only.
var Queries = []Query{
	{"Bits a second of each VNI, out of tunnels and into them", `8 * sum by (vni, direction) (rate(gw_vni_bytes_total[1m]))`},
	{"The ten remotes that exchange most", `topk(10, sum by (remote) (rate(gw_remote_bytes_total[5m])))`},
	{"Frames dropped a second, by reason", `sum by (verdict) (rate(gw_frames_total{drop="true"}[5m])) > 0`},
	{"Which share of the frames received is dropped", `sum(rate(gw_frames_total{drop="true"}[5m])) / sum(rate(gw_frames_total[5m]))`},
	{"Where frames are dropped, and why", `sum by (interface, vni, direction, verdict) (rate(gw_interface_dropped_frames_total[5m])) > 0`},
	{"Why a VNI drops frames", `sum by (verdict) (rate(gw_vni_drops_total{vni="42"}[5m]))`},
	{"How busy workers are, 1 being all that they can", `rate(gw_worker_busy_seconds_total[1m])`},
	{"Workers that do not get their CPU: the share of the time that they wait for it", `rate(gw_worker_cpu_wait_seconds_total[5m]) > 0.05`},
	{"How many frames a worker takes at once: nine batches in ten are no larger", `histogram_quantile(0.9, sum by (worker, le) (rate(gw_worker_batch_frames_bucket[5m])))`},
	{"Frames for each system call that sends", `sum(rate(gw_packets_total{direction="tx"}[5m])) / sum(rate(gw_kicks_total[5m]))`},
	{"Packets that the kernel or the NIC could not hand over", `sum by (interface, queue, event) (rate(gw_kernel_events_total[5m])) > 0`},
	{"Remotes that cannot be reached", `gw_remote_state{state=~"failed|no-route"}`},
	{"Next hops of remotes, with the state of the way", `gw_remote_info * on (instance, job, remote) group_left (state) gw_remote_state`},
	{"VNIs whose MAC table is nine tenths full", `gw_vni_fdb_entries > 0.9 * gw_vni_fdb_max_entries and gw_vni_fdb_max_entries > 0`},
	{"Addresses that move: a loop, or an address twice", `topk(5, rate(gw_vni_fdb_moves_total[5m])) > 1`},
	{"Queues that are not bound zero-copy", `gw_queue_mode{mode!="zerocopy"}`},
	{"The file was refused", `gw_config_last_reload_successful == 0`},
}
