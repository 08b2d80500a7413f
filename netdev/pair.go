package netdev

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// farEnd stands behind the name of a device to call its far end.
const farEnd = "-x"

// PairOptions are the settings of a veth pair.
type PairOptions struct {
	MTU       int              // bytes, of both ends, of the far one 1280 at least; 0 for the kernel's 1500
	MAC       net.HardwareAddr // of the host's end; nil for one made up
	Addresses []netip.Prefix   // of the host's end
	Queues    int              // rx and tx, of both ends, at least 1
}

// Pair is a veth pair: the host's end on the overlay, and the far end, which
// gw binds its sockets to.
type Pair struct {
	Name      string // of the host's end
	Index     int
	Far       string // name of the far end
	FarIndex  int
	journal   *Journal
	recording Change
}

// CreatePair makes the veth pair name and name-x and sets both up:
//
//	record -> make both, down -> silence the far end -> far end up
//	  -> tags into the frames of the host's end -> its addresses -> up
//
// The far end is gw's alone: no IPv6, no ARP, no packets of its own. After an
// error nothing is left. The error for a name that is taken says what has it,
// but a pair that j knows from a killed run is replaced.
func CreatePair(j *Journal, name string, o PairOptions) (*Pair, error) {
	if o.Queues < 1 {
		return nil, fmt.Errorf("create device %s: %d queues (at least 1)", name, o.Queues)
	}
	left := j.undo(func(left bool, c Change) bool {
		return left && c.Kind == KindPair && c.Link.Name == name
	})
	if len(left) > 0 {
		return nil, errors.Join(left...)
	}
	for _, n := range []string{name, FarEnd(name)} {
		if err := free(name, n); err != nil {
			return nil, err
		}
	}
	far, err := madeUpMAC()
	if err != nil {
		return nil, err
	}
	p := &Pair{Name: name, Far: FarEnd(name), journal: j}
	p.recording = Change{Kind: KindPair, Link: LinkID{Name: name, MAC: far.String()}}
	if err := j.Record(p.recording); err != nil {
		return nil, err
	}
	if err := p.create(far, o); err != nil {
		err = fmt.Errorf("create device %s: %w", name, withCure(err))
		return nil, errors.Join(append([]error{err}, j.takeBack(p.recording)...)...)
	}
	return p, nil
}

// Remove takes the pair away, with its addresses and routes, and out of the
// journal. It is no error if somebody else has removed it already.
func (p *Pair) Remove() error {
	return errors.Join(p.journal.takeBack(p.recording)...)
}

// FarEnd is what the far end of a device is called.
func FarEnd(name string) string { return name + farEnd }

// AddAddress puts one more address on the host's end, unless it is there.
func (p *Pair) AddAddress(a netip.Prefix) error {
	link, err := netlink.LinkByIndex(p.Index)
	if err == nil {
		err = netlink.AddrReplace(link, linkAddr(a))
	}
	if err != nil {
		return fmt.Errorf("add address %s: %w", a, withCure(err))
	}
	return nil
}

// RemoveAddress takes one away. It is no error if it, or the device, has gone already.
func (p *Pair) RemoveAddress(a netip.Prefix) error {
	link, err := netlink.LinkByIndex(p.Index)
	if err == nil {
		err = netlink.AddrDel(link, linkAddr(a))
	}
	if err != nil && !gone(err) && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove address %s of %s: %w", a, p.Name, withCure(err))
	}
	return nil
}

func linkAddr(a netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
}

// free says who has the name n, which the pair called name needs.
func free(name, n string) error {
	link, err := netlink.LinkByName(n)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create device %s: %w", name, err)
	}
	cure := "choose another name with --device"
	if link.Type() != "device" { // hardware, or the loopback: nothing removes it
		cure += ", or remove it if it is nobody's: ip link del " + n
	}
	return fmt.Errorf("create device %s: there is an interface %s already, of kind %s (%s)", name, n, link.Type(), cure)
}

// create does the steps between the record and the Pair.
func (p *Pair) create(far net.HardwareAddr, o PairOptions) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = p.Name, o.MTU, o.MAC
	attrs.NumTxQueues, attrs.NumRxQueues = o.Queues, o.Queues
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr = p.Far, far
	veth.PeerNumTxQueues, veth.PeerNumRxQueues = uint32(o.Queues), uint32(o.Queues)
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	host, err := netlink.LinkByName(p.Name)
	if err != nil {
		return err
	}
	other, err := netlink.LinkByName(p.Far)
	if err != nil {
		return err
	}
	p.Index, p.FarIndex = host.Attrs().Index, other.Attrs().Index
	if mtu := other.Attrs().MTU; farMTU(mtu) != mtu {
		if err := netlink.LinkSetMTU(other, farMTU(mtu)); err != nil {
			return fmt.Errorf("set the MTU of %s to %d: %w", p.Far, farMTU(mtu), err)
		}
	}
	if err := silence(other); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(other); err != nil {
		return fmt.Errorf("set %s up: %w", p.Far, err)
	}
	return setUpHost(host, o.Addresses)
}

// silence keeps the kernel from sending on an end of its own accord, before it
// comes up. Where /proc/sys is read-only, as in many containers, the missing
// link-local address alone must do.
func silence(link netlink.Link) error {
	name := link.Attrs().Name
	if err := netlink.LinkSetARPOff(link); err != nil {
		return fmt.Errorf("set %s noarp: %w", name, err)
	}
	const conf = "/proc/sys/net/ipv6/conf"
	if _, err := os.Stat(conf); errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without IPv6
	}
	const none = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
	err := netlink.LinkSetIP6AddrGenMode(link, none)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil // the link has no IPv6
	}
	if err != nil {
		return fmt.Errorf("set %s addrgenmode none: %w", name, err)
	}
	err = os.WriteFile(filepath.Join(conf, name, "disable_ipv6"), []byte("1"), 0)
	if err != nil && !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("switch ipv6 of %s off: %w", name, err)
	}
	return nil
}

// setUpHost makes the host's end ready. With its VLAN offloads on, tags would
// travel beside the frames, where XDP does not see them.
func setUpHost(link netlink.Link, addrs []netip.Prefix) error {
	name := link.Attrs().Name
	if err := change(name, map[string]bool{"tx-vlan-hw-insert": false, "tx-vlan-stag-hw-insert": false}); err != nil {
		return err
	}
	for _, a := range addrs {
		if err := netlink.AddrAdd(link, linkAddr(a)); err != nil {
			return fmt.Errorf("add %s: %w", a, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// madeUpMAC returns a unicast address that is administered locally.
func madeUpMAC() (net.HardwareAddr, error) {
	mac := make(net.HardwareAddr, 6)
	if _, err := rand.Read(mac); err != nil {
		return nil, fmt.Errorf("make up an address: %w", err)
	}
	mac[0] = mac[0]&^1 | 2
	return mac, nil
}
