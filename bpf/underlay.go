package bpf

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// maxVNI is the largest number that fits the header's 24 bits (RFC 7348
// section 5).
const maxVNI = 1<<24 - 1

// localAddrs is the room for addresses beside one multicast group per VNI.
const localAddrs = 64

// UnderlayConfig is fixed once the program is loaded.
type UnderlayConfig struct {
	Port    uint16 // UDP port of VXLAN, not 0
	Queues  int    // rx queues of the interface, 1 to 65536
	MaxVNIs int    // VNIs at one time, at least 1; each takes its memory when it is added
	Frags   bool   // packets may be longer than a page, of which the program sees the start: Linux 5.18

	// VLAN is the tag that packets must have: the interface is shared by VLANs. The
	// zero one is none.
	VLAN VLAN
	// TagsOf is as in PortConfig, for tags that travel beside the frame, and Types
	// is. With 0 packets whose tag does so are left to the kernel.
	TagsOf int
	Types  *btf.Cache
}

// VLAN is a tag.
type VLAN struct {
	Type uint16 // EtherType: 0x8100 (802.1Q) or 0x88a8 (802.1ad)
	ID   uint16 // 1 to 4094
}

// Underlay is the program for the interface that carries VXLAN. It takes
// IP packets without options, extension headers, fragmentation and VLAN tag that
// go over UDP to the configured port, to an address of AddAddr, with a VNI of AddVNI, and drops
// those among them that come from VTEPs which Allow leaves out; and UDP
// datagrams to that address and port that are too short for a VXLAN header.
// Of a VLAN (UnderlayConfig.VLAN) it takes those that have its tag, which it removes.
// Flags, checksums and lengths that are merely wrong play no part. All else
// goes up to the kernel, as does a packet of ours on a queue without a socket;
// FilterLeftovers brings back what is ours.
type Underlay struct {
	steering
	addrs, addrs6, vnis *ebpf.Map     // guarded by steering.mu
	quick               quick         // likewise
	filter, filter6     *ebpf.Program // of FilterLeftovers; guarded by steering.mu
	allow               allowances
}

// LoadUnderlay loads the program into the kernel. It takes nothing until it has
// an address, a VNI, a socket and an interface.
func LoadUnderlay(cfg UnderlayConfig) (*Underlay, error) {
	if cfg.Port == 0 {
		return nil, errors.New("load XDP program underlay: no UDP port")
	}
	if cfg.MaxVNIs < 1 || cfg.MaxVNIs > maxVNI+1 {
		return nil, fmt.Errorf("load XDP program underlay: room for %d VNIs, must be 1 to %d", cfg.MaxVNIs, maxVNI+1)
	}
	spec, err := loadUnderlayProg()
	if err != nil {
		return nil, fmt.Errorf("load XDP program underlay: %w", err)
	}
	spec.Maps["vnis"].MaxEntries = uint32(cfg.MaxVNIs)
	spec.Maps["addrs"].MaxEntries = uint32(cfg.MaxVNIs + localAddrs)
	spec.Maps["addrs6"].MaxEntries = uint32(cfg.MaxVNIs + localAddrs)
	spec.Maps["refusals"].MaxEntries = uint32(cfg.MaxVNIs)
	spec.Maps["allowed"].MaxEntries = mostAllowed
	for _, name := range []string{"vnis", "addrs", "addrs6"} {
		spec.Maps[name].Flags |= unix.BPF_F_NO_PREALLOC // only user space ever adds to them
	}
	if err := spec.Variables["dstport"].Set(cfg.Port); err != nil {
		return nil, fmt.Errorf("load XDP program underlay: set port %d: %w", cfg.Port, err)
	}
	name, since, err := cfg.choose(spec)
	if err != nil {
		return nil, fmt.Errorf("load XDP program underlay: %w", err)
	}
	if cfg.Frags {
		takeFrags(spec.Programs["underlay"]) // the chosen one
	}
	// Without underlayProgVariables, which would keep the constants mapped, and the
	// programs that are not chosen.
	var objs struct {
		Steer     *ebpf.Program `ebpf:"underlay"`
		Leftover  *ebpf.Program `ebpf:"leftover"`
		Leftover6 *ebpf.Program `ebpf:"leftover6"`
		underlayProgMaps
	}
	if err := load(name, spec, cfg.Queues, cfg.Types, since, &objs); err != nil {
		return nil, err
	}
	u := &Underlay{
		steering: steering{
			name:     name,
			queues:   cfg.Queues,
			bound:    cfg.TagsOf != 0,
			prog:     objs.Steer,
			xsks:     objs.Xsks,
			counters: objs.Counters,
			owned:    []io.Closer{objs.Steer, objs.Leftover, objs.Leftover6, &objs.underlayProgMaps},
		},
		addrs:   objs.Addrs,
		addrs6:  objs.Addrs6,
		vnis:    objs.Vnis,
		quick:   quick{maps: quickMaps{first: objs.First, anyone: objs.Anyone}, bits: map[uint32]uint64{}},
		filter:  objs.Leftover,
		filter6: objs.Leftover6,
		allow:   allowances{all: map[string]*allowList{}, of: map[uint32]*allowList{}, vnis: map[uint32]bool{}, met: map[uint32]bool{}},
	}
	u.allow.maps.allowed, u.allow.maps.refusals = objs.Allowed, objs.Refusals
	return u, nil
}

