package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Lists of who may send to a VNI (allowed.h):
//
//	Allow      makes a whole new list -> has the VNI look at it -> takes the old one away
//	Refusals   what was dropped for it
//
// Equal lists are one. A list that a VNI looks at never changes.

// mostAllowed is how many prefixes all lists have together; each takes its memory when it
// is added.
const mostAllowed = 1 << 20

// allowList is a list in the kernel.
type allowList struct {
	number   uint32 // not 0
	key      string
	prefixes []allowedKey
	users    int // VNIs
}

// allowedKey is struct prefix of allowed.h.
type allowedKey struct {
	Len, List uint32
	Addr      [16]byte
}

// vniValue is struct vni of allowed.h.
type vniValue struct{ List uint32 }

// allowances is what an Underlay knows of lists. Guarded by steering.mu.
type allowances struct {
	maps struct{ allowed, refusals *ebpf.Map }
	last uint32 // number given to a list
	all  map[string]*allowList
	of   map[uint32]*allowList // by VNI, nil for anyone
	vnis map[uint32]bool       // that are ours
	met  map[uint32]bool       // VNIs that have, or had, a list, and a place in refusals
}

// Allow says who may send to some VNIs, at once: VTEPs whose address is in one of the
// prefixes, nobody where that list is empty, or anyone where it is nil, as it is at first. Packets
// of others are dropped and counted. A packet that comes meanwhile is judged by the old list or by
// the new one, which holds for AddVNI as well.
//
// The error says of which VNIs a list could not be made: there anyone may send. It takes some
// milliseconds where a list goes. IPv4 is ::ffff:0:0/96 here, so a prefix of IPv6 that has that
// in it has all of IPv4.
func (u *Underlay) Allow(from map[uint32][]netip.Prefix) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.owned == nil {
		return fmt.Errorf("allow VTEPs: %w", os.ErrClosed)
	}
	var errs []error
	var gone []*allowList
	for vni, prefixes := range from {
		list, err := u.list(vni, prefixes)
		if err != nil {
			errs = append(errs, fmt.Errorf("allow VTEPs of VNI %d: %w", vni, err))
		}
		old := u.allow.of[vni]
		if err := u.assign(vni, list); err != nil {
			errs = append(errs, fmt.Errorf("allow VTEPs of VNI %d: %w", vni, err))
			old = list // which nobody looks at
		}
		if old != nil {
			if old.users--; old.users == 0 {
				gone = append(gone, old)
			}
		}
	}
	u.removeLists(gone)
	return errors.Join(errs...)
}

// assign has a VNI look at a list, nil for none; where that fails it goes on with the one it has.
func (u *Underlay) assign(vni uint32, list *allowList) error {
	was := u.allow.of[vni]
	if u.allow.of[vni] = list; list == nil {
		delete(u.allow.of, vni)
	}
	if !u.allow.vnis[vni] {
		if list == nil {
			return u.forgetRefusals(vni)
		}
		return nil
	}
	err := u.vnis.Put(vni, u.allow.value(vni))
	if err == nil {
		err = u.takeAnyone(vni, list == nil)
	}
	if err != nil && was != nil {
		u.allow.of[vni] = was
	} else if err != nil {
		delete(u.allow.of, vni)
	}
	return withCure(err)
}

func (a *allowances) value(vni uint32) vniValue {
	if list := a.of[vni]; list != nil {
		return vniValue{list.number}
	}
	return vniValue{}
}

