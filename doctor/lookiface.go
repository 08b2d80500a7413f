package doctor

import (
	"errors"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/gateway"
	"vxgw/internal/ethtool"
	"vxgw/netdev"
)

// interrupt is one of the underlay's.
type interrupt = netdev.Interrupt

// lookAt asks for what is known of an interface, which fits its place or not.
func (f *facts) lookAt(name string, fits func(netdev.Info) error) *iface {
	i := &iface{name: name}
	if i.info, i.err = netdev.Lookup(name); i.err != nil {
		return i
	}
	i.fit = fits(i.info)
	i.notes = gateway.NotesOn(i.info)
	i.features = known(netdev.FeaturesOf(i.info.Index))
	i.rings = netdev.RingsOf(name)
	i.channels = known(ethtool.GetChannels(name))
	i.offloads = known(ethtool.Active(name))
	i.table = none(ethtool.Indirection(name))
	i.ports4 = none(ethtool.HashesUDPPorts(name, false))
	i.ports6 = none(ethtool.HashesUDPPorts(name, true))
	link, err := netlink.LinkByName(name)
	if err != nil {
		i.err = err
		return i
	}
	i.peer = known(peer{}, errLate)
	if !f.late() {
		i.peer = peerOf(link)
	}
	if x := link.Attrs().Xdp; x != nil && x.ProgId != 0 && !f.owns(name) {
		i.program, i.remove = bpf.Attached(link)
	}
	i.bound = f.bind(i)
	return i
}

// none has a driver that does not tell be one of which there is nothing to say.
func none[T any](value T, err error) fact[T] {
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		err = errNone
	}
	return known(value, err)
}

// owns reports whether the running gateway has its program on an interface.
func (f *facts) owns(name string) bool {
	if f.Running == nil {
		return false
	}
	if u := f.Running.Underlay; name == u.Name || name == u.Below {
		return true
	}
	for _, p := range f.Running.Ports {
		if p.Name == name {
			return true
		}
	}
	return false
}

// peerOf looks at the other end of a veth pair.
func peerOf(link netlink.Link) fact[peer] {
	var p peer
	if link.Type() != "veth" {
		return known(p, errNone)
	}
	p.elsewhere = link.Attrs().NetNsID >= 0
	err := bpf.AtPeer(link, func(end netlink.Link, path string) error {
		a := end.Attrs()
		p.path = path
		p.name, p.mtu = word(a.Name), a.MTU
		c, err := ethtool.GetChannels(a.Name)
		if err != nil {
			return err
		}
		p.txQueues = int(c.Tx + c.Combined)
		p.offloads, err = ethtool.Active(a.Name)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("it is in a network namespace that this process cannot see")
	}
	return known(p, err)
}

// bridgeOf is how the bridge that an underlay is, or is a port of, treats multicast.
func bridgeOf(info netdev.Info) fact[bridge] {
	index := info.Index
	if info.Kind != "bridge" {
		index = info.Master
	}
	if index == 0 {
		return known(bridge{}, errNone)
	}
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return known(bridge{}, err)
	}
	if link.Type() != "bridge" {
		return known(bridge{}, errNone)
	}
	b := bridge{name: link.Attrs().Name}
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	answers, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil || len(answers) != 1 {
		return known(b, err)
	}
	about := nested(nested(nested(answers[0][unix.SizeofIfInfomsg:])[unix.IFLA_LINKINFO])[unix.IFLA_INFO_DATA])
	on := func(attr uint16) bool { v := about[attr]; return len(v) > 0 && v[0] != 0 }
	b.snoops, b.asks = on(unix.IFLA_BR_MCAST_SNOOPING), on(unix.IFLA_BR_MCAST_QUERIER)
	return known(b, nil)
}
