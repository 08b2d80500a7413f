package bpf

import (
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
)

// What nearly all packets are judged by (quick.h). The tables that say all are changed before what is quick agrees with
// them, and after it no longer does.

type quickMaps struct{ first, anyone *ebpf.Map }

// quick is what an Underlay knows of it. Guarded by steering.mu.
type quick struct {
	maps  quickMaps
	first firstAddrs
	bits  map[uint32]uint64 // of VNIs, by their place, 0 left out
}

// firstAddrs is struct first of quick.h.
type firstAddrs struct {
	IPv6 [16]byte
	IPv4 [4]byte
}

// preferAddr makes an address of ours the first one of its family if there is none.
func (u *Underlay) preferAddr(addr netip.Addr) error {
	next := u.quick.first
	switch addr = addr.Unmap(); {
	case addr.IsMulticast():
		return nil
	case addr.Is4() && next.IPv4 == [4]byte{}:
		next.IPv4 = addr.As4()
	case addr.Is6() && next.IPv6 == [16]byte{}:
		next.IPv6 = addr.As16()
	}
	return u.setFirst(next)
}

// neglectAddr leaves an address to the tables.
func (u *Underlay) neglectAddr(addr netip.Addr) error {
	next := u.quick.first
	switch addr = addr.Unmap(); {
	case addr.Is4() && next.IPv4 == addr.As4():
		next.IPv4 = [4]byte{}
	case addr.Is6() && next.IPv6 == addr.As16():
		next.IPv6 = [16]byte{}
	}
	return u.setFirst(next)
}

func (u *Underlay) setFirst(next firstAddrs) error {
	if u.owned == nil {
		return os.ErrClosed
	}
	if next == u.quick.first {
		return nil
	}
	if err := u.quick.maps.first.Put(uint32(0), next); err != nil {
		return withCure(err)
	}
	u.quick.first = next
	return nil
}

// takeAnyone says whether a VNI is ours and has no list.
func (u *Underlay) takeAnyone(vni uint32, on bool) error {
	if u.owned == nil {
		return os.ErrClosed
	}
	at, bit := vni/64, uint64(1)<<(vni%64)
	next := u.quick.bits[at] &^ bit
	if on {
		next |= bit
	}
	if next == u.quick.bits[at] {
		return nil
	}
	if err := u.quick.maps.anyone.Put(at, next); err != nil {
		return withCure(err)
	}
	if u.quick.bits[at] = next; next == 0 {
		delete(u.quick.bits, at)
	}
	return nil
}
