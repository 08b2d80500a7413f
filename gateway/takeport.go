package gateway

import (
	"errors"
	"fmt"
	"maps"

	"github.com/vishvananda/netlink"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/netdev"
)

// A port's frames are to come whole, tags and all, and to every address:
//
//	takePort     all of it, promiscuous mode last
//	openTagging  with a program that sees the tags beside frames
//	keepTags     else, what can be done for those

// takePort opens an interface as port number. made says that gw made it.
func (g *Gateway) takePort(info netdev.Info, mode config.Mode, made bool, number uint32) (*iface, error) {
	f, why, err := g.openTagging(info, mode, made, number)
	if err != nil {
		return nil, err
	}
	if f == nil {
		prog, err := bpf.LoadPort(bpf.PortConfig{Queues: info.RxQueues, Frags: g.takesParts(info)})
		if err != nil {
			return nil, err
		}
		if f, err = g.openIface(info, prog, mode, number); err != nil {
			return nil, err
		}
		if f.tags = g.keepTags(info, made, why); f.tags.how == control.TagsLost {
			g.log.Warn("VLAN tags on frames from the port are lost: VLANs are not kept apart", "port", info.Name, "reason", f.tags.why, "cure", f.tags.cure)
		}
	}
	if f.account, err = g.accountNumbers.take(); err != nil {
		return nil, errors.Join(err, g.closeIface(f))
	}
	if made {
		return f, nil // nobody else hears what is said there
	}
	if f.promisc, err = netdev.HoldPromisc(info.Index, info.Name); err != nil {
		return nil, errors.Join(err, g.closePortIface(f))
	}
	return f, nil
}

// closePortIface is the reverse. No FDB entry names a port of it.
func (g *Gateway) closePortIface(f *iface) error {
	err := g.closeIface(f)
	g.accountNumbers.put(f.account)
	return err
}

// openTagging opens the interface with the program that reads tags. Where that
// cannot be it returns no interface, and why.
func (g *Gateway) openTagging(info netdev.Info, mode config.Mode, made bool, number uint32) (_ *iface, why string, err error) {
	if made {
		return nil, "", nil
	}
	if why := g.noTagging(info, mode); why != "" {
		return nil, why, nil
	}
	prog, err := bpf.LoadPort(bpf.PortConfig{Queues: info.RxQueues, TagsOf: info.Index, Types: &g.kernelTypes, Frags: g.takesParts(info)})
	if err != nil {
		return nil, err.Error(), nil
	}
	f, err := g.openIface(info, prog, mode, number)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	f.tags = vlanTags{how: control.TagsMetadata}
	return f, "", nil
}

// noTagging says why a program cannot read the tags of an interface's frames, or nothing.
func (g *Gateway) noTagging(info netdev.Info, mode config.Mode) string {
	if mode == config.ModeGeneric {
		return "XDP runs in the stack, where it cannot ask for them"
	}
	tells, err := netdev.TellsVLANTag(info.Index)
	switch {
	case err != nil:
		return err.Error()
	case !tells:
		return "the driver does not tell XDP (needs Linux 6.8)"
	}
	return ""
}

// vlanTags says what becomes of the VLAN tags of a port's frames, and why not the
// best. off is the interface whose offloads are off for it, cure what helps where they are lost.
type vlanTags struct{ how, why, off, cure string }

// The features that put tags beside frames: of who sends on a veth, and of a NIC
// that receives.
var (
	txTags = map[string]bool{"tx-vlan-hw-insert": false, "tx-vlan-stag-hw-insert": false}
	rxTags = map[string]bool{"rx-vlan-hw-parse": false, "rx-vlan-stag-hw-parse": false}
)

// keepTags has tags travel within the frames, since XDP does not see others; why
// says why it does not. Where that cannot be either, they are lost.
func (g *Gateway) keepTags(info netdev.Info, made bool, why string) vlanTags {
	var err error
	off := ""
	cure := "use the interface below it"
	switch {
	case made: // netdev.CreatePair
	case info.IsVeth && info.PeerInSameNS:
		var peer netlink.Link
		if peer, err = netlink.LinkByIndex(info.PeerIndex); err == nil {
			off = peer.Attrs().Name
			cure = fmt.Sprintf("ethtool -K %s txvlan off tx-vlan-stag-hw-insert off", off)
			err = g.switchOff(off, txTags)
		}
	case info.IsVeth:
		err = errors.New("its other end, in another network namespace, keeps them beside the frames")
		cure = "in the other namespace: ethtool -K PEER txvlan off tx-vlan-stag-hw-insert off"
	case info.Kind == "device", info.Kind == "tuntap":
		off = info.Name
		cure = fmt.Sprintf("ethtool -K %s rxvlan off rx-vlan-stag-hw-parse off", off)
		err = g.switchOff(off, rxTags)
	default:
		err = fmt.Errorf("its frames come through another interface, which takes them off for a %s", info.Kind)
	}
	if err == nil {
		return vlanTags{how: control.TagsOffloads, why: why, off: off}
	}
	return vlanTags{how: control.TagsLost, why: why + "; " + err.Error(), cure: cure}
}

// switchOff switches those of the features off that an interface has, until the port
// is closed.
func (g *Gateway) switchOff(name string, features map[string]bool) error {
	on, err := netdev.Offloads(name)
	if err != nil {
		return err
	}
	features = maps.Clone(features)
	maps.DeleteFunc(features, func(f string, _ bool) bool { _, known := on[f]; return !known })
	_, err = netdev.SetOffloads(g.journal, name, features)
	return err
}
