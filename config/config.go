// Package config is the schema of gw: every setting once, with its default,
// its unit and the reason beside it.
//
// A Config comes from a file (Load), from bytes (Parse) or from the command
// line (FromFlags), and is the same Config whichever way it came:
//
//	file  -> decode onto the defaults -> complete -> Validate
//	flags -> write onto the defaults  -> complete -> Validate
//
// Nothing here looks at the machine. Whether an interface exists, which
// address it has and what its MTU allows is for those who touch it to say.
package config

import (
	"net/netip"
	"strconv"
	"time"
)

// Config is everything a gateway is told. It holds no references to anything
// that runs; a goroutine that is given one may keep it, none may change one
// that another can see.
type Config struct {
	Underlay Underlay `yaml:"underlay" json:"underlay"`
	// Tunnel is the default of every VNI of a file.
	//
	// Once a Config is decoded each VNI carries its own whole Tunnel: read that one.
	Tunnel Tunnel `yaml:"tunnel" json:"tunnel"`
	// Remotes is the default of every VNI of a file that has no group, so that
	// thousands of VNIs need not repeat, nor keep, the same list. Default none.
	Remotes   []Remote  `yaml:"remotes,omitempty" json:"remotes,omitempty"`
	Dataplane Dataplane `yaml:"dataplane" json:"dataplane"`
	VNIs      []VNI     `yaml:"vnis" json:"vnis"`
	Metrics   Metrics   `yaml:"metrics" json:"metrics"`
	Control   Control   `yaml:"control" json:"control"`
	Log       Log       `yaml:"log" json:"log"`
}

// Underlay is the interface that carries the UDP/VXLAN packets.
type Underlay struct {
	// Iface is its name. Required.
	Iface string `yaml:"iface" json:"iface"`
	// Local is the outer source address, of either family. Default: the interface's first global address, which is what most hosts have
	// one of; and over IPv6 its link-local one for what is of the link.
	Local netip.Addr `yaml:"local" json:"local,omitzero"`
	// Local6 is that over IPv6 where local is IPv4, for remotes of both families.
	// Default as with local.
	Local6 netip.Addr `yaml:"local6" json:"local6,omitzero"`
	// DstPort is the UDP port, ours and the remotes'. Default 4789, which
	// IANA assigned (RFC 7348 section 8); the kernel's own default is 8472.
	DstPort uint16 `yaml:"dstport" json:"dstport"`
	// Mode is how XDP and the sockets are bound. Default auto: the best that
	// binds, so that one file serves every machine.
	Mode Mode `yaml:"mode" json:"mode"`
}

