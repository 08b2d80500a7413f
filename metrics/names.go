package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"vxgw/control"
)

// descriptions is every metric of the gateway's own, in the order of this file.
var descriptions []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("gw_"+name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

var (
	buildInfo = describe("build_info", "Always 1; the version is in the label.", "version")
	ready     = describe("ready", "1 once frames can flow.")
	uptime    = describe("uptime_seconds", "Time since the start.")

	linkUp        = describe("link_up", "1 while the interface is up, with carrier.", "interface", "role", "vni")
	queueMode     = describe("queue_mode", "Always 1; how the queue's socket is bound (zerocopy or copy, as the kernel says) and how XDP is attached (native or generic).", "interface", "queue", "mode", "xdp")
	fellBack      = describe("mode_fallback", "Always 1; why the interface is not bound in the best mode: no_zerocopy (its driver has none, as every veth), refused (its driver offers zero-copy and did not bind), few_frames (no room in the memory), no_native (its driver has no XDP). No series for one that is.", "interface", "reason")
	packets       = describe("packets_total", "Packets that workers took from (rx) and put on (tx) the queue's rings.", "interface", "queue", "direction")
	bytes         = describe("bytes_total", "Bytes of these packets, from the Ethernet header on.", "interface", "queue", "direction")
	steered       = describe("steered_packets_total", "What the XDP program did with packets: redirected to the gateway, passed to the kernel, meant for the gateway on a queue that has no socket, or refused: from a VTEP that may not send to its VNI.", "interface", "action")
	injected      = describe("injected_packets_total", "Outer packets that came by way of the kernel (in fragments, with IP options, on a queue without a socket) and were taken; they have verdicts too.", "interface")
	injectedBytes = describe("injected_bytes_total", "Bytes of these packets, from the Ethernet header on.", "interface")
	injectDrops   = describe("injected_drops_total", "Such packets that were dropped before they got a verdict: longer than a frame, more than the worker kept up with, no free frame, or, at most so many, no room in the socket.", "interface", "reason")

	kicks   = describe("kicks_total", "System calls that made the kernel send.", "interface", "queue")
	foreign = describe("foreign_descriptors_total", control.ForeignSentence, "interface", "queue")

	kernelDrops = describe("kernel_events_total", "What the kernel counts for the socket (XDP_STATISTICS).", "interface", "queue", "event")

	verdicts   = describe("frames_total", "Received frames by what became of them; one verdict each. The worker is xdp where XDP dropped them (remote_not_allowed).", "worker", "verdict", "drop")
	copies     = describe("flood_copies_total", "Copies that flooding made, by what became of them.", "worker", "verdict", "drop")
	rounds     = describe("worker_rounds_total", "Rounds in which a worker moved something.", "worker")
	sleeps     = describe("worker_sleeps_total", "Times a worker had nothing to do and slept.", "worker")
	unnumbered = describe("unnumbered_sources_total", "Packets of unknown VTEPs that found the table of remotes full, so that nothing was learned of them.", "worker")
	answers    = describe("icmp_too_big_sent_total", "Senders told by ICMP or ICMPv6 that their frame was larger than its way carries.", "worker")
	complaints = describe("icmp_too_big_received_total", "What routers said by ICMP of packets with DF that were too big for them: believed, and so the way to a remote is narrower than was thought, or ignored, since the packet cannot have been the gateway's.", "interface", "result")
	slowPath   = describe("slow_path_packets_total", "Packets that the kernel sent, or refused to send, while their next hop was unresolved.", "worker", "result")

	portPackets = describe("port_packets_total", "Frames received from (rx) and sent to (tx) the port, a device under the name that the host has for it.", "port", "vni", "direction")
	portBytes   = describe("port_bytes_total", "Bytes of these frames, from the Ethernet header on.", "port", "vni", "direction")
	dropped     = describe("interface_dropped_frames_total", "Frames received from the interface that were dropped (rx), and frames and copies of them that could not leave by it (tx), by verdict; there is no series for what has not happened.", "interface", "vni", "direction", "verdict")

	vniPackets = describe("vni_packets_total", "Inner frames of the VNI that came out of tunnels (rx) and went into them (tx).", "vni", "direction")
	vniBytes   = describe("vni_bytes_total", "Bytes of these frames, from the inner Ethernet header on.", "vni", "direction")
	vniDropped = describe("vni_dropped_frames_total", "Received frames of the VNI that were dropped, from its ports and from tunnels once the VNI was known.", "vni")

	remotePackets = describe("remote_packets_total", "Inner frames that came from the remote (rx) and went to it (tx); of VTEPs that spoke first, all but some hundred together are called other.", "remote", "direction")
	remoteBytes   = describe("remote_bytes_total", "Bytes of these frames, from the inner Ethernet header on.", "remote", "direction")

	remotes    = describe("remotes", "Remote VTEPs and groups by the state of the way to them.", "state")
	fdbEntries = describe("fdb_entries", "Entries in the MAC table of all VNIs.")
	vniEntries = describe("vni_fdb_entries", "Entries of the VNI that count towards its maxaddress.", "vni")
	fdbMoves   = describe("fdb_moves_total", "Learned addresses that moved to another port or remote.")
	fdbRefused = describe("fdb_refused_total", "Addresses not learned: the VNI's limit was reached, the table was full, or a static entry pins them elsewhere.")
	fdbAged    = describe("fdb_aged_total", "Learned addresses that aged out.")

	neighEntries  = describe("vni_neighbours", "Neighbours that the VNI knows, of those with neigh_suppress.", "vni")
	neighQuieted  = describe("vni_neighbour_frames_total", "Questions for neighbours that were answered on behalf of hosts behind tunnels, and questions and announcements that were kept from tunnels without (suppressed).", "vni", "action")
	neighLearned  = describe("vni_neighbours_learned_total", "What was seen of neighbours: entered anew, moved to another MAC address; and aged out.", "vni", "outcome")
	neighDistrust = describe("vni_neighbours_refused_total", "What was seen of neighbours and not believed: a static entry has the address elsewhere, the limit was reached, there was no room until the table had grown, or the frame had another source than it claimed (forged).", "vni", "reason")

	memoryFrames = describe("memory_frames", "Frames of the shared memory.")
	memoryFree   = describe("memory_free_frames", "Frames in the shared store, in nobody's hands.")
)
