package fdb

import (
	"math"
	"sync/atomic"
)

// domain counts the entries of one bridge domain.
type domain struct {
	live  atomic.Int32
	limit atomic.Int32 // 0: none
	moves atomic.Pointer[MoveLimit]

	moved, aged           atomic.Uint64
	static, bounded, full atomic.Uint64 // refused, as in a shard
	_                     [8]byte       // one cache line
}

// SetLimit bounds the entries of a bridge domain; 0 takes the bound away, as does a negative n. What counts is what counts
// for the kernel's maxaddress (drivers/net/vxlan/vxlan_core.c, addrcnt against addrmax): every entry of the domain,
// static and extern ones too. The kernel then also refuses new static ones; here only learning is refused (and Add or
// Replace of a new Learned entry), so that a flood of MACs cannot shut the operator out. A limit below the present
// number removes nothing, and moves and replacements are never refused.
func (t *Table) SetLimit(domain uint16, n int) {
	t.domains[domain].limit.Store(int32(min(max(n, 0), math.MaxInt32)))
}

// DomainLen is the number of entries of a bridge domain, of every kind.
func (t *Table) DomainLen(domain uint16) int { return int(t.domains[domain].live.Load()) }

// admit counts one more entry, unless it is bound by the limit and that is reached.
func (d *domain) admit(bound bool) bool {
	n := d.live.Add(1)
	if limit := d.limit.Load(); bound && limit > 0 && n > limit {
		d.live.Add(-1)
		return false
	}
	return true
}

// DomainStats is what Stats has of one bridge domain.
type DomainStats struct {
	Entries int // of every kind
	Limit   int // of SetLimit, 0 for none

	// As in Stats, since ForgetDomain.
	Moves, RefusedStatic, RefusedLimit, RefusedFull, Aged uint64
}

// DomainStats returns the counters of a bridge domain, each exact but not all of one instant.
func (t *Table) DomainStats(domain uint16) DomainStats {
	d := &t.domains[domain]
	return DomainStats{
		Entries: int(d.live.Load()), Limit: int(d.limit.Load()),
		Moves: d.moved.Load(), RefusedStatic: d.static.Load(), RefusedLimit: d.bounded.Load(), RefusedFull: d.full.Load(), Aged: d.aged.Load(),
	}
}

// ForgetDomain lets the counters of a bridge domain begin anew, as when its index comes to stand for another one. What
// Stats has stays.
func (t *Table) ForgetDomain(domain uint16) {
	d := &t.domains[domain]
	for _, c := range []*atomic.Uint64{&d.moved, &d.static, &d.bounded, &d.full, &d.aged} {
		c.Store(0)
	}
}
