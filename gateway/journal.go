package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"

	"vxgw/bpf"
	"vxgw/control"
	"vxgw/netdev"
	"vxgw/underlay"
)

// kindManaged marks an underlay whose next hops the kernel keeps resolved for us.
// Its data are the addresses that somebody else had marked so before us.
const kindManaged netdev.Kind = "managed"

// openJournal reads what a killed gateway left in this namespace and undoes it, unless it is to be adopted.
func openJournal(path string, log *slog.Logger, adopt bool) (*netdev.Journal, error) {
	j, err := netdev.OpenJournal(path, map[netdev.Kind]netdev.Undoer{kindManaged: clearManaged})
	var corrupt *netdev.CorruptError
	var foreign *netdev.ForeignError
	switch {
	case errors.As(err, &corrupt):
		log.Warn(corrupt.Error())
	case errors.As(err, &foreign):
		log.Info(foreign.Error())
	case err != nil:
		return nil, err
	}
	if adopt {
		return j, nil
	}
	for _, c := range j.Pending() {
		log.Info("putting back what a killed gateway left", "change", c.String())
	}
	for _, err := range j.Undo() {
		log.Warn("cannot put back what a killed gateway left", "err", err)
	}
	return j, nil
}

// recordManaged writes down, before the first neighbour is marked, which marks are
// not ours.
func (g *Gateway) recordManaged(info netdev.Info) error {
	others, err := managed(info.Index)
	if err != nil {
		return err
	}
	data, err := json.Marshal(others)
	if err != nil {
		return err
	}
	c := netdev.Change{Kind: kindManaged, Link: info.ID(), Data: data}
	if err := g.journal.Record(c); err != nil {
		return err
	}
	g.onClose(func() error { return errors.Join(g.journal.Undo()...) })
	return nil
}

// clearManaged takes the marks off that were not there before the gateway was.
func clearManaged(c netdev.Change) error {
	link, err := c.Link.Find()
	if err != nil || link == nil {
		return err
	}
	var others []netip.Addr
	if err := json.Unmarshal(c.Data, &others); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	marked, err := managed(link.Attrs().Index)
	if err != nil {
		return err
	}
	ours := slices.DeleteFunc(marked, func(a netip.Addr) bool { return slices.Contains(others, a) })
	return underlay.ClearManaged(link.Attrs().Index, ours)
}

