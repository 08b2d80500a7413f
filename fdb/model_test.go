package fdb

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is the slow twin: what the table does, on a map.
type model struct {
	max    int
	limits map[uint16]int
	m      map[Key]Value
}

func (m *model) domainLen(d uint16) (n int) {
	for k := range m.m {
		if k.Domain() == d {
			n++
		}
	}
	return n
}

func (m *model) create(k Key, v Value) Outcome {
	limit := m.limits[k.Domain()]
	switch {
	case len(m.m) >= m.max:
		return RefusedFull
	case v.Kind() == Learned && limit > 0 && m.domainLen(k.Domain()) >= limit:
		return RefusedLimit
	}
	m.m[k] = v
	return Added
}

func (m *model) learn(k Key, d Dest, now uint32) Outcome {
	v, ok := m.m[k]
	switch {
	case !ok:
		return m.create(k, makeValue(d, Learned, now))
	case v.Kind() != Learned && v.Dest() != d:
		return RefusedStatic
	case v.Kind() != Learned, v.Dest() == d && v.Seen() >= now:
		return Fresh
	}
	m.m[k] = makeValue(d, Learned, now)
	if v.Dest() == d {
		return Refreshed
	}
	return Moved
}

func (m *model) put(k Key, d Dest, kind Kind, now uint32, replace bool) error {
	if _, ok := m.m[k]; ok {
		if !replace {
			return ErrExists
		}
		m.m[k] = makeValue(d, kind, now)
		return nil
	}
	switch m.create(k, makeValue(d, kind, now)) {
	case RefusedFull:
		return ErrFull
	case RefusedLimit:
		return ErrLimit
	}
	return nil
}

func (m *model) removeIf(match func(Key, Value) bool) (n int) {
	for k, v := range m.m {
		if match(k, v) {
			delete(m.m, k)
			n++
		}
	}
	return n
}

// compare runs the operations that ops spells, five bytes each, on table and model. keys is the number of different keys.
func compare(t *testing.T, ops []byte, keys uint64, cfg Config) {
	tab := newTable(t, cfg)
	twin := &model{max: cfg.MaxEntries, limits: map[uint16]int{}, m: map[Key]Value{}}
	now := uint32(1000)
	expect := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	expectErr := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	for ; len(ops) >= 5; ops = ops[5:] {
		n := (uint64(ops[1]) | uint64(ops[2])<<8) % keys
		k := MakeKey(uint16(n%3), unicast(n))
		d, kind := PortDest(uint32(ops[3]%4)), Kind(ops[3]>>4%3+1)
		if ops[3]&4 != 0 {
			d = RemoteDest(uint32(ops[3] % 4))
		}
		switch op := ops[0] % 32; {
		case op < 16:
			expect("learn", tab.Learn(k, d, now), twin.learn(k, d, now))
		case op < 18:
			expectErr("add", tab.Add(k, d, kind, now), twin.put(k, d, kind, now, false))
		case op < 20:
			expectErr("replace", tab.Replace(k, d, kind, now), twin.put(k, d, kind, now, true))
		case op < 27:
			want := error(ErrNotFound)
			if twin.m[k] != 0 {
				want = nil
			}
			delete(twin.m, k)
			expectErr("delete", tab.Delete(k), want)
		case op == 27:
			now += uint32(ops[4] % 8)
		case op == 28:
			tab.SetLimit(k.Domain(), int(ops[4]))
			twin.limits[k.Domain()] = int(ops[4])
		case op == 29 && ops[4] < 32:
			match := func(k Key, v Value) bool { return v.Dest() == d && v.Kind() == kind }
			expect("flush", tab.FlushIf(match), twin.removeIf(match))
		case op == 30:
			old := func(k Key, v Value) bool {
				return v.Kind() == Learned && k.Domain() != 1 && now-v.Seen() >= uint32(20+k.Domain())
			}
			removed := 0
			for done := false; !done; done = tab.age.at == (cursor{}) {
				removed += tab.AgeStep(1+int(ops[4]), now, func(d uint16) uint32 {
					if d == 1 {
						return 0
					}
					return uint32(20 + d)
				})
			}
			expect("age", removed, twin.removeIf(old))
		}
		expect("lookup", tab.Lookup(k), twin.m[k])
		expect("len", tab.Len(), len(twin.m))
		expect("domain len", tab.DomainLen(k.Domain()), twin.domainLen(k.Domain()))
	}
	check(t, tab)
	if diff := cmp.Diff(twin.m, contents(t, tab)); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	batch := []Key{0}
	for n := range keys {
		batch = append(batch, MakeKey(uint16(n%3), unicast(n)))
	}
	out := make([]Value, len(batch))
	tab.LookupBatch(batch, out)
	for i, k := range batch {
		expect("batch", out[i], twin.m[k])
	}
}

// modelConfigs cover the edges: one shard and several, more keys than entries, and growth.
var modelConfigs = []struct {
	name string
	keys uint64
	cfg  Config
}{
	{"few", 20, Config{MaxEntries: 15, Shards: 1, Heap: true}},
	{"some", 300, Config{MaxEntries: 250, Shards: 4}},
	{"growing", 3000, Config{MaxEntries: 2500, Shards: 1}},
}

func TestModel(t *testing.T) {
	for _, c := range modelConfigs {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(8) {
				rng := rand.New(rand.NewPCG(seed, 7))
				ops := make([]byte, 5*4000)
				for i := range ops {
					ops[i] = byte(rng.Uint32())
				}
				compare(t, ops, c.keys, c.cfg)
			}
		})
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint8(0), []byte("\x00\x01\x00\x00\x00\x17\x01\x00\x00\x00"))
	f.Add(uint8(1), []byte("\x10\x01\x00\x15\x00\x00\x01\x00\x02\x00\x1e\x00\x00\x00\x05"))
	f.Add(uint8(2), []byte("\x1c\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00\x04\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, which uint8, ops []byte) {
		c := modelConfigs[int(which)%len(modelConfigs)]
		compare(t, ops[:min(len(ops), 5*2000)], c.keys, c.cfg)
	})
}
