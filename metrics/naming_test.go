package metrics

import (
	"fmt"
	"testing"

	"vxgw/control"
)

type fixed control.Status

func (f fixed) Status() control.Status { return control.Status(f) }

// Strangers do not fill Prometheus: those with high numbers are one, and that one's
// counts do not go back when some of them are forgotten.
func TestManyRemotes(t *testing.T) {
	t.Parallel()
	s := control.Status{}
	for n := range 5000 {
		s.Remotes = append(s.Remotes, control.Remote{
			Address: fmt.Sprintf("10.1.%d.%d", n>>8, n&255), Number: n, Configured: n == 4000,
			Traffic: control.Traffic{RxPackets: 1, RxBytes: 100, TxPackets: 2, TxBytes: 1000},
		})
	}
	series := func() map[string]float64 {
		families, err := NewRegistry(fixed(s)).Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			if f.GetName() != "gw_remote_bytes_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				labels := m.GetLabel()
				got[labels[0].GetValue()+" "+labels[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
		return got
	}
	got := series()
	const named = NamedStrangers + 1
	if len(got) != 2*(named+1) {
		t.Errorf("%d series, want those of %d remotes and of the others", len(got), named)
	}
	for name, want := range map[string]float64{"rx 10.1.0.255": 100, "tx 10.1.15.160": 1000, "rx other": 100 * (5000 - named), "tx other": 1000 * (5000 - named)} {
		if got[name] != want {
			t.Errorf("%s has %v bytes, want %v", name, got[name], want)
		}
	}
	for _, r := range s.Remotes[4500:] {
		add(&s.Forgotten, r.Traffic)
	}
	s.Remotes = s.Remotes[:4500]
	if again := series(); again["rx other"] != got["rx other"] {
		t.Errorf("the others have %v bytes, %v before some were forgotten", again["rx other"], got["rx other"])
	}
}
