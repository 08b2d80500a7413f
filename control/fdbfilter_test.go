package control

import (
	"net/netip"
	"testing"
)

func TestFilterMatch(t *testing.T) {
	vni := uint32(43)
	entries := map[string]FDBEntry{
		"flood":   {MAC: ZeroMAC, Ifname: "gw42", Dst: "10.0.0.2", Flags: []string{"self"}, State: "permanent", VNI: 42},
		"learned": {Ifname: "gw42", Dst: "10.0.0.3", Flags: []string{"self"}, VNI: 42},
		"extern":  {Ifname: "gw43", Dst: "10.0.0.3", Flags: []string{"self", "extern_learn"}, VNI: 43},
		"port":    {Ifname: "veth1", Master: "gw42", Flags: []string{}, State: "static", VNI: 42},
		"device":  {Ifname: "gw42", Master: "gw42", Flags: []string{}, State: "permanent", VNI: 42},
	}
	for name, c := range map[string]struct {
		filter FDBFilter
		want   string
	}{
		"all":          {FDBFilter{}, "flood learned extern port device"},
		"br":           {FDBFilter{Br: "gw42"}, "flood learned port device"},
		"dev":          {FDBFilter{Dev: "gw42"}, "flood learned device"},
		"port":         {FDBFilter{Dev: "veth1"}, "port"},
		"brport":       {FDBFilter{Brport: "gw42"}, "device"},
		"dst":          {FDBFilter{Dst: netip.MustParseAddr("10.0.0.3")}, "learned extern"},
		"vni":          {FDBFilter{VNI: &vni}, "extern"},
		"self":         {FDBFilter{Self: true}, "flood learned extern"},
		"master":       {FDBFilter{Master: true}, "port device"},
		"both":         {FDBFilter{Self: true, Master: true}, "flood learned extern port device"},
		"dynamic":      {FDBFilter{State: "dynamic"}, "learned extern"},
		"nodynamic":    {FDBFilter{State: "nodynamic"}, "flood port device"},
		"static":       {FDBFilter{State: "static"}, "port"},
		"nopermanent":  {FDBFilter{State: "nopermanent"}, "learned extern port"},
		"extern":       {FDBFilter{Extern: "extern_learn"}, "extern"},
		"all together": {FDBFilter{Br: "gw42", Self: true, State: "dynamic", Extern: "noextern_learn"}, "learned"},
	} {
		got := ""
		for _, e := range []string{"flood", "learned", "extern", "port", "device"} {
			if entry := entries[e]; c.filter.Match(&entry) {
				got += " " + e
			}
		}
		if got != " "+c.want {
			t.Errorf("%s chooses%s, want %s", name, got, c.want)
		}
	}
}
