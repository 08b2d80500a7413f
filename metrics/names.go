package metrics

import "vxgw/control"

// Sections is every metric of the gateway's own, in the order of docs/metrics.md. Read only.
var Sections = []*Section{ofGateway, ofInterfaces, ofWorkers, ofVerdicts, ofPorts, ofVNIs, ofRemotes, ofFDB, ofNeighbours, ofMemory}

var ofGateway = &Section{Title: "The gateway"}

var (
	buildInfo = ofGateway.gauge("build_info", "1", "Always 1; the version is in the label.", "version")
	ready     = ofGateway.gauge("ready", "1", "1 once frames can flow.")
	uptime    = ofGateway.gauge("uptime_seconds", "seconds", "Time since the start.")
	problems  = ofGateway.gauge("problems", "problems", "What keeps frames from flowing, or may soon: the number of sentences that gw status has under problems.")

	reloads       = ofGateway.counter("config_reloads_total", "reloads", "Times the file was read again: carried out, or refused, and then everything stayed as it was.", "result")
	reloadOK      = ofGateway.gauge("config_last_reload_successful", "1", "0 while what is in force is older than the file that was read last, since that was refused; 1 before the first reload.")
	reloadTime    = ofGateway.gauge("config_last_reload_success_timestamp_seconds", "seconds since 1970", "When the configuration was last taken over: the last reload that was not refused, or the start.")
	reloadSeconds = ofGateway.gauge("config_last_reload_duration_seconds", "seconds", "What the last reload took, refused or not; 0 before the first.")
	linesLeftOut  = ofGateway.counter("log_lines_left_out_total", "lines", "Lines that were not logged, since there were too many of their kind.")
	snapshots     = ofGateway.counter("snapshots_total", "snapshots", "Times workers were given another view of configuration, links, routes and neighbours; at most 100 a second.")
	routeLookups  = ofGateway.counter("route_lookups_total", "look-ups", "Routes looked up, since something had changed or might have.")
	asks          = ofGateway.counter("neighbour_requests_total", "requests", "Times the kernel was asked to resolve a next hop.")
	overruns      = ofGateway.counter("netlink_overruns_total", "overruns", "Times the kernel lost events of links, routes and neighbours, so that everything was read again.")
)

var ofInterfaces = &Section{Title: "Interfaces and queues"}

var (
	linkUp        = ofInterfaces.gauge("link_up", "1", "1 while the interface is up, with carrier.", "interface", "role", "vni")
	linkMTU       = ofInterfaces.gauge("link_mtu_bytes", "bytes", "The interface's MTU: bytes behind the Ethernet header.", "interface", "role", "vni")
	queueMode     = ofInterfaces.gauge("queue_mode", "1", "Always 1; how the queue's socket is bound (zerocopy or copy, as the kernel says) and how XDP is attached (native or generic).", "interface", "queue", "mode", "xdp")
	fellBack      = ofInterfaces.gauge("mode_fallback", "1", "Always 1; why the interface is not bound in the best mode: no_zerocopy (its driver has none, as every veth), refused (its driver offers zero-copy and did not bind), few_frames (no room in the memory), no_native (its driver has no XDP). No series for one that is.", "interface", "reason")
	queuePackets  = ofInterfaces.counter("packets_total", "packets", "Packets that workers took from (rx) and put on (tx) the queue's rings.", "interface", "queue", "direction")
	queueBytes    = ofInterfaces.counter("bytes_total", "bytes", "Bytes of these packets, from the Ethernet header on.", "interface", "queue", "direction")
	steered       = ofInterfaces.counter("steered_packets_total", "packets", "What the XDP program did with packets: redirected to the gateway, passed to the kernel, meant for the gateway on a queue that has no socket (no_socket), or refused: from a VTEP that may not send to its VNI; refused_late likewise, of packets that the kernel had put together.", "interface", "action")
	injected      = ofInterfaces.counter("injected_packets_total", "packets", "Outer packets that came by way of the kernel (in fragments, with IP options, on a queue without a socket) and were taken; they have verdicts too.", "interface")
	injectedBytes = ofInterfaces.counter("injected_bytes_total", "bytes", "Bytes of these packets, from the Ethernet header on.", "interface")
	injectDrops   = ofInterfaces.counter("injected_drops_total", "packets", "Such packets that were dropped before they got a verdict: longer than a frame, more than the worker kept up with, no free frame, or, at most so many, no room in the socket.", "interface", "reason")

	kicks      = ofInterfaces.counter("kicks_total", "system calls", "System calls that made the kernel send.", "interface", "queue")
	stalls     = ofInterfaces.counter("kick_stalls_total", "system calls", "Those of them that moved nothing: the kernel had no room, and is asked again.", "interface", "queue")
	kickErrors = ofInterfaces.counter("kick_errors_total", "system calls", "Those of them that failed: the interface is down or gone.", "interface", "queue")
	wakeups    = ofInterfaces.counter("wakeups_total", "system calls", "System calls that made the kernel look at the fill ring, or receive.", "interface", "queue")
	foreign    = ofInterfaces.counter("foreign_descriptors_total", "descriptors", control.ForeignSentence, "interface", "queue")
	malformed  = ofInterfaces.counter("malformed_descriptors_total", "descriptors", "Descriptors from the driver of packets that ran out of their frame, which were dropped as short or inner_short: the driver errs.", "interface", "queue")
	inKernel   = ofInterfaces.gauge("kernel_frames", "frames", "Frames that the kernel has from the queue's socket: to receive into (rx) and to send (tx).", "interface", "queue", "direction")

	kernelDrops = ofInterfaces.counter("kernel_events_total", "events", "What the kernel counts for the socket (XDP_STATISTICS).", "interface", "queue", "event")
)

