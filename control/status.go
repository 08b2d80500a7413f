// Package control is the API of a running gateway on a unix socket: the types of
// its answers, the server and the client. The answers are JSON over HTTP, so that
// `curl --unix-socket` works too.
package control

import "fmt"

// Status is the state of a gateway at one moment: what GET /v1/status answers, and
// what metrics are made from.
type Status struct {
	Version  string   `json:"version"`
	PID      int      `json:"pid"`
	Uptime   float64  `json:"uptime"` // seconds
	Ready    bool     `json:"ready"`
	Problems []string `json:"problems,omitempty"` // what is wrong now, one sentence each
	Hint     string   `json:"hint,omitempty"`     // what a new user may want to do next

	Underlay Underlay `json:"underlay"`
	Ports    []Port   `json:"ports"`
	VNIs     []VNI    `json:"vnis"`
	Remotes  []Remote `json:"remotes"`
	// Forgotten is the traffic of VTEPs that spoke first and that nothing leads to any more.
	Forgotten Traffic `json:"forgotten"`

	FDB     FDBStats `json:"fdb"`
	Workers []Worker `json:"workers"`
	Memory  Memory   `json:"memory"`
	Log     Log      `json:"log"`

	Reloads   Reloads `json:"reloads"`
	Snapshots uint64  `json:"snapshots"` // how often workers were given another view of the configuration and the underlay
	Netlink   Netlink `json:"netlink"`
	// MaxRemotes is how many remotes and VTEPs that spoke first can be known at a time.
	MaxRemotes int `json:"max_remotes"`
}

// Refused is how many packets XDP dropped as remote_not_allowed, beside those of the workers.
func (s *Status) Refused() uint64 { return s.Underlay.Steering.Refused + s.Underlay.Steering.Late }

// Underlay is the interface that carries the VXLAN packets.
type Underlay struct {
	Interface
	Local string `json:"local"` // outer source address, empty while there is none
	// Locals are all of them: over IPv4, over IPv6, and for what is of the link.
	Locals  []string `json:"locals"`
	Trouble string   `json:"trouble,omitempty"` // why nothing can be sent from it
	DstPort uint16   `json:"dstport"`
	MAC     string   `json:"mac"`
	VRF     string   `json:"vrf,omitempty"` // the VRF that it belongs to

	// Below is the interface that the underlay is a VLAN of, whose XDP program and queues these are. Tags
	// says how the program sees the VLAN's tag, as Port.VLAN does, and why not the best.
	Below      string `json:"below,omitempty"`
	VLAN       uint16 `json:"vlan,omitempty"` // identifier
	Tags       string `json:"tags,omitempty"`
	TagsReason string `json:"tags_reason,omitempty"`

	Injected   Injected   `json:"injected"`
	Complaints Complaints `json:"icmp_too_big_received"`
}

// Complaints counts what routers said by ICMP of packets with DF that were too big for them.
type Complaints struct {
	Believed uint64 `json:"believed"` // and so a way is narrower than was thought
	Ignored  uint64 `json:"ignored"`  // the packet cannot have been the gateway's
}

// Injected counts outer packets that XDP left to the kernel although they are the
// gateway's, and that came back: in fragments, with IP options, or on a queue without
// a socket. Those taken have verdicts as all others have; those dropped before have
// none.
type Injected struct {
	Packets    uint64 `json:"packets"`
	Bytes      uint64 `json:"bytes"`
	TooLong    uint64 `json:"too_long"`    // dropped: longer than a frame of the memory
	QueueFull  uint64 `json:"queue_full"`  // dropped: more than the worker kept up with
	NoFrame    uint64 `json:"no_frame"`    // dropped: no frame was free
	SocketFull uint64 `json:"socket_full"` // dropped in the kernel, at most: meanwhile it counts all UDP packets to this host
}

