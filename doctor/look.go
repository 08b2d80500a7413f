package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/gateway"
	"vxgw/netdev"
)

// look asks for all facts, one after another on the calling thread, whose namespace it is about.
func look(o Options) *facts {
	f := &facts{Options: o, named: o.Config.Underlay.Iface != "", deadline: time.Now().Add(budget + o.extra)}
	f.want()
	f.kernel = lookAtKernel()
	f.user = lookAtUser(o.Paths)
	f.memory = lookAtMemory()
	if f.named {
		f.lookAtUnderlay()
	}
	for _, name := range f.portNames() {
		f.ports = append(f.ports, f.lookAt(name, gateway.FitPort))
	}
	f.foresee()
	f.inParts()
	f.left = f.lookAtLeft()
	f.lookAtHost()
	return f
}

// budget is how long interfaces are looked at. One more socket may wait for two seconds then (ring.Device.Bind).
const budget = 2500 * time.Millisecond

// errLate is why there is no answer about interfaces of which there are too many.
var errLate = errors.New("there was no time left to ask: name fewer interfaces")

func (f *facts) late() bool { return time.Now().After(f.deadline) }

// want adds what a running gateway has to what the configuration says.
func (f *facts) want() {
	for i := range f.Config.VNIs {
		if vni := f.Config.VNIs[i].VNI; vni != 0 {
			f.vnis = append(f.vnis, vni)
		}
	}
	f.Config.EachRemote(func(n config.Named) bool { f.wantAddr(n.Addr); return true })
	for _, r := range f.Config.Remotes {
		f.wantAddr(r.Dst)
	}
	if s := f.Running; s != nil {
		f.vnis = nil
		for _, v := range s.VNIs {
			f.vnis = append(f.vnis, v.VNI)
		}
		for _, r := range s.Remotes {
			if a, err := netip.ParseAddr(r.Address); err == nil {
				f.wantAddr(a)
			}
		}
	}
}

// wantAddr notes a remote or a group, once.
func (f *facts) wantAddr(a netip.Addr) {
	list := &f.remotes
	if a.IsMulticast() {
		list = &f.groups
	}
	const most = 1000 // anybody can be a remote by speaking first
	if a.IsValid() && len(*list) < most && !slices.Contains(*list, a) {
		*list = append(*list, a)
	}
}

// portNames are those of the configuration, or that a running gateway has and did not make.
func (f *facts) portNames() (names []string) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range f.Config.VNIs {
		for _, p := range f.Config.VNIs[i].Ports {
			add(p.Name)
		}
	}
	if f.Running != nil {
		for _, p := range f.Running.Ports {
			if p.Device == "" {
				add(p.Name)
			}
		}
	}
	return names
}

func (f *facts) lookAtUnderlay() {
	f.underlay = f.lookAt(f.Config.Underlay.Iface, gateway.FitUnderlay)
	f.wire = f.underlay
	u := f.underlay
	if !u.there() {
		return
	}
	u.addrs = addresses(u.info.Name)
	u.bridge = bridgeOf(u.info)
	u.reverse = map[netip.Addr]fact[string]{}
	for _, r := range f.remotes[:min(len(f.remotes), 64)] {
		u.reverse[r] = wayTo(r)
	}
	below, err := gateway.Lower(u.info)
	switch {
	case err != nil:
		u.fit = err
	case below.Index != u.info.Index:
		f.wire = f.lookAt(below.Name, gateway.FitUnderlay)
	}
}

// foresee plans a start.
func (f *facts) foresee() {
	w := f.wire
	if !w.there() {
		f.plan.err = errNone
		return
	}
	var ports []netdev.Info
	for _, p := range f.ports {
		if p.there() {
			ports = append(ports, p.info)
		}
	}
	f.plan = known(gateway.Foresee(f.Config, w.info, ports))
	if s := f.Running; s != nil && f.plan.err == nil {
		p := &f.plan.value
		p.Workers, p.CPUs, p.Frames, p.FrameSize = len(s.Workers), nil, s.Memory.Frames, s.Memory.FrameSize
		for _, w := range s.Workers {
			p.CPUs = append(p.CPUs, w.CPU)
		}
		if f.Config.Dataplane.Poll != config.PollBusy {
			p.Shared = gateway.Sharing(p.CPUs, p.Placement)
		}
	}
}