// Dataplane is what the machine gives to the moving of frames.
type Dataplane struct {
	// Workers is how many threads move frames, each on a CPU of its own. Default
	// 0: half of the CPUs that gw may use, at most one per queue of the underlay,
	// so that the kernel's own part of each packet finds a CPU too.
	Workers uint32 `yaml:"workers" json:"workers"`
	// Frames is how many frames all interfaces share. Default 0: by the number of
	// queues, 16,384 to 65,536 (64 to 256 MiB); of larger frames fewer, 8,192 at least.
	Frames uint32 `yaml:"frames" json:"frames"`
	// Poll is what a worker does when there is nothing to do. Default adaptive: it
	// looks on for some microseconds and then sleeps until an interrupt, or under
	// load for 10 to 100 microseconds. With busy it never sleeps and receives by itself, which
	// costs all of its CPU; with interrupt it sleeps at once.
	Poll Poll `yaml:"poll" json:"poll"`
	// CPUs are those that workers may have, one on each, written like 2,4-7. Default:
	// left to gw, which prefers CPUs that are near to the underlay's NIC and do not
	// serve its interrupts.
	CPUs CPUs `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	// FrameSize is how large a frame is, in bytes, a power of two from 4,096 to 65,536. Default 0: 4,096, or as much
	// more as the MTUs of the underlay and the ports need that are there at the start. Larger
	// than 4,096 needs Linux 6.6.
	FrameSize uint32 `yaml:"framesize" json:"framesize"`
}

// Tunnel is how the outer headers are made.
type Tunnel struct {
	// TTL is the outer time to live, in hops, 1-255. Default auto: 64, and 1
	// to a multicast group, which keeps BUM traffic off other networks. With
	// inherit it is the inner packet's, and 64 for frames that are not IP.
	TTL TTL `yaml:"ttl" json:"ttl"`
	// TOS is the outer type of service byte, 0-255. Default inherit: the inner
	// packet's, so that its priority holds across the underlay. The two ECN
	// bits follow RFC 6040 whatever stands here.
	TOS TOS `yaml:"tos" json:"tos"`
	// DF is the outer don't-fragment bit. Default unset, as the kernel has
	// it: a packet that is too big for a router arrives in pieces, not never.
	DF DF `yaml:"df" json:"df"`
	// UDPCsum fills the outer UDP checksum in over IPv4. Default off: RFC
	// 7348 section 5 asks for zero, and the inner packet has its own.
	UDPCsum bool `yaml:"udpcsum" json:"udpcsum"`
	// UDP6ZeroCsumTx leaves the outer UDP checksum out over IPv6. Default off: there
	// it protects the addresses too, and most receivers want it (RFC 6935).
	UDP6ZeroCsumTx bool `yaml:"udp6zerocsumtx" json:"udp6zerocsumtx"`
	// UDP6ZeroCsumRx takes packets over IPv6 that have none. Default off, as in the
	// kernel: they are dropped.
	UDP6ZeroCsumRx bool `yaml:"udp6zerocsumrx" json:"udp6zerocsumrx"`
	// FlowLabel is the outer flow label over IPv6, 20 bits. Default 0, as in the kernel.
	FlowLabel FlowLabel `yaml:"flowlabel" json:"flowlabel"`
	// SrcPort is the range, inclusive, of the outer UDP source port, which is
	// a hash of the inner flow. Default 49152-65535, the dynamic ports that
	// RFC 7348 section 5 recommends.
	SrcPort PortRange `yaml:"srcport" json:"srcport"`
	// UDPCsumRx is what becomes of packets whose outer UDP checksum is wrong; one
	// of zero is none. Default verify: they are dropped, as a socket would do.
	UDPCsumRx CsumRx `yaml:"udpcsumrx" json:"udpcsumrx"`
	// ReservedBits are the bits of a received VXLAN header that must not be set, or
	// the packet is dropped. Default ignore: none, as RFC 7348 section 5 asks; the
	// kernel's device is strict.
	ReservedBits ReservedBits `yaml:"reserved_bits" json:"reserved_bits"`
}

// VNI is one bridge domain: its ports, its remotes and its settings.
type VNI struct {
	// VNI is the network identifier, 1-16777215 (24 bits, RFC 7348 section
	// 5; 0 is left to those who mean "none" by it). Required.
	VNI uint32 `yaml:"vni" json:"vni"`
	// Group is the multicast group for BUM frames, IPv4 or IPv6. Default none.
	// Remotes beside it are for VTEPs that are not in the group: one that is would get
	// each flooded frame twice.
	Group netip.Addr `yaml:"group" json:"group,omitzero"`
	// Remotes are the VTEPs that get a copy of each BUM frame. Default: those of
	// the whole file; with none, only VTEPs that speak first are known.
	//
	// Equal lists may share their memory: replace one, never change it.
	Remotes []Remote `yaml:"remotes" json:"remotes"`
	// Device is the interface to make for the host itself, null for none.
	// Default: one, called gw<VNI>, where no port is given. A VNI that has
	// neither, by device: null, waits for ports to be added.
	Device *Device `yaml:"device" json:"device"`
	// Ports are interfaces that exist already and are bridged. Default none.
	Ports []Port `yaml:"ports,omitempty" json:"ports,omitempty"`
	// Learning takes source addresses into the FDB. Default on, as in the
	// kernel; off where a controller writes every entry.
	Learning bool `yaml:"learning" json:"learning"`
	// Ageing is how long a learned entry lives unused. Default 300s, as in
	// the kernel; 0s keeps it for ever. Keep it above the hosts' ARP timeout,
	// or silent hosts are flooded to.
	Ageing Duration `yaml:"ageing" json:"ageing"`
	// MaxAddress is the most entries the domain may have. Default 100000, so
	// that one domain cannot fill the table for all; 0 is no limit of its own.
	MaxAddress uint32 `yaml:"maxaddress" json:"maxaddress"`
	// Flood lets frames be flooded to unicast addresses that the FDB does not have.
	// Off, such frames are dropped, from ports and from tunnels. Default on. It and
	// the next two have the names of bridge(8), which has them per port.
	Flood bool `yaml:"flood" json:"flood"`
	// BcastFlood lets frames to broadcast be flooded. Default on.
	BcastFlood bool `yaml:"bcast_flood" json:"bcast_flood"`
	// MCastFlood lets frames to other groups be flooded. Default on.
	MCastFlood bool `yaml:"mcast_flood" json:"mcast_flood"`
	// Storm limits what is flooded, class by class. Default no limits, as in the kernel.
	Storm Storm `yaml:"storm" json:"storm"`
	// Moves freezes addresses that move too often. Default never, as in the kernel.
	Moves Moves `yaml:"moves" json:"moves"`
	// NeighSuppress answers ARP and ND questions of ports on behalf of hosts behind tunnels, and
	// keeps those and questions for local hosts from tunnels. Default off, as for a port of the
	// kernel's bridge (`bridge link set dev vxlan0 neigh_suppress on`).
	NeighSuppress bool `yaml:"neigh_suppress" json:"neigh_suppress"`
	// NeighForwardGrat lets announcements go into tunnels all the same: gratuitous ARP, ARP probes,
	// duplicate address detection, unsolicited advertisements. Default on, since VTEPs here learn
	// from what they see. The kernel's bridge has it off, and before neigh_forward_grat came no
	// choice: there a daemon tells the other VTEPs.
	NeighForwardGrat bool `yaml:"neigh_forward_grat" json:"neigh_forward_grat"`
	// NeighAgeing is how long a neighbour that was seen is answered for, in whole seconds. Default
	// 300s, as for the FDB: a host that says nothing for so long is asked itself. 0s is for ever.
	NeighAgeing Duration `yaml:"neigh_ageing" json:"neigh_ageing"`
	// MaxNeigh is the most neighbours that are learned. Default 8192, some hosts have several
	// addresses each; 0 is no limit of its own.
	MaxNeigh uint32 `yaml:"maxneigh" json:"maxneigh"`
	// Neigh are static neighbours. Default none.
	Neigh []Neighbour `yaml:"neigh,omitempty" json:"neigh,omitempty"`
	// Allow is who may send to the VNI: addresses and networks of VTEPs, and the word remotes.
	// What others send is dropped. Default anyone, as in the kernel.
	Allow Allow `yaml:"allow,omitempty" json:"allow,omitempty"`
	// FDB are static entries, which learning never moves. Default none.
	FDB []Static `yaml:"fdb,omitempty" json:"fdb,omitempty"`
	// Tunnel overrides the file's tunnel section, key by key.
	//
	// In a decoded Config it is whole.
	Tunnel Tunnel `yaml:"tunnel" json:"tunnel"`
}

// Device is a veth pair that gw makes, so that the host has an interface on
// the overlay.
type Device struct {
	// Name of the host's end, at most 13 bytes. Default gw<VNI>. The far end
	// is called <name>-x.
	Name string `yaml:"name" json:"name"`
	// Addresses are put on it, IPv4 or IPv6 with their prefix length.
	// Default none.
	Addresses []netip.Prefix `yaml:"addresses,omitempty" json:"addresses,omitempty"`
	// MTU is the largest IP packet it takes, in bytes, 68-65535, and 1280 at least for IPv6
	// addresses. Default 0: what the underlay's MTU leaves, whatever that is at any time.
	MTU uint32 `yaml:"mtu,omitempty" json:"mtu,omitempty"`
}

// Metrics is the Prometheus end point.
type Metrics struct {
	// Listen is the address and port of /metrics, and of a page to look at, empty for none. Default
	// 127.0.0.1:9478: on, but not for the network to see.
	Listen string `yaml:"listen" json:"listen"`
}

// Control is the API.
type Control struct {
	// Path of the unix socket. Default /run/gw/<iface>.sock, in network namespaces
	// other than the first with the namespace's number before <iface>.
	//
	// Empty is that path, which netdev.PathsFor gives.
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// Group is the group, by name or number, whose members may ask and change everything,
	// beside root and the user that gw runs as. Default: that of the process, which the
	// unit file makes gw.
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
}

// Log says what is logged, and how.
type Log struct {
	// Format of each line: auto, text or json. Default auto: text on a terminal, JSON
	// for the machine that reads it otherwise.
	Format string `yaml:"format" json:"format"`
	// Level from which on lines are written: debug, info, warn or error. Default info. It may change
	// while gw runs.
	Level string `yaml:"level" json:"level"`
}

// MaxVNI is the greatest VNI there is: 24 bits, RFC 7348 section 5.
const MaxVNI = 1<<24 - 1

// Default returns a Config with every default and no VNI. It does not pass
// Validate until an interface and a VNI are given.
func Default() Config {
	return Config{
		Underlay:  Underlay{DstPort: 4789, Mode: ModeAuto},
		Tunnel:    Tunnel{TTL: TTLAuto, TOS: TOSInherit, DF: DFUnset, SrcPort: PortRange{49152, 65535}, UDPCsumRx: CsumVerify, ReservedBits: ReservedIgnore},
		Dataplane: Dataplane{Poll: PollAdaptive},
		Metrics:   Metrics{Listen: "127.0.0.1:9478"},
		Log:       Log{Format: "auto", Level: "info"},
	}
}

// NewVNI returns a VNI with every default, the tunnel section and the remotes of
// c among them, and neither port nor device.
func (c *Config) NewVNI(vni uint32) VNI {
	return VNI{
		VNI:        vni,
		Learning:   true,
		Ageing:     Duration(300 * time.Second),
		MaxAddress: 100_000,
		Flood:      true,
		BcastFlood: true,
		MCastFlood: true,
		Moves:      Moves{Within: Duration(180 * time.Second)},

		NeighForwardGrat: true,
		NeighAgeing:      Duration(300 * time.Second),
		MaxNeigh:         8192,

		Remotes: c.Remotes,
		Tunnel:  c.Tunnel,
	}
}

// DomainName returns what the bridge domain is called, and its device unless
// it is named otherwise: gw<VNI>.
func (v *VNI) DomainName() string {
	return "gw" + strconv.FormatUint(uint64(v.VNI), 10)
}

// complete fills in what depends on other settings: no remotes beside a group but
// those that are given, a device where none is spoken of and there is no port, and
// the name of one that has none.
func (v *VNI) complete(deviceGiven, remotesGiven bool) {
	if v.Group.IsValid() && !remotesGiven {
		v.Remotes = nil
	}
	if !deviceGiven && v.Device == nil && len(v.Ports) == 0 {
		v.Device = &Device{}
	}
	if v.Device != nil && v.Device.Name == "" {
		v.Device.Name = v.DomainName()
	}
}
