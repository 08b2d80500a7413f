// Package fdb is the forwarding database: a sharded hash table from bridge domain and MAC to destination, read by every
// worker without a lock. It knows nothing of rings, packets or clocks; times are seconds that the caller passes in.
//
// # Layout
//
// An entry is a key word and a value word; four of them fill a bucket, which is one cache line. A seeded hash gives an
// entry its shard and its position in it, and position times number of buckets (fixed point) is its home bucket. An
// entry that finds its home full stands in one of a few further buckets; each bucket knows how far its own entries
// reach (bucket.go), so a look-up touches one line, and sometimes a second.
//
// # Growth
//
// A shard grows in place by an eighth at a time, a few buckets with each insert, from its last bucket down: since home
// is monotonic in the position, everything moves up and nothing is in the way (grow.go). All shards share one
// reservation of address space sized for MaxEntries, of which the kernel backs only what was touched. So no array is
// ever replaced, no reader can hold an old one, and no writer waits for a copy.
//
// # Readers and writers
//
// Writers hold the shard's lock. Readers load the table's version, probe, and load the version again: if it differs they start
// over. A batch does that once for all of its keys. Three rules make what they return true:
//
//  1. A slot gets a new key in the order version, value, key, and only a free slot gets one. Who saw key K in a
//     slot and then the value of another key has seen the version change.
//  2. An entry moves in the order version, copy (value, key), new geometry if any, version, original cleared. Who
//     missed it in both places has seen the version change.
//  3. All else is one word: a learned MAC's move and a refresh replace a value, a deletion clears a key.
//
// There is no state in which readers must wait: a writer that is preempted half way holds up other writers only.
// sync/atomic is sequentially consistent on every architecture, which is what these rules need.
package fdb

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Errors of the operator's verbs, wrapped with the key.
var (
	ErrExists   = errors.New("entry exists (use replace)")
	ErrNotFound = errors.New("no such entry")
	ErrLimit    = errors.New("limit of the bridge domain reached (raise maxaddress)")
	ErrFull     = errors.New("table full")
	ErrInvalid  = errors.New("zero key or unknown kind")
)

const (
	// DefaultMaxEntries costs about 400 MB of address space and no memory until it is used.
	DefaultMaxEntries = 16 << 20
	// DefaultShards keeps what readers need of all shards in eight cache lines while eight writers seldom meet.
	DefaultShards = 64

	largestMaxEntries = 1 << 30
	largestShards     = 1024
	firstBuckets      = 16 // of a shard: 64 KiB for the default number of shards
)

// Config sizes a table. The zero value is ready to use.
type Config struct {
	MaxEntries int // whole table, refuses beyond; 0 means DefaultMaxEntries, at most 2^30
	Shards     int // power of two, at most 1024; 0 means DefaultShards
	// Seed of the hash, for counts of instructions that have to repeat. 0, as it has to be wherever there are strangers, is a
	// random one: else they could choose addresses that all have one home.
	Seed uint64
	Heap bool // ordinary memory, all allocated at once, where the race detector sees it; for tests
}

// Table is the forwarding database. All methods may be called from any goroutine at once, except Close.
type Table struct {
	buckets   []bucket // all shards, see bucketIndex
	shards    []shard
	seed      [4]uint64
	shardMask uint64
	shardBits uint
	_         [64]byte

	version atomic.Uint64 // raised by insert and relocate: see the protocol above
	_       [56]byte
	geo     [largestShards]atomic.Uint64 // a geometry for each shard, side by side: readers use few lines

	maxBuckets uint64 // of one shard
	maxEntries int64
	total      atomic.Int64
	domains    []domain
	moving     []moving // by shard
	age        ager
	release    func() error
}

// New makes an empty table. Close gives its memory back.
func New(cfg Config) (*Table, error) {
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = DefaultMaxEntries
	}
	if cfg.Shards == 0 {
		cfg.Shards = DefaultShards
	}
	if cfg.MaxEntries < 0 || cfg.MaxEntries > largestMaxEntries {
		return nil, fmt.Errorf("make fdb: max entries %d is not in 1..%d", cfg.MaxEntries, largestMaxEntries)
	}
	if cfg.Shards < 0 || cfg.Shards > largestShards || bits.OnesCount(uint(cfg.Shards)) != 1 {
		return nil, fmt.Errorf("make fdb: %d shards is not a power of two in 1..%d", cfg.Shards, largestShards)
	}
	seed, err := newSeed(cfg.Seed)
	if err != nil {
		return nil, fmt.Errorf("make fdb: seed hash: %w", err)
	}
	t := &Table{
		shards:     make([]shard, cfg.Shards),
		moving:     make([]moving, cfg.Shards),
		seed:       seed,
		shardMask:  uint64(cfg.Shards - 1),
		shardBits:  uint(bits.TrailingZeros(uint(cfg.Shards))),
		maxBuckets: bucketsFor(cfg.MaxEntries, cfg.Shards),
		maxEntries: int64(cfg.MaxEntries),
		domains:    make([]domain, 1<<16),
	}
	for i := range t.shards {
		t.shards[i].index = uint64(i)
		t.setGeometry(&t.shards[i], makeGeometry(firstBuckets, firstBuckets))
	}
	// Behind the last home there is room for its window, so that probing never wraps.
	n := int(t.maxBuckets+spread) * cfg.Shards
	if cfg.Heap {
		t.buckets, t.release = make([]bucket, n), func() error { return nil }
		return t, nil
	}
	if t.buckets, t.release, err = mapBuckets(n); err != nil {
		return nil, fmt.Errorf("make fdb: map %d buckets for %d entries: %w", n, cfg.MaxEntries, err)
	}
	return t, nil
}

// bucketsFor is the size up to which a shard may grow: the first one that holds its share of the entries below the
// load limit, with six standard deviations for the luck of the hash.
func bucketsFor(entries, shards int) uint64 {
	share := float64(entries) / float64(shards)
	need := share + 6*math.Sqrt(share) + slots
	n := uint64(firstBuckets)
	for float64(loadLimit(n)) < need {
		n = stretched(n)
	}
	return n
}

// Close gives the memory back. No other method may run or be called any more: readers hold no reference that could
// delay it.
func (t *Table) Close() error {
	t.buckets = nil
	release := t.release
	t.release = func() error { return nil }
	if err := release(); err != nil {
		return fmt.Errorf("close fdb: %w", err)
	}
	return nil
}

// Len is the number of entries.
func (t *Table) Len() int { return int(t.total.Load()) }

// ager is the state of AgeStep between calls.
type ager struct {
	mu  sync.Mutex
	at  cursor
	buf []entry
}