var ofWorkers = &Section{Title: "Workers"}

var (
	workerInfo = ofWorkers.gauge("worker_info", "1", "Always 1; the CPU that the worker is pinned to, -1 for none.", "worker", "cpu")
	busy       = ofWorkers.counter("worker_busy_seconds_total", "seconds", "Time in rounds that moved something, system calls included; one round in 61 is timed and stands for the others. Its rate is how busy the worker is: 1 is all that it can.", "worker")
	spun       = ofWorkers.counter("worker_spin_seconds_total", "seconds", "Time in rounds that found nothing to do, likewise. What is left of the time it slept.", "worker")
	cpuTime    = ofWorkers.counter("worker_cpu_seconds_total", "seconds", "CPU time of the worker's thread, as the kernel counts it: busy, and spinning.", "worker")
	cpuWait    = ofWorkers.counter("worker_cpu_wait_seconds_total", "seconds", "Time that the worker's thread could have run and waited for its CPU, which something else had; 0 where the kernel does not count it (CONFIG_SCHED_INFO).", "worker")
	rounds     = ofWorkers.counter("worker_rounds_total", "rounds", "Rounds in which a worker moved something.", "worker")
	sleeps     = ofWorkers.counter("worker_sleeps_total", "sleeps", "Times a worker had nothing to do and slept.", "worker")
	batches    = ofWorkers.histogram("worker_batch_frames", "frames", "Frames that a worker took from a queue at once; 256 at most. Large batches mean that it has much to do.", "worker")
	kickSizes  = ofWorkers.histogram("worker_kick_frames", "frames", "Frames that waited in a tx ring when a worker had the kernel send, once for all calls that it took (gw_kicks_total counts each).", "worker")
	slowPath   = ofWorkers.counter("slow_path_packets_total", "packets", "Packets that the kernel sent, or refused to send, while their next hop was unresolved.", "worker", "result")
)

var ofVerdicts = &Section{Title: "What became of frames"}

var (
	verdicts   = ofVerdicts.counter("frames_total", "frames", "Received frames by what became of them; one verdict each. The worker is xdp where XDP dropped them (remote_not_allowed).", "worker", "verdict", "drop")
	copies     = ofVerdicts.counter("flood_copies_total", "frames", "Copies that flooding made, by what became of them.", "worker", "verdict", "drop")
	dropped    = ofVerdicts.counter("interface_dropped_frames_total", "frames", "Frames received from the interface that were dropped (rx), and frames and copies of them that could not leave by it (tx), by verdict; there is no series for what has not happened.", "interface", "vni", "direction", "verdict")
	vniDropped = ofVerdicts.counter("vni_dropped_frames_total", "frames", "Received frames of the VNI that were dropped, from its ports and from tunnels once the VNI was known.", "vni")
	vniReasons = ofVerdicts.counter("vni_drops_total", "frames", "The same by verdict; there is no series for what has not happened.", "vni", "verdict")
	unnumbered = ofVerdicts.counter("unnumbered_sources_total", "packets", "Packets of unknown VTEPs that found the table of remotes full, so that nothing was learned of them.", "worker")
	answers    = ofVerdicts.counter("icmp_too_big_sent_total", "packets", "Senders told by ICMP or ICMPv6 that their frame was larger than its way carries.", "worker")
	complaints = ofVerdicts.counter("icmp_too_big_received_total", "packets", "What routers said by ICMP of packets with DF that were too big for them: believed, and so the way to a remote is narrower than was thought, or ignored, since the packet cannot have been the gateway's.", "interface", "result")
)

var ofPorts = &Section{Title: "Ports"}

var (
	portPackets = ofPorts.counter("port_packets_total", "frames", "Frames received from (rx) and sent to (tx) the port, a device under the name that the host has for it.", "port", "vni", "direction")
	portBytes   = ofPorts.counter("port_bytes_total", "bytes", "Bytes of these frames, from the Ethernet header on.", "port", "vni", "direction")
)

var ofVNIs = &Section{Title: "VNIs"}

