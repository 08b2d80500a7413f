package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"vxgw/gateway"
	"vxgw/internal/ethtool"
	"vxgw/netdev"
)

// facts is all that checks look at. Tests make their own.
type facts struct {
	Options
	named    bool // there is an underlay to look at
	kernel   kernelFacts
	user     userFacts
	memory   memoryFacts
	host     hostFacts
	underlay *iface // nil where none is named
	wire     *iface // what is below it where it is a VLAN; else the same
	ports    []*iface
	plan     fact[gateway.Plan]
	left     leftFacts

	deadline time.Time // what takes longer is not asked

	vnis    []uint32
	remotes []netip.Addr
	groups  []netip.Addr
}

type kernelFacts struct {
	release  string
	afXDP    error // of opening a socket
	parts    fact[bool]
	budget   fact[bool]
	features fact[bool]
	bpf      error // of loading a program
	jit      fact[int]
	clock    fact[string]
	clocks   string // those there are
	cpus     int    // that this process may use
}

type userFacts struct {
	uid     int
	missing fact[[]string]
	nice    bool // CAP_SYS_NICE
	ipcLock bool
	raise   bool         // CAP_SYS_RESOURCE
	memlock fact[uint64] // bytes, the hard limit
	runDir  error        // of writing there
	dir     string
}

type memoryFacts struct {
	available fact[uint64] // bytes
	reserved  uint64       // huge pages of 2 MiB that are free
	thp       fact[string] // the word in brackets
}

// hostFacts are of the network namespace.
type hostFacts struct {
	sysctls map[string]fact[int] // by their names below net
	vxlans  []vxlan
	links   fact[int] // how many interfaces were looked at
	nft     fact[*ruleset]
	tables  fact[string] // of the older iptables, as iptables-save prints them
	metrics error        // of listening there
	igmp    fact[map[string]string]
}

// vxlan is a device of the kernel's.
type vxlan struct {
	name     string
	vni      int
	port     int
	on       int // index of the interface it is bound to, or 0
	external bool
}

type leftFacts struct {
	held    bool
	changes fact[[]netdev.Change]
	socket  bool // is there, and nobody listens
}

// iface is what is known of an interface.
type iface struct {
	name     string
	info     netdev.Info
	err      error // why there is none
	fit      error // why it cannot be what it is to be
	notes    gateway.DriverNotes
	features fact[netdev.Features]
	rings    netdev.Rings
	channels fact[ethtool.Channels]
	offloads fact[map[string]bool]
	table    fact[[]uint32]
	ports4   fact[bool] // UDP over IPv4 is spread by ports
	ports6   fact[bool]
	peer     fact[peer]
	program  string // attached by others
	remove   string
	addrs    fact[[]netip.Addr]
	bound    fact[bound]
	bridge   fact[bridge]
	reverse  map[netip.Addr]fact[string] // by which interface packets go to a remote
}

// peer is the other end of a veth pair.
type peer struct {
	name      string // as a shell takes it
	elsewhere bool   // in another network namespace
	path      string // a file of that
	txQueues  int
	mtu       int
	offloads  map[string]bool
}

// bound is what the kernel said to a socket.
type bound struct {
	mode    string // zerocopy or copy
	refused error  // zero-copy was, if it was
	whole   error  // why native XDP is refused to a program that takes packets of one frame only; one that takes several is let in
	meant   bool   // XDP runs in the stack because that was asked for
	fatal   bool   // native is an error with which gw ends, and does without nothing
	native  error  // why XDP cannot run in the driver, where that was tried
	how     string // how it was asked
	asked   bool   // false: what the driver offers
}

// bridge is how one treats multicast.
type bridge struct {
	name   string
	snoops bool
	asks   bool // is a querier itself
}

// at is a command that is for where a peer is.
func (p peer) at(command string) string {
	var pid int
	if name, ok := strings.CutPrefix(p.path, "/run/netns/"); ok {
		return "ip netns exec " + word(name) + " " + command
	}
	if n, _ := fmt.Sscanf(p.path, "/proc/%d/", &pid); n == 1 {
		return fmt.Sprintf("nsenter -t %d -n %s", pid, command)
	}
	return command
}