// Interface is a network interface that frames are taken from and sent to.
type Interface struct {
	Name     string  `json:"name"`
	Up       bool    `json:"up"`
	MTU      int     `json:"mtu"`
	MaxMTU   int     `json:"max_mtu"` // the largest one of which all packets can be received and sent as it is bound
	Driver   string  `json:"driver,omitempty"`
	XDP      string  `json:"xdp"`                // native or generic
	Fallback string  `json:"fallback,omitempty"` // why it is not bound in a better mode
	Steering Steer   `json:"steering"`
	Queues   []Queue `json:"queues"`

	NoCarrier    bool   `json:"no_carrier,omitempty"`    // it is set up, and has no link
	FallbackCode string `json:"fallback_code,omitempty"` // one of the words below, where there is a fallback
	FallbackCure string `json:"fallback_cure,omitempty"` // what may help, unless the driver can do no better
	// What the driver said before the program was attached, in the kernel's words; without
	// them where the kernel does not tell (before 6.3).
	Offers *Offers `json:"offers,omitempty"`
	Rings  Rings   `json:"rings"`

	// Received frames that went nowhere, and frames and copies that could not leave, by
	// verdict. A frame that another worker was to send is among the latter only.
	Drops   map[string]uint64 `json:"drops,omitempty"`
	TxDrops map[string]uint64 `json:"tx_drops,omitempty"`
}

// Why an interface is not bound in the best mode.
const (
	FallbackNoNative   = "no_native"   // the driver has no XDP: it runs in the stack
	FallbackNoZeroCopy = "no_zerocopy" // the driver has none
	FallbackRefused    = "refused"     // the driver offers zero-copy, and refused
	FallbackFewFrames  = "few_frames"  // the memory has no room for what zero-copy takes
)

// Offers is what a driver says it can do (the kernel's netdev family, Documentation/netlink/specs/netdev.yaml).
type Offers struct {
	XDP        []string `json:"xdp_features"`
	ZCSegments uint32   `json:"xdp_zc_max_segs"` // frames that one packet may have in zero-copy mode
	Metadata   []string `json:"xdp_rx_metadata_features"`
}

// Rings are the sizes of each queue's rings, in descriptors.
type Rings struct {
	Rx   uint32 `json:"rx"`
	Tx   uint32 `json:"tx"` // and of the completion ring
	Fill uint32 `json:"fill"`
	NIC  uint32 `json:"nic"` // of the NIC's own receive ring, where it may hold frames of the gateway's
}

// Traffic counts inner frames, and their bytes from the Ethernet header on, that came out
// of tunnels (rx) and went into them (tx), those that the kernel was left to send among them.
type Traffic struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
}

// Steer counts what the XDP program did with the interface's packets.
type Steer struct {
	Redirected uint64 `json:"redirected"` // handed to the gateway
	Passed     uint64 `json:"passed"`     // left to the kernel
	NoSocket   uint64 `json:"no_socket"`  // for the gateway, on a queue without a socket
	Refused    uint64 `json:"refused"`    // from VTEPs that may not send to their VNI: dropped, as remote_not_allowed
	Late       uint64 `json:"late"`       // likewise datagrams that the kernel had put together, of packets passed
}

// Queue is one AF_XDP socket.
type Queue struct {
	Queue     int    `json:"queue"`
	Worker    int    `json:"worker"`
	Mode      string `json:"mode"` // zerocopy or copy, as the kernel says
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	Kicks     uint64 `json:"kicks"`              // system calls that made the kernel send
	PerSend   uint32 `json:"per_send,omitempty"` // in copy mode: how many frames one of them sends; 0: all that wait
	Foreign   uint64 `json:"foreign"`            // descriptors of frames that the kernel did not own
	Kernel    Kernel `json:"kernel"`

	Wakeups    uint64 `json:"wakeups"`     // system calls that made the kernel receive
	Stalls     uint64 `json:"stalls"`      // kicks that moved nothing: the kernel had no room
	SendErrors uint64 `json:"send_errors"` // kicks that failed
	Malformed  uint64 `json:"malformed"`   // received descriptors that ran out of their frame
	Receiving  uint32 `json:"receiving"`   // frames that the kernel has to receive into
	Sending    uint32 `json:"sending"`     // frames that it has to send
}