var (
	vniInfo    = ofVNIs.gauge("vni_info", "1", "Always 1; the name of the VNI's bridge domain, and the group that it floods to, if any.", "vni", "name", "group")
	vniPackets = ofVNIs.counter("vni_packets_total", "frames", "Inner frames of the VNI that came out of tunnels (rx) and went into them (tx).", "vni", "direction")
	vniBytes   = ofVNIs.counter("vni_bytes_total", "bytes", "Bytes of these frames, from the inner Ethernet header on.", "vni", "direction")
	vniMTU     = ofVNIs.gauge("vni_tunnel_mtu_bytes", "bytes", "What the underlay's MTU leaves for inner packets, from the IP header on.", "vni")
)

var ofRemotes = &Section{Title: "Remotes"}

var (
	remotes       = ofRemotes.gauge("remotes", "remotes", "Remote VTEPs and groups by the state of the way to them, those without series of their own among them.", "state")
	remotesMax    = ofRemotes.gauge("remotes_max", "remotes", "How many can be known at a time.")
	remotePackets = ofRemotes.counter("remote_packets_total", "frames", "Inner frames that came from the remote (rx) and went to it (tx).", "remote", "direction")
	remoteBytes   = ofRemotes.counter("remote_bytes_total", "bytes", "Bytes of these frames, from the inner Ethernet header on.", "remote", "direction")
	remoteInfo    = ofRemotes.gauge("remote_info", "1", "Always 1; who named the remote, and its next hop and that one's MAC address, empty while they are unknown.", "remote", "origin", "next_hop", "mac")
	remoteState   = ofRemotes.gauge("remote_state", "1", "Always 1; the state of the way to the remote.", "remote", "state")
	remoteMTU     = ofRemotes.gauge("remote_mtu_bytes", "bytes", "MTU of the way to the remote: of the link, the route, or what a router has told; from the outer IP header on. No series while there is no way.", "remote")
)

var ofFDB = &Section{Title: "MAC table"}

var (
	fdbEntries = ofFDB.gauge("fdb_entries", "entries", "Entries in the MAC table of all VNIs.")
	fdbMax     = ofFDB.gauge("fdb_max_entries", "entries", "How many it can have.")
	fdbBytes   = ofFDB.gauge("fdb_memory_bytes", "bytes", "Memory that it takes.")
	fdbFrozen  = ofFDB.gauge("fdb_frozen_entries", "entries", "Addresses that moved too often and stay where they are.")
	fdbMoves   = ofFDB.counter("fdb_moves_total", "moves", "Learned addresses that moved to another port or remote.")
	fdbAged    = ofFDB.counter("fdb_aged_total", "entries", "Learned addresses that aged out.")
	fdbRefused = ofFDB.counter("fdb_refused_total", "frames", "Frames whose source was not learned: the VNI's limit was reached (limit), the table was full (full), or a static entry pins it elsewhere (static).", "reason")

	vniEntries = ofFDB.gauge("vni_fdb_entries", "entries", "Entries of the VNI, all of which count towards its maxaddress.", "vni")
	vniLimit   = ofFDB.gauge("vni_fdb_max_entries", "entries", "The VNI's maxaddress, 0 for none.", "vni")
	vniFrozen  = ofFDB.gauge("vni_fdb_frozen_entries", "entries", "Addresses of the VNI that moved too often and stay where they are.", "vni")
	vniMoves   = ofFDB.counter("vni_fdb_moves_total", "moves", "Learned addresses of the VNI that moved to another port or remote.", "vni")
	vniAged    = ofFDB.counter("vni_fdb_aged_total", "entries", "Learned addresses of the VNI that aged out.", "vni")
	vniRefused = ofFDB.counter("vni_fdb_refused_total", "frames", "Frames of the VNI whose source was not learned, as gw_fdb_refused_total.", "vni", "reason")
)

var ofNeighbours = &Section{Title: "Neighbours"}

var (
	neighEntries  = ofNeighbours.gauge("vni_neighbours", "neighbours", "Neighbours that the VNI knows, of those with neigh_suppress.", "vni")
	neighQuieted  = ofNeighbours.counter("vni_neighbour_frames_total", "frames", "Questions for neighbours that were answered on behalf of hosts behind tunnels, and questions and announcements that were kept from tunnels without (suppressed).", "vni", "action")
	neighLearned  = ofNeighbours.counter("vni_neighbours_learned_total", "neighbours", "What was seen of neighbours: entered anew, moved to another MAC address; and aged out.", "vni", "outcome")
	neighDistrust = ofNeighbours.counter("vni_neighbours_refused_total", "frames", "What was seen of neighbours and not believed: a static entry has the address elsewhere, the limit was reached, there was no room until the table had grown, or the frame had another source than it claimed (forged).", "vni", "reason")
)

var ofMemory = &Section{Title: "Frame memory"}

var (
	memoryFrames = ofMemory.gauge("memory_frames", "frames", "Frames of the shared memory.")
	memoryFree   = ofMemory.gauge("memory_free_frames", "frames", "Frames in the shared store, in nobody's hands.")
	memorySize   = ofMemory.gauge("memory_frame_bytes", "bytes", "Size of a frame.")
)

// How many series a VNI has beside one for each reason that it drops frames for, and a remote with a name.
const (
	SeriesOfVNI    = 15
	SeriesOfRemote = 7
	SeriesOfQueue  = 19
)
