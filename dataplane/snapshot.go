package dataplane

import (
	"net/netip"
	"sync/atomic"

	"vxgw/neigh"
	"vxgw/ring"
	"vxgw/vxlan"
)

// Snapshot is everything that workers need to know of the configuration and of
// the kernel's view of the underlay. It never changes after it was published; the
// control side builds a new one and swaps it. A worker reads the pointer once per
// round.
type Snapshot struct {
	Seq      uint64 // rises by one per snapshot
	LocalMAC uint64 // MAC address of the underlay interface
	Underlay bool   // the underlay is up
	// Locals are our outer source addresses, IPv4 first.
	Locals []vxlan.Addr
	// Martians are addresses of the underlay's subnets that are no other host's: the
	// underlay's own, and broadcast (RFC 1122 section 3.2.1.3).
	Martians []vxlan.Addr

	Domains []*Domain  // by bridge domain index; nil where unused
	VNIs    *VNITable  // VNI to bridge domain index
	Ports   []*Port    // by port index; nil where unused
	Paths   [][]Path   // by set of tunnel options, then by number of remote
	Queues  [][]*Queue // by worker

	briefs []brief // of Domains; see Publish
}

// brief is what encapEach has to know of a domain. Eight share a cache line: a trunk's frames come from thousands of domains, in any order.
type brief struct {
	vni uint32
	set uint16 // of tunnel options, into Paths
	// plain: there is such a domain, and none of its tunnel options wants a second look.
	plain bool
}

// setBriefs derives them from the domains.
func (s *Snapshot) setBriefs() {
	s.briefs = make([]brief, len(s.Domains))
	for i, d := range s.Domains {
		if d != nil {
			s.briefs[i] = brief{vni: d.VNI, set: uint16(d.Tunnel.Set), plain: !d.Tunnel.looksTwice()}
		}
	}
}

// domain is the bridge domain with an index, nil if there is none.
func (s *Snapshot) domain(index uint16) *Domain {
	if int(index) >= len(s.Domains) {
		return nil
	}
	return s.Domains[index]
}

// port is the port with an index, nil if there is none.
func (s *Snapshot) port(index uint32) *Port {
	if int(index) >= len(s.Ports) {
		return nil
	}
	return s.Ports[index]
}

// Domain is one VNI with its ports, remotes, flood list and settings.
type Domain struct {
	Index     uint16
	VNI       uint32
	Learning  bool
	DeviceMAC uint64 // of the host's side of the device that gw made, or 0
	Tunnel    *Tunnel

	FloodPorts   []uint32 // every port of the domain
	OpenPorts    []uint32 // those of them that are not isolated; read for isolated ones only
	FloodRemotes []uint32 // head-end replication list, or the one group
	Flooding     Flooding
	Allow        *Allow // who may send; nil: anyone

	// Neighbours is what ARP and ND are answered from on behalf of hosts behind tunnels; nil where they are not.
	Neighbours *neigh.Table
	Announce   bool // announcements of neighbours go into tunnels all the same
}

// Tunnel is a set of tunnel options.
type Tunnel struct {
	Set         int // index into Snapshot.Paths
	InheritTTL  bool
	InheritDF   bool
	UDPChecksum bool // over IPv4
	// ZeroChecksumTx sends no UDP checksum over IPv6, ZeroChecksumRx takes packets without.
	ZeroChecksumTx, ZeroChecksumRx bool
	Outer                          vxlan.TemplateConfig // all but source and destination; TTL 0 is auto
	// Source is the outer source of packets to an address, the zero Addr while there is none.
	Source func(dst netip.Addr) netip.Addr

	// Of packets from the tunnel:
	AnyChecksum bool   // a wrong UDP checksum is as good as a right one
	Reserved    uint64 // reserved bits of the VXLAN header that must not be set
}

// checksums says whether packets get a UDP checksum.
func (t *Tunnel) checksums(six bool) bool {
	if six {
		return !t.ZeroChecksumTx
	}
	return t.UDPChecksum
}

// Port is a local interface whose frames are bridged into a domain, or one VLAN of a
// trunk. The trunk itself has a Port too, for its queues, of the domain NoDomain: frames
// from there are those of its VLANs.
type Port struct {
	Index  uint32
	Domain uint16
	Name   string
	MTU    int // bytes behind the Ethernet header
	Most   int // of these, what its sockets carry; 0: whatever the MTU is
	Up     bool
	// Isolated ports of a domain do not reach one another. Of a trunk: one of its VLANs is
	// isolated.
	Isolated bool
	// Account is the index of what is counted for the interface: Ledger.Ports.
	Account uint32
	// Tagging is what becomes of the tags of what its queues receive; nil: nothing.
	Tagging *Tagging
	Exit    TagExit
}

// PathState says how packets to a remote leave.
type PathState uint8

const (
	// PathSlow: through the kernel, which resolves the next hop.
	PathSlow PathState = iota
	// PathDraining: the next hop is known, but frames that were handed to the
	// kernel may still be on their way. A worker holds frames back while one of its
	// own is, so that no flow is reordered.
	PathDraining
	// PathDirect: from our own tx ring.
	PathDirect
	// PathNoRoute: not at all.
	PathNoRoute
)

// Path is the way to one remote with one set of tunnel options.
type Path struct {
	Headers vxlan.Headers
	State   PathState
	room    uint32 // bytes of the longest inner frame that encapAll sends, 0 for none; see Publish
	MTU     int    // of the route: bytes from the outer IP header on
}

// most is how many bytes the longest inner frame has.
func (p *Path) most() int { return p.MTU - p.Headers.Taken() }

// setRoom derives what workers compare a frame with.
func (p *Path) setRoom() {
	room := uint32(0)
	if p.State == PathDirect && p.Headers.Plain() {
		room = uint32(max(p.most(), 0))
	}
	if p.room != room { // what workers already have is not written to
		p.room = room
	}
}

// Queue is one AF_XDP socket in the hands of one worker. Everything but Stats
// belongs to that worker from the snapshot that first has it until every worker
// has passed one that has not.
type Queue struct {
	Socket *ring.Socket
	Port   uint32 // index of the port, or Underlay
	Stats  QueueStats

	rx    traffic // since Stats was last written
	sent  uint64  // packets in Stats
	way   uint32  // by which what it received leaves, see ways
	dirty bool    // something waits for the kernel, which had no room for it and is to be asked again
}

// Underlay stands for the underlay where a port index is expected.
const Underlay = ^uint32(0)

// QueueStats counts what one worker moved through one queue. Written by the
// worker with its Counters, read by anyone.
type QueueStats struct {
	RxPackets, RxBytes atomic.Uint64
	TxPackets, TxBytes atomic.Uint64
}

type traffic struct{ packets, bytes uint64 }