// ForeignSentence says what Queue.Foreign means and what to do.
const ForeignSentence = "Descriptors from the driver of frames that it did not own, which were ignored: the driver errs. Tell its maintainers; until it is mended, --mode copy does without what it does wrong."

// Kernel is what the kernel counts for one socket (XDP_STATISTICS).
type Kernel struct {
	RxDropped       uint64 `json:"rx_dropped"`
	RxInvalid       uint64 `json:"rx_invalid"`
	TxInvalid       uint64 `json:"tx_invalid"`
	RxRingFull      uint64 `json:"rx_ring_full"`
	FillRingEmpty   uint64 `json:"fill_ring_empty"`
	TxRingEmpty     uint64 `json:"tx_ring_empty"`
	StatisticsError string `json:"error,omitempty"` // why there are none
}

// Port is a local interface whose frames are bridged.
type Port struct {
	Interface
	VNI     uint32 `json:"vni"`
	Device  string `json:"device,omitempty"`  // the host's side, when gw made the pair
	Renamed string `json:"renamed,omitempty"` // what the interface is called now, where that is another name than it was configured by
	Gone    bool   `json:"gone,omitempty"`    // configured, and not there now
	Reason  string `json:"reason,omitempty"`  // why it is gone
	// Isolated keeps it from other such ports of the VNI.
	Isolated bool `json:"isolated,omitempty"`
	// VLAN is what becomes of the VLAN tags of frames from there: one of the words
	// below.
	VLAN       string `json:"vlan"`
	VLANReason string `json:"vlan_reason,omitempty"` // why it is not metadata
	// VLANRule is what else becomes of tags: strip or drop, or nothing.
	VLANRule string `json:"vlan_rule,omitempty"`
	// VLANs are those of a trunk, whose VNI is 0.
	VLANs []PortVLAN `json:"vlans,omitempty"`
	TPID  string     `json:"tpid,omitempty"` // of a trunk's tags: 802.1Q or 802.1ad
}

// PortVLAN is a VLAN of a trunk, a port of a VNI.
type PortVLAN struct {
	VLAN     string `json:"vlan"` // its number, or untagged
	VNI      uint32 `json:"vni"`
	Isolated bool   `json:"isolated,omitempty"`
	Gone     bool   `json:"gone,omitempty"` // configured, and not there now
}

// What becomes of a VLAN tag that would travel beside its frame.
const (
	TagsMetadata = "metadata" // XDP reads it and puts it back
	TagsOffloads = "offloads" // none does: the offloads that take tags out are off
	TagsLost     = "lost"     // the frame arrives without it
)

// VNI is one bridge domain.
type VNI struct {
	VNI     uint32   `json:"vni"`
	Name    string   `json:"name"`
	Group   string   `json:"group,omitempty"`
	Remotes []string `json:"remotes,omitempty"` // configured ones
	Ports   []string `json:"ports"`
	FDB     int      `json:"fdb"` // entries that count towards maxaddress
	Frozen  int      `json:"frozen,omitempty"`
	Traffic
	Dropped uint64 `json:"dropped"` // received frames, from ports and from tunnels once the VNI was known
	// DropReasons is Dropped by verdict, without those that did not occur.
	DropReasons map[string]uint64 `json:"drop_reasons,omitempty"`
	Table       FDBDomain         `json:"table"`
	// Allow is who may send to the VNI, without it anyone; Refused is packets of others that were dropped
	// in XDP, which are among Dropped.
	Allow   []string `json:"allow,omitempty"`
	Refused uint64   `json:"refused,omitempty"`

	// TunnelMTU is what the underlay's MTU leaves for inner packets, in bytes from the IP header on.
	TunnelMTU int `json:"tunnel_mtu"`

	Neigh *NeighStats `json:"neigh,omitempty"` // of a VNI with neigh_suppress
}

