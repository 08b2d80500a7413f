package fdb

import "testing"

// TestFast holds askFast and matchFast against ask and match, on a table in the middle of growth and for every length.
func TestFast(t *testing.T) {
	if !hasFast {
		t.Skip("no AVX2 and BMI2, or the race detector is on: look-ups use ask and match")
	}
	tab := newTable(t, Config{MaxEntries: 60_000, Shards: 4})
	key := func(i int) Key { return MakeKey(uint16(i>>8), unicast(uint64(i))) }
	growing := false
	for n := range 20_000 {
		tab.Learn(key(n), Dest(n), uint32(n))
		for s := range tab.shards {
			growing = growing || !tab.geometry(&tab.shards[s]).resting()
		}
		if n%97 != 0 {
			continue
		}
		var fast, slow staged
		var keys [stage]Key
		for i := range keys {
			switch i % 4 {
			case 0: // zero keys fit the free slots
			case 1:
				keys[i] = key(n + 1 + i)
			default:
				keys[i] = key(n * i / stage)
			}
		}
		length := 1 + n/97%stage
		var got, want [stage]Value
		askFast(tab, &keys[0], &fast.home[0], length)
		tab.ask(keys[:length], &slow)
		if fast.home != slow.home {
			t.Fatalf("%d entries: other home buckets", n)
		}
		missed := matchFast(&keys[0], &fast.home[0], &got[0], length)
		if other := match(keys[:length], want[:], &slow); missed != other || got != want {
			t.Fatalf("%d entries, %d keys: missed %x and %x, values %x and %x", n, length, missed, other, got, want)
		}
	}
	if !growing {
		t.Error("the table never grew")
	}
}
