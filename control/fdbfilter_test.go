package control

import (
	"net/netip"
	"testing"
)

func TestFilterMatch(t *testing.T) {
	vni, other, port, usual := uint32(43), uint32(100), uint16(8472), uint16(4789)
	entries := map[string]FDBEntry{
		"flood":   {MAC: ZeroMAC, Ifname: "gw42", Dst: "10.0.0.2", Via: "ens18", Flags: []string{"self"}, State: "permanent", VNI: 42},
		"learned": {Ifname: "gw42", Dst: "10.0.0.3", Flags: []string{"self"}, VNI: 42},
		"extern":  {Ifname: "gw43", Dst: "10.0.0.3", Flags: []string{"self", "extern_learn"}, VNI: 43},
		"special": {Ifname: "gw42", Dst: "10.0.0.3", Port: 8472, Flags: []string{"self"}, State: "permanent", VNI: 100, SrcVNI: 42},
		"port":    {Ifname: "veth1", Master: "gw42", Flags: []string{}, State: "static", VNI: 42},
		"device":  {Ifname: "gw42", Master: "gw42", Flags: []string{}, State: "permanent", VNI: 42},
	}
	for name, c := range map[string]struct {
		filter FDBFilter
		want   string
	}{
		"all":          {FDBFilter{}, "flood learned extern special port device"},
		"br":           {FDBFilter{Br: "gw42"}, "flood learned special port device"},
		"dev":          {FDBFilter{Dev: "gw42"}, "flood learned special device"},
		"port":         {FDBFilter{Dev: "veth1"}, "port"},
		"brport":       {FDBFilter{Brport: "gw42"}, "device"},
		"dst":          {FDBFilter{Dst: netip.MustParseAddr("10.0.0.3")}, "learned extern special"},
		"vni":          {FDBFilter{VNI: &vni}, "extern"},
		"other vni":    {FDBFilter{VNI: &other}, "special"},
		"src_vni":      {FDBFilter{SrcVNI: &vni}, "extern"},
		"usual port":   {FDBFilter{Port: &usual}, "flood learned extern"},
		"other port":   {FDBFilter{Port: &port}, "special"},
		"via":          {FDBFilter{Via: "ens18"}, "flood"},
		"self":         {FDBFilter{Self: true}, "flood learned extern special"},
		"master":       {FDBFilter{Master: true}, "port device"},
		"both":         {FDBFilter{Self: true, Master: true}, "flood learned extern special port device"},
		"dynamic":      {FDBFilter{State: "dynamic"}, "learned extern"},
		"nodynamic":    {FDBFilter{State: "nodynamic"}, "flood special port device"},
		"static":       {FDBFilter{State: "static"}, "port"},
		"nostatic":     {FDBFilter{State: "nostatic"}, "learned extern"},
		"nopermanent":  {FDBFilter{State: "nopermanent"}, "learned extern port"},
		"extern":       {FDBFilter{Extern: "extern_learn"}, "extern"},
		"all together": {FDBFilter{Br: "gw42", Self: true, State: "dynamic", Extern: "noextern_learn"}, "learned"},
	} {
		got := ""
		for _, e := range []string{"flood", "learned", "extern", "special", "port", "device"} {
			if entry := entries[e]; c.filter.Match(&entry, 4789) {
				got += " " + e
			}
		}
		if got != " "+c.want {
			t.Errorf("%s chooses%s, want %s", name, got, c.want)
		}
	}
}