// Remote is another VTEP, or a group.
type Remote struct {
	Address    string `json:"address"`
	Port       uint16 `json:"port,omitempty"`       // UDP port of packets to it, where an entry gives it another one
	RemoteVNI  uint32 `json:"remote_vni,omitempty"` // likewise the VNI in their headers
	Configured bool   `json:"configured"`           // by the file or flags, or gw fdb; false: it spoke first
	State      string `json:"state"`                // direct, resolving, failed, no-route, link-down, idle
	NextHop    string `json:"nexthop,omitempty"`
	MAC        string `json:"mac,omitempty"`
	MTU        int    `json:"mtu,omitempty"`
	// MTUExpires is in how many seconds the MTU is forgotten that a router has told, 0 for one that is the route's or the link's.
	MTUExpires float64 `json:"mtu_expires,omitempty"`
	Reason     string  `json:"reason,omitempty"`
	Number     int     `json:"number"` // stands for it while it is known, then for another one
	Traffic
}

// Name tells remotes apart: the address, and the rest in the words of bridge(8).
func (r *Remote) Name() string {
	name := r.Address
	if r.Port != 0 {
		name += fmt.Sprintf(" port %d", r.Port)
	}
	if r.RemoteVNI != 0 {
		name += fmt.Sprintf(" vni %d", r.RemoteVNI)
	}
	return name
}

// FDBStats is the state of the MAC table.
type FDBStats struct {
	Entries int    `json:"entries"`
	Moves   uint64 `json:"moves"`
	Refused uint64 `json:"refused"` // addresses not learned: limit reached, table full or pinned elsewhere
	Aged    uint64 `json:"aged"`
	Frozen  int    `json:"frozen"` // addresses that moved too often and stay where they are

	MaxEntries    int    `json:"max_entries"`
	Bytes         int    `json:"bytes"` // of memory in use
	RefusedLimit  uint64 `json:"refused_limit"`
	RefusedStatic uint64 `json:"refused_static"`
	RefusedFull   uint64 `json:"refused_full"`
}

// FDBDomain is what the MAC table counts of one VNI, since it was made.
type FDBDomain struct {
	Limit         int    `json:"limit"` // maxaddress, 0 for none
	Moves         uint64 `json:"moves"`
	Aged          uint64 `json:"aged"`
	RefusedLimit  uint64 `json:"refused_limit"`
	RefusedStatic uint64 `json:"refused_static"`
	RefusedFull   uint64 `json:"refused_full"`
}

// Worker is one pinned goroutine.
type Worker struct {
	ID         int               `json:"id"`
	CPU        int               `json:"cpu"`
	Rounds     uint64            `json:"rounds"`
	Sleeps     uint64            `json:"sleeps"`
	Unnumbered uint64            `json:"unnumbered"`        // packets of strangers that found the table of remotes full
	Verdicts   map[string]uint64 `json:"verdicts"`          // of received frames, one each
	Copies     map[string]uint64 `json:"copies"`            // of the copies that flooding made
	Answers    uint64            `json:"icmp_too_big_sent"` // to senders whose frames did not fit their way
	SlowSent   uint64            `json:"slow_sent"`         // packets the kernel sent for us
	SlowFailed uint64            `json:"slow_failed"`

	Batches Histogram `json:"batches"` // frames received at once
	Kicks   Histogram `json:"kicks"`   // frames that waited when the kernel was called to send
	// Seconds in rounds that moved something, and in such that found nothing to do; taken from a
	// sample of rounds. The rest of the time it slept, or another thread had its CPU.
	Busy float64 `json:"busy_seconds"`
	Spun float64 `json:"spun_seconds"`
	// Seconds that its thread had the CPU, and waited for it, as the kernel says.
	CPUTime float64 `json:"cpu_seconds"`
	CPUWait float64 `json:"cpu_wait_seconds"`
}

// Memory is the frame memory.
type Memory struct {
	Frames    int    `json:"frames"`
	FrameSize int    `json:"frame_size"` // bytes
	Pages     string `json:"pages"`
	Free      int    `json:"free"` // frames in the shared store
}