// list returns the list of some prefixes, which has one user more, and makes it if it is not
// there; nil for anyone.
func (u *Underlay) list(vni uint32, prefixes []netip.Prefix) (*allowList, error) {
	if prefixes == nil {
		return nil, nil
	}
	if !u.allow.met[vni] {
		zeros := make([]uint64, ebpf.MustPossibleCPU())
		if err := u.allow.maps.refusals.Put(vni, zeros); err != nil {
			return nil, withCure(err)
		}
		u.allow.met[vni] = true
	}
	keys, err := allowedKeys(prefixes)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, 20*len(keys))
	for _, k := range keys {
		text = append(binary.BigEndian.AppendUint32(text, k.Len), k.Addr[:]...)
	}
	if list := u.allow.all[string(text)]; list != nil {
		list.users++
		return list, nil
	}
	u.allow.last++ // which takes centuries to come around
	list := &allowList{number: u.allow.last, key: string(text), users: 1}
	for _, k := range keys {
		k.List = list.number
		if err := u.allow.maps.allowed.Put(k, uint8(1)); err != nil {
			u.empty(list)
			if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.E2BIG) {
				return nil, fmt.Errorf("all lists together have more than %d prefixes: %w (allow whole networks)", u.allow.maps.allowed.MaxEntries(), err)
			}
			return nil, withCure(err)
		}
		list.prefixes = append(list.prefixes, k)
	}
	u.allow.all[list.key] = list
	return list, nil
}

// allowedKeys are prefixes as the kernel has them, in an order of their own.
func allowedKeys(prefixes []netip.Prefix) ([]allowedKey, error) {
	keys := make([]allowedKey, 0, len(prefixes))
	for _, p := range prefixes {
		if !p.IsValid() {
			return nil, errors.New("no prefix is given")
		}
		bits := p.Bits()
		if p.Addr().Is4() {
			bits += 96
		}
		keys = append(keys, allowedKey{Len: uint32(32 + bits), Addr: p.Masked().Addr().As16()})
	}
	slices.SortFunc(keys, func(a, b allowedKey) int {
		if c := slices.Compare(a.Addr[:], b.Addr[:]); c != 0 {
			return c
		}
		return int(a.Len) - int(b.Len)
	})
	return slices.Compact(keys), nil
}

// removeLists takes lists away that no VNI looks at any more, once no program does that began before.
func (u *Underlay) removeLists(gone []*allowList) {
	gone = slices.DeleteFunc(gone, func(l *allowList) bool { return l.users > 0 }) // another VNI has taken it up
	if len(gone) == 0 {
		return
	}
	awaitPrograms()
	for _, l := range gone {
		delete(u.allow.all, l.key)
		u.empty(l)
	}
}

// empty takes the prefixes of a list away.
func (u *Underlay) empty(l *allowList) {
	for _, k := range l.prefixes {
		_ = u.allow.maps.allowed.Delete(k) // fails only when it is not there
	}
}

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL of include/uapi/linux/membarrier.h, which waits for
// synchronize_rcu (kernel/sched/membarrier.c).
const membarrierGlobal = 1

// awaitPrograms returns when every program that runs now has ended.
func awaitPrograms() {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		time.Sleep(20 * time.Millisecond) // with nohz_full: longer than a program ever runs
	}
}

// Refusals returns how many packets to a VNI were dropped since AddVNI because their VTEP may
// not send to it.
func (u *Underlay) Refusals(vni uint32) (sum uint64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.owned == nil {
		return 0, fmt.Errorf("count refusals of VNI %d: %w", vni, os.ErrClosed)
	}
	if !u.allow.met[vni] {
		return 0, nil
	}
	var cpus []uint64
	if err := u.allow.maps.refusals.Lookup(vni, &cpus); err != nil {
		return 0, fmt.Errorf("count refusals of VNI %d: %w", vni, withCure(err))
	}
	for _, n := range cpus {
		sum += n
	}
	return sum, nil
}

// forgetRefusals makes the count of a VNI that is no more 0, and gives its place back where no list
// waits for it to come again. Under u.mu.
func (u *Underlay) forgetRefusals(vni uint32) error {
	switch {
	case !u.allow.met[vni]:
		return nil
	case u.allow.of[vni] != nil:
		return withCure(u.allow.maps.refusals.Put(vni, make([]uint64, ebpf.MustPossibleCPU())))
	}
	delete(u.allow.met, vni)
	return withCure(u.allow.maps.refusals.Delete(vni))
}