func (f *facts) lookAtLeft() (l leftFacts) {
	if !f.named {
		return l
	}
	if f.Running != nil {
		l.held = true
		return l
	}
	state := f.Paths.State
	if f.wire.there() && f.wire != f.underlay {
		state = netdev.PathsFor(f.wire.name).State
	}
	l.held, _ = netdev.Held(f.Paths.Lock) // unreadable: nobody's
	l.changes = known(netdev.Left(state))
	if c, err := net.DialTimeout("unix", f.Paths.Socket, patience); err == nil {
		c.Close()
	} else {
		l.socket = errors.Is(err, unix.ECONNREFUSED)
	}
	return l
}

func (f *facts) lookAtHost() {
	h := &f.host
	h.sysctls = map[string]fact[int]{}
	keys := []string{"ipv4/conf/all/rp_filter", "ipv4/ipfrag_high_thresh", "ipv6/ip6frag_high_thresh", "ipv4/igmp_max_memberships", "ipv4/conf/all/force_igmp_version"}
	if f.named {
		keys = append(keys, "ipv4/conf/"+f.underlay.name+"/rp_filter", "ipv4/conf/"+f.underlay.name+"/force_igmp_version")
	}
	for _, key := range keys {
		h.sysctls[key] = number("/proc/sys/net/" + key)
	}
	links, err := netlink.LinkList()
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = nil
	}
	h.links = known(len(links), err)
	for _, l := range links {
		if v, ok := l.(*netlink.Vxlan); ok {
			h.vxlans = append(h.vxlans, vxlan{v.Name, v.VxlanId, v.Port, v.VtepDevIndex, v.FlowBased})
		}
	}
	h.nft = known(readRuleset())
	h.tables = oldTables(patience + f.extra)
	h.igmp = known(igmpVersions())
	if listen := f.Config.Metrics.Listen; listen != "" && f.Running == nil {
		l, err := net.Listen("tcp", listen)
		if err == nil {
			err = l.Close()
		}
		h.metrics = err
	}
}

// number reads a file that has one.
func number(path string) fact[int] {
	b, err := os.ReadFile(path)
	if err != nil {
		return known(0, err)
	}
	return known(strconv.Atoi(strings.TrimSpace(string(b))))
}

// dots is a sysctl's name as sysctl(8) takes it: an interface with a dot in it needs the slashes.
func dots(key string) string {
	if strings.Contains(key, ".") {
		return key
	}
	return strings.ReplaceAll(key, "/", ".")
}

// igmpVersions are those by which the kernel speaks on each interface.
func igmpVersions() (map[string]string, error) {
	b, err := os.ReadFile("/proc/thread-self/net/igmp")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line) // index, device, :, count, querier
		if i := slices.Index(words, ":"); i == 2 && len(words) >= 5 {
			all[words[1]] = strings.ToLower(words[4])
		}
	}
	return all, nil
}

// addresses are the global ones of an interface.
func addresses(name string) fact[[]netip.Addr] {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return known[[]netip.Addr](nil, err)
	}
	list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return known[[]netip.Addr](nil, err)
	}
	var all []netip.Addr
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && a.Scope == unix.RT_SCOPE_UNIVERSE {
			all = append(all, ip.Unmap())
		}
	}
	return known(all, nil)
}

// wayTo names the interface by which packets to an address leave, "" for none.
func wayTo(a netip.Addr) fact[string] {
	routes, err := netlink.RouteGet(a.AsSlice())
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return known("", nil)
	}
	if err != nil || len(routes) == 0 {
		return known("", fmt.Errorf("ask for the way to %s: %w", a, err))
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return known("", err)
	}
	return known(link.Attrs().Name, nil)
}
