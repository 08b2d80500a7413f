package gateway

import "testing"

func TestThereAre(t *testing.T) {
	for _, c := range []struct {
		vnis []uint32
		want string
	}{
		{nil, "this gateway has none: gw vni add makes one"},
		{[]uint32{42}, "there is 42"},
		{[]uint32{42, 43}, "there are 42, 43"},
		{[]uint32{1, 2, 3, 4, 5, 6, 7, 8}, "there are 1, 2, 3, 4, 5, 6, 7, 8"},
		{[]uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "there are 1, 2, 3, 4, 5, 6, 7, 8 and 2 more: gw vni show lists them"},
	} {
		if got := thereAre(c.vnis); got != c.want {
			t.Errorf("%v: %q, want %q", c.vnis, got, c.want)
		}
	}
}
