package config

import (
	"net/netip"
	"testing"
)

// Zones that name the underlay mean nothing here, wherever they stand, and lists that VNIs share stay shared.
func TestZones(t *testing.T) {
	c, err := Parse([]byte(`
underlay: {iface: u, local6: "fe80::1%u", local: 10.0.0.1}
remotes: ["fe80::2%u", 10.0.0.2]
vnis:
  - {vni: 1, fdb: [{mac: "02:00:00:00:00:01", dst: "fe80::3%u"}]}
  - {vni: 2, group: "ff02::99%u"}
  - {vni: 3}
`), "f")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []netip.Addr{c.Underlay.Local6, c.Remotes[0].Dst, c.VNIs[0].Remotes[0].Dst, c.VNIs[0].FDB[0].Dst, c.VNIs[1].Group} {
		if !a.IsValid() || a.Zone() != "" {
			t.Errorf("%s has a zone", a)
		}
	}
	if !sameMemory(c.VNIs[0].Remotes, c.VNIs[2].Remotes) {
		t.Error("equal lists do not share their memory")
	}
	if four, six := c.Underlay.Locals(); four != netip.MustParseAddr("10.0.0.1") || six != netip.MustParseAddr("fe80::1") {
		t.Errorf("locals %s and %s", four, six)
	}
}

func TestLocalsOfEitherFamily(t *testing.T) {
	for local, want := range map[string][2]bool{"10.0.0.1": {true, false}, "2001:db8::1": {false, true}} {
		f := DefaultFlags()
		f.Iface, f.Local, f.VNIs = "u", local, []uint{1}
		c, err := FromFlags(f)
		if err != nil {
			t.Fatal(err)
		}
		if four, six := c.Underlay.Locals(); four.IsValid() != want[0] || six.IsValid() != want[1] {
			t.Errorf("%s: %s and %s", local, four, six)
		}
	}
}

// Remotes and local address are of one scope, as the kernel's device wants it.
func TestScopes(t *testing.T) {
	u := func(local6 string) *Underlay {
		u := &Underlay{Iface: "u"}
		if local6 != "" {
			u.Local6 = netip.MustParseAddr(local6)
		}
		return u
	}
	for _, c := range []struct {
		local6, remote, want string
	}{
		{"", "fe80::2", ""}, {"", "2001:db8::2", ""}, {"fe80::1", "fe80::2", ""}, {"2001:db8::1", "2001:db8::2", ""}, {"fe80::1", "10.0.0.2", ""},
		{"fe80::1", "2001:db8::2", "is not link-local, as the local address fe80::1 is (give a global local address, or none)"},
		{"2001:db8::1", "fe80::2", "is link-local, and the local address 2001:db8::1 is not (leave the local address out, or give a link-local one)"},
		{"fe80::1", "fe80::1%u", "is the local address (give the address of another VTEP)"},
	} {
		if got := BadRemote(netip.MustParseAddr(c.remote), u(c.local6)); got != c.want {
			t.Errorf("local6 %q, remote %s: %q, want %q", c.local6, c.remote, got, c.want)
		}
	}
	if got := BadRemote(netip.MustParseAddr("fe80::7%u"), u(""), netip.MustParseAddr("fe80::7")); got != "is the local address (give the address of another VTEP)" {
		t.Errorf("an address of ours: %q", got)
	}
}

// A mask is written with all of its 64 bits, as the documentation and the kernel's tools have it.
func TestReservedBits(t *testing.T) {
	for text, want := range map[string]string{"ignore": "ignore", "0": "ignore", "strict": "strict", "0xf7ffffff000000ff": "strict", "255": "0x00000000000000ff", "0x77b70000000000ff": "0x77b70000000000ff"} {
		var r, again ReservedBits
		if err := r.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		got, err := r.MarshalText()
		if err != nil || string(got) != want || again.UnmarshalText(got) != nil || again != r {
			t.Errorf("%s is written as %s, want %s: %v", text, got, want, err)
		}
	}
}

func TestFlowLabel(t *testing.T) {
	for text, want := range map[string]FlowLabel{"0": 0, "0x12345": 0x12345, "1048575": 0xfffff, "inherit": FlowLabelInherit, "auto": FlowLabelAuto} {
		var l FlowLabel
		if err := l.UnmarshalText([]byte(text)); err != nil || l != want {
			t.Errorf("%s: %d, %v", text, l, err)
		}
		again, err := l.MarshalText()
		var m FlowLabel
		if err != nil || m.UnmarshalText(again) != nil || m != l {
			t.Errorf("%s is written as %q: %v", text, again, err)
		}
	}
}
