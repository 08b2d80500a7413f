// Package neigh is the neighbour table of one bridge domain: which IP address is at which MAC address. Workers read it without a
// lock and write to it what they see in ARP and neighbour discovery; the control side enters, removes and ages entries. It knows
// nothing of packets or clocks; times are seconds that the caller passes in.
//
// # Layout
//
// An entry is four words and a version in a slot of an array whose length is a power of two. A seeded hash gives it a home, and it
// stands in one of the next few slots (window). Nothing is ever moved within an array, so a look-up reads the slots of one window.
//
// # Readers and writers
//
// Writers hold the table's lock. They make a slot's version odd, write its words, and make it even again; a reader that finds it
// odd or changed reads again, and after some tries misses, which costs a question that is flooded. What changes nothing but the
// time of an entry, or whether it is a router, replaces one word, without the lock.
//
// # Bounds
//
// The array grows where the control side has Grow called, never in a worker; until then what finds no room is refused and
// counted. Learned entries are bounded by the table's limit and by the Budget that all tables share, and nothing that is there is
// ever pushed out by what is new.
package neigh

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// Key names an entry: an IP address in two words, the first byte on the wire the most significant, IPv4 as ::ffff:a.b.c.d, and the
// VLAN that it is in, 0 for none.
type Key struct {
	Hi, Lo uint64
	VLAN   uint16 // 12 bits
}

// Kind says who made an entry and who may change it.
type Kind uint8

// The kinds.
const (
	Learned Kind = iota + 1 // seen in traffic: moves, ages and counts against the limits
	Static                  // the operator's: neither learning nor ageing touches it
	Extern                  // a control plane's: the same
)

// Entry is what is known of an address.
type Entry struct {
	MAC    uint64 // 48 bits, the first byte on the wire the most significant
	Kind   Kind
	Router bool
	// Sure is whether Router is known. An IPv6 host of which it is not must not be answered for: hosts would take a router that
	// is said to be none from their list (RFC 4861 section 7.3.3).
	Sure bool
	Seen uint32 // second in which it was made or last confirmed
}

// Budget bounds the learned entries of all tables that share it.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of n entries.
func NewBudget(n int) *Budget {
	b := new(Budget)
	b.left.Store(int64(n))
	return b
}

func (b *Budget) take() bool {
	if b.left.Add(-1) >= 0 {
		return true
	}
	b.left.Add(1)
	return false
}

// Counts is what happened to a table. Anyone may read and add.
type Counts struct {
	Answered   atomic.Uint64 // questions that were answered on behalf of an entry
	Suppressed atomic.Uint64 // questions and announcements that were kept from tunnels without an answer

	Added         atomic.Uint64
	Moved         atomic.Uint64 // learned entries that are at another MAC address now
	Aged          atomic.Uint64
	RefusedStatic atomic.Uint64 // a static or extern entry has the address elsewhere
	RefusedLimit  atomic.Uint64 // limit of this table reached, or that of all
	RefusedRoom   atomic.Uint64 // no room near the entry's home, until the table has grown
	RefusedForged atomic.Uint64 // the frame's source is not the MAC address that it claims, or the FDB has that elsewhere
}

// Table is the neighbour table of one bridge domain. Its methods may be called from any goroutine.
type Table struct {
	Counts Counts

	slots  atomic.Pointer[[]slot]
	seed   [4]uint64
	budget *Budget
	limit  atomic.Int32  // learned entries, 0: none of its own
	ageing atomic.Uint32 // seconds, 0: never
	narrow atomic.Bool   // something found no room
	live   atomic.Int32  // entries

	mu      sync.Mutex // of writers
	learned int
	closed  bool
}

const (
	window     = 16 // slots from its home on that an entry may stand in
	firstSlots = 256
	growth     = 2
	readTries  = 8
)

// New makes an empty table whose learned entries are at most limit (0: as many as the budget has) and age after so many seconds (0:
// never). Close gives back what it took of the budget.
func New(b *Budget, limit, ageing uint32) *Table {
	t := &Table{budget: b}
	var raw [32]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	for i := range t.seed {
		t.seed[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	slots := make([]slot, firstSlots)
	t.slots.Store(&slots)
	t.Bound(limit, ageing)
	return t
}

// Bound sets the limit and the ageing. A limit below the present number removes nothing.
func (t *Table) Bound(limit, ageing uint32) {
	t.limit.Store(int32(min(limit, 1<<31-1)))
	t.ageing.Store(ageing)
}

// Len is the number of entries.
func (t *Table) Len() int { return int(t.live.Load()) }

// Close empties the table; nothing enters it any more.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	slots := *t.slots.Load()
	for i := range slots {
		t.clear(&slots[i])
	}
}

// Errors of the control side's verbs.
var (
	ErrExists   = errors.New("entry exists")
	ErrNotFound = errors.New("no such entry")
	ErrClosed   = errors.New("the table is closed")
)
