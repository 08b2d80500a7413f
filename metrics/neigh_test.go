package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/control"
)

// A VNI that suppresses questions for neighbours has series of that, another one has none.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	s := control.Status{VNIs: []control.VNI{{VNI: 41}, {VNI: 42, Neigh: &control.NeighStats{
		Entries: 1, Answered: 2, Suppressed: 3, Learned: 4, Moved: 5, Aged: 6, Refused: map[string]uint64{"forged": 7}}}}}
	families, err := NewRegistry(fixed(s)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			if len(name) < len("gw_vni_neigh") || name[:len("gw_vni_neigh")] != "gw_vni_neigh" {
				continue
			}
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"gw_vni_neighbours 42": 1, "gw_vni_neighbour_frames_total answered 42": 2, "gw_vni_neighbour_frames_total suppressed 42": 3,
		"gw_vni_neighbours_learned_total entered 42": 4, "gw_vni_neighbours_learned_total moved 42": 5, "gw_vni_neighbours_learned_total aged 42": 6,
		"gw_vni_neighbours_refused_total forged 42": 7,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("series (-want +got):\n%s", d)
	}
}