// managed lists the neighbours on an interface that the kernel keeps resolved.
func managed(ifindex int) ([]netip.Addr, error) {
	var list []netlink.Neigh
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		some, err := netlink.NeighList(ifindex, family)
		if err != nil {
			return nil, fmt.Errorf("list the neighbours of interface %d: %w", ifindex, err)
		}
		list = append(list, some...)
	}
	addrs := []netip.Addr{}
	for _, n := range list {
		if a, ok := netip.AddrFromSlice(n.IP); ok && n.FlagsExt&netlink.NTF_EXT_MANAGED != 0 {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs, nil
}

// nothingOf is an error where there is neither an interface called so, which may have been renamed or removed, nor anything that a
// gateway left on it: the name is a slip then.
func nothingOf(iface string, paths netdev.Paths) error {
	_, err := netdev.Lookup(iface)
	if !errors.As(err, new(*netdev.NotFoundError)) {
		return nil
	}
	for _, path := range []string{paths.State, paths.Socket, paths.Lock} {
		if _, err := os.Lstat(path); err == nil {
			return nil
		}
	}
	return notThere(err)
}

// Cleanup puts back what a killed gateway on an interface left, and returns what it
// was. A journal of another namespace is removed without a word: nothing here is
// its. It is an error if the gateway still runs.
func Cleanup(iface string) ([]string, error) {
	paths := netdev.PathsFor(iface)
	if err := nothingOf(iface, paths); err != nil {
		return nil, err
	}
	lock, err := netdev.Acquire(paths.Lock)
	if err != nil {
		return nil, fmt.Errorf("clean up after %s: %w", iface, err)
	}
	defer lock.Close()
	state := paths.State
	if info, err := netdev.Lookup(iface); err == nil {
		if below, err := lower(info); err == nil && below.Index != info.Index { // its journal is that of the interface below
			of := netdev.PathsFor(below.Name)
			lock, err := netdev.Acquire(of.Lock)
			if err != nil {
				return nil, fmt.Errorf("clean up after %s, VLAN %d of %s: %w", iface, info.VLAN.ID, below.Name, err)
			}
			defer lock.Close()
			state = of.State
		}
	}
	j, err := netdev.OpenJournal(state, map[netdev.Kind]netdev.Undoer{kindManaged: clearManaged})
	if j == nil {
		return nil, err
	}
	if errors.As(err, new(*netdev.ForeignError)) {
		err = nil
	}
	var undone []string
	for _, c := range j.Pending() {
		undone = append(undone, c.String())
	}
	if _, err := os.Lstat(paths.Socket); err == nil {
		undone = append(undone, "socket "+paths.Socket)
	}
	return undone, errors.Join(append(j.Undo(), err, control.RemoveStale(paths.Socket))...)
}

// generic is what has to be off at the sender when XDP runs in the stack: frames
// larger than the MTU do not fit into ours.
var generic = map[string]bool{
	"tx-tcp-segmentation": false, "tx-tcp6-segmentation": false, "tx-tcp-ecn-segmentation": false,
	"tx-tcp-mangleid-segmentation": false, "tx-udp-segmentation": false, "tx-generic-segmentation": false,
}

// calmOffloads sees to it that an interface with XDP in the stack gets no frames
// above the MTU: native mode makes the kernel do it, generic mode does not. What it
// returns puts back what it changed, and is never nil.
func (g *Gateway) calmOffloads(f *iface) (undo func() error, err error) {
	undo = func() error { return nil }
	if f.attached != bpf.Generic {
		return undo, g.keepCalm(f)
	}
	if !f.info.IsVeth {
		g.log.Warn("XDP runs in the stack here, behind the offloads: what GRO, or a sender on this machine, leaves larger than the MTU is lost",
			"iface", f.info.Name, "cure", fmt.Sprintf("ethtool -K %s gro off; at senders on this machine: ethtool -K DEV tso off gso off tx-udp-segmentation off", f.info.Name))
		return undo, nil
	}
	if !f.info.PeerInSameNS {
		g.log.Warn("segmentation offloads of the interface's other end cannot be switched off from here: frames above the MTU are lost",
			"iface", f.info.Name, "cure", "in the other namespace: ethtool -K PEER tso off gso off tx-udp-segmentation off")
		return undo, nil
	}
	peer, err := netlink.LinkByIndex(f.info.PeerIndex)
	if err != nil {
		return undo, fmt.Errorf("find the other end of %s: %w", f.info.Name, err)
	}
	name := peer.Attrs().Name
	_, err = netdev.SetOffloads(g.journal, name, generic)
	return func() error { return errors.Join(g.journal.UndoOffloads(name)...) }, err
}

// keptOff are those of them that the kernel keeps off at the other end of a veth with native XDP (NETIF_F_GSO_SOFTWARE, which
// veth_xdp_set takes away), so that they cannot be put back before that is detached. It is done last first, since two of them can only
// be on with tx-tcp-segmentation (netdev_fix_features).
var keptOff = []string{"tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation"}

// keepCalm makes it f's to put them back where the gateway before had XDP in the stack and has switched them off.
func (g *Gateway) keepCalm(f *iface) error {
	if g.prior == nil || !f.info.IsVeth || !f.info.PeerInSameNS {
		return nil
	}
	peer, err := netdev.LookupIndex(f.info.PeerIndex)
	if err != nil {
		return fmt.Errorf("find the other end of %s: %w", f.info.Name, err)
	}
	for _, feature := range keptOff {
		if g.journal.Adopt(netdev.KindOffload, peer.ID(), feature) {
			f.calmed = peer.Name
		}
	}
	return nil
}
