package fdb

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
)

// shard is one part of the table with one writer at a time. Readers need its geometry only, which stands in Table.geo.
type shard struct {
	mu     sync.Mutex
	index  uint64 // constant
	live   int    // entries, under mu
	moves  atomic.Uint64
	static atomic.Uint64 // refused: elsewhere by a static or extern entry
	limit  atomic.Uint64 // refused: domain limit
	full   atomic.Uint64 // refused: table or window full
	aged   atomic.Uint64
}

// geometry says where an entry's home is: the number of buckets in the upper half, the frontier in the lower. A
// position below the frontier is scaled to the old number of buckets, one at or above it to the stretched number.
// At rest the frontier equals the number of buckets.
type geometry uint64

func makeGeometry(n, frontier uint64) geometry { return geometry(n<<32 | frontier) }

func (g geometry) buckets() uint64  { return uint64(g >> 32) }
func (g geometry) frontier() uint64 { return uint64(uint32(g)) }
func (g geometry) resting() bool    { return g.buckets() == g.frontier() }

// stretched is the size after n. A step of an eighth keeps the table within 8/9 of its load limit.
func stretched(n uint64) uint64 { return n + n/8 }

// home scales the position pos, 32 bits, to a bucket. It is monotonic in pos.
func (g geometry) home(pos uint64) uint64 {
	j := pos * g.buckets() >> 32
	if j >= g.frontier() {
		j = pos * stretched(g.buckets()) >> 32
	}
	return j
}

// firstPos is the smallest position that n buckets scale to bucket j or behind; 1<<32 when j is n.
func firstPos(j, n uint64) uint64 { return (j<<32 + n - 1) / n }

// bucketIndex is where bucket j of a shard stands in the array. The shards take turns, so that the part in use is a prefix of
// the array however far they have grown.
func (t *Table) bucketIndex(shard, j uint64) uint64 { return j<<(t.shardBits&63) | shard }

func (t *Table) bucket(s *shard, j uint64) *bucket { return &t.buckets[t.bucketIndex(s.index, j)] }

func (t *Table) geometry(s *shard) geometry { return geometry(t.geo[s.index&(largestShards-1)].Load()) }

func (t *Table) setGeometry(s *shard, g geometry) { t.geo[s.index&(largestShards-1)].Store(uint64(g)) }

// shardOf picks by the low bits of the hash; the position uses the upper 32.
func (t *Table) shardOf(h uint64) *shard { return &t.shards[h&t.shardMask] }

func position(h uint64) uint64 { return h >> 32 }

// hash mixes the key with 256 secret bits in two multiplications, the second of two numbers that both depend on key
// and secret, so that who picks MACs cannot pick buckets (same idea as wyhash, public domain, Wang Yi).
func (t *Table) hash(k Key) uint64 {
	hi, lo := bits.Mul64(uint64(k)^t.seed[0], t.seed[1])
	hi, lo = bits.Mul64(lo^t.seed[2], hi^t.seed[3])
	return hi ^ lo
}

// newSeed makes the seed of a table from a number, or at random if that is 0.
func newSeed(from uint64) (seed [4]uint64, err error) {
	var raw [32]byte
	if from != 0 {
		binary.LittleEndian.PutUint64(raw[:], from)
		raw = sha256.Sum256(raw[:])
	} else if _, err = rand.Read(raw[:]); err != nil {
		return seed, err
	}
	for i := range seed {
		seed[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	seed[1] |= 1
	return seed, nil
}
