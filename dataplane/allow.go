package dataplane

import (
	"net/netip"
	"slices"

	"vxgw/vxlan"
)

// Allow is who may send to a bridge domain. The steering program drops what others send
// (bpf.Underlay.Allow); a worker looks again, since the two do not change in the same moment, and
// where the kernel had no room for the list. It never changes.
type Allow struct{ spans []span } // in order, none touches another

// span is all addresses from one to another, both included.
type span struct{ first, last vxlan.Addr }

// NewAllow returns what lets VTEPs send whose address is in one of some prefixes.
func NewAllow(prefixes []netip.Prefix) *Allow {
	a := new(Allow)
	for _, p := range prefixes {
		a.spans = append(a.spans, spanOf(p))
	}
	slices.SortFunc(a.spans, func(x, y span) int { return compare(x.first, y.first) })
	kept := a.spans[:0]
	for _, s := range a.spans {
		if n := len(kept); n > 0 && compare(s.first, kept[n-1].last) <= 0 {
			if compare(s.last, kept[n-1].last) > 0 {
				kept[n-1].last = s.last
			}
			continue
		}
		kept = append(kept, s)
	}
	a.spans = kept
	return a
}

func spanOf(p netip.Prefix) span {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	first := vxlan.AddrOf(p.Masked().Addr())
	return span{first, vxlan.Addr{Hi: first.Hi | ^uint64(0)>>min(bits, 64), Lo: first.Lo | ^uint64(0)>>max(bits-64, 0)}}
}

// has reports whether a VTEP may send.
func (a *Allow) has(k vxlan.Addr) bool {
	low, high := 0, len(a.spans) // of which the last that begins at k or before is looked for
	for low < high {
		if mid := (low + high) / 2; compare(a.spans[mid].first, k) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low > 0 && compare(k, a.spans[low-1].last) <= 0
}

// compare orders addresses.
func compare(k, l vxlan.Addr) int {
	switch {
	case k.Hi < l.Hi, k.Hi == l.Hi && k.Lo < l.Lo:
		return -1
	case k == l:
		return 0
	}
	return 1
}
