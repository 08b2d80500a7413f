package metrics

// Label is a name that series are told apart by, and what its values are.
type Label struct{ Name, Values string }

// Labels is every label of the gateway's own metrics. Read only.
var Labels = []Label{
	{"action", "what was done; the metric says which there are"},
	{"cpu", "number of a CPU, -1 for none in particular"},
	{"direction", "rx: received, tx: sent; of tunnels and remotes as the gateway sees it"},
	{"drop", "true where the verdict means that the frame went nowhere, else false"},
	{"event", "rx_dropped, rx_invalid, tx_invalid, rx_ring_full, fill_ring_empty, tx_ring_empty: as the kernel has them (struct xdp_statistics)"},
	{"group", "multicast address, empty for none"},
	{"interface", "the underlay or a port, a device under the host's name for it, though the queues are those of its far end"},
	{"mac", "MAC address"},
	{"mode", "zerocopy or copy"},
	{"name", "name of a bridge domain, as gw fdb has it"},
	{"next_hop", "IP address"},
	{"origin", "configured: by file, flags or gw; spoke_first: neither"},
	{"outcome", "entered, moved, aged"},
	{"port", "a port, a device under the host's name for it"},
	{"queue", "number of a queue of the interface"},
	{"reason", "why; the metric says which there are"},
	{"remote", "address of a VTEP or group, behind it the UDP port and the VNI where an entry gives it others; other: all that have no series of their own"},
	{"result", "what came of it; the metric says which there are"},
	{"role", "underlay or port"},
	{"state", "of the way to a remote: direct, resolving, failed, no-route, link-down, idle (nobody sends to it)"},
	{"verdict", "what became of a frame: one of [those](reference.md#verdicts)"},
	{"version", "of the program"},
	{"vni", "VXLAN network identifier; empty for the underlay and for trunks, which have several"},
	{"worker", "number of a worker, from 0 on; of gw_frames_total also xdp"},
	{"xdp", "native or generic"},
}