// choose puts the program that the configuration wants in the place of underlay, and returns
// its name and the first Linux that has what it needs.
func (cfg *UnderlayConfig) choose(spec *ebpf.CollectionSpec) (name, since string, err error) {
	v := cfg.VLAN
	switch {
	case v == VLAN{} && cfg.TagsOf == 0:
		return "underlay", sinceLinks, nil
	case v.Type != 0x8100 && v.Type != 0x88a8 || v.ID < 1 || v.ID > 4094:
		return "", "", fmt.Errorf("no VLAN: type %#x, identifier %d", v.Type, v.ID)
	}
	name, since = "vlan", sinceLinks
	if cfg.TagsOf != 0 {
		name, since = "vlantags", sinceTags
		p := spec.Programs[name]
		p.Ifindex, p.Flags = uint32(cfg.TagsOf), p.Flags|unix.BPF_F_XDP_DEV_BOUND_ONLY
	}
	spec.Programs[name].Name = "underlay" // as others see it who want the interface
	spec.Programs["underlay"] = spec.Programs[name]
	return name, since, errors.Join(
		spec.Variables["vlan_type"].Set(v.Type),
		spec.Variables["vlan_id"].Set(v.ID),
	)
}

// AddVNI makes packets of a VNI ours, at once. Adding it again does nothing.
func (u *Underlay) AddVNI(vni uint32) error {
	if vni > maxVNI {
		return fmt.Errorf("add VNI %d: larger than %d", vni, maxVNI)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.add(u.vnis, vni, u.allow.value(vni))
	if err == nil {
		u.allow.vnis[vni] = true
		err = u.takeAnyone(vni, u.allow.of[vni] == nil)
	}
	if err != nil {
		return fmt.Errorf("add VNI %d: %w", vni, err)
	}
	return nil
}

// DeleteVNI leaves packets of a VNI to the kernel again, and forgets its refusals; who may send
// to it stays as it is. One that isn't there is no error.
func (u *Underlay) DeleteVNI(vni uint32) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.takeAnyone(vni, false)
	if err == nil {
		err = u.delete(u.vnis, vni)
	}
	if err == nil {
		delete(u.allow.vnis, vni)
		err = u.forgetRefusals(vni)
	}
	if err != nil {
		return fmt.Errorf("delete VNI %d: %w", vni, err)
	}
	return nil
}

// AddAddr makes packets to a destination ours, at once: a local address of the
// underlay or a multicast group, whose zone does not count. Adding it again does
// nothing. There is room for a group per VNI and some local addresses, of each
// family.
func (u *Underlay) AddAddr(addr netip.Addr) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	addrs, key, err := u.place(addr)
	if err == nil {
		err = u.add(addrs, key, uint8(1))
	}
	if err == nil {
		err = u.preferAddr(addr)
	}
	if err != nil {
		return fmt.Errorf("add underlay address %s: %w", addr, err)
	}
	return nil
}

// DeleteAddr leaves packets to a destination to the kernel again. One that
// isn't there is no error.
func (u *Underlay) DeleteAddr(addr netip.Addr) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	addrs, key, err := u.place(addr)
	if err == nil {
		err = u.neglectAddr(addr)
	}
	if err == nil {
		err = u.delete(addrs, key)
	}
	if err != nil {
		return fmt.Errorf("delete underlay address %s: %w", addr, err)
	}
	return nil
}

// place returns the map that an address belongs into, and its key there.
func (u *Underlay) place(addr netip.Addr) (*ebpf.Map, any, error) {
	switch addr = addr.Unmap(); {
	case addr.Is4():
		return u.addrs, addr.As4(), nil
	case addr.Is6():
		return u.addrs6, addr.As16(), nil
	}
	return nil, nil, errors.New("no address is given")
}

// add enters a key. Under u.mu.
func (u *Underlay) add(m *ebpf.Map, key, value any) error {
	if u.owned == nil {
		return os.ErrClosed
	}
	err := m.Put(key, value)
	if errors.Is(err, unix.E2BIG) {
		return fmt.Errorf("all %d places are taken: %w (load with a larger MaxVNIs)", m.MaxEntries(), err)
	}
	return withCure(err)
}

// delete takes a key out that may be there. Under u.mu.
func (u *Underlay) delete(m *ebpf.Map, key any) error {
	if u.owned == nil {
		return os.ErrClosed
	}
	err := m.Delete(key)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return withCure(err)
}
