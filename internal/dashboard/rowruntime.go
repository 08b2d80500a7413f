package main

// runtime shows what Go's and the process's collectors tell, of gateways only: other
// programs have these metrics, too.
func runtime() row {
	const ours = ` and on (job, instance) gw_build_info`
	of := func(expr string) string { return expr + ours }
	return row{"Go runtime", []panel{
		curves("CPU", "CPU seconds per second of the whole process, workers among them.", count,
			q(of(`rate(process_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])`), "{{instance}}")).wide(6),
		curves("Memory", "Resident memory, the frame memory among it, and the heap of Go.", size,
			q(of(`process_resident_memory_bytes{instance=~"$instance"}`), "{{instance}} resident"),
			q(of(`go_memstats_heap_alloc_bytes{instance=~"$instance"}`), "{{instance}} heap")).wide(6),
		curves("Goroutines and threads", "More and more of them for long: a leak, tell the project.", count,
			q(of(`go_goroutines{instance=~"$instance"}`), "{{instance}} goroutines"),
			q(of(`go_threads{instance=~"$instance"}`), "{{instance}} threads")).wide(6),
		curves("Open files", "Descriptors of the process, sockets of queues among them, as a share of its limit.", share,
			q(of(`process_open_fds{instance=~"$instance"} / process_max_fds`), "{{instance}}")).wide(6),
		curves("Allocation", "Bytes per second that Go allocates. The data path allocates nothing: this is the steward, the API and scrapes.", "Bps",
			q(of(`rate(go_memstats_alloc_bytes_total{instance=~"$instance"}[$__rate_interval])`), "{{instance}}")).wide(12),
		curves("Garbage collection", "The longest pause of a collection. Workers allocate nothing, and are stopped no longer than it.", seconds,
			q(of(`go_gc_duration_seconds{instance=~"$instance", quantile="1"}`), "{{instance}} longest pause")).wide(12),
	}}
}
