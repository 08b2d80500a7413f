package control

import "testing"

func TestMACPart(t *testing.T) {
	t.Parallel()
	const mac = 0x0257a71c0b0a
	for part, in := range map[string]bool{
		"": true, "02:57:a7:1c:0b:0a": true, "0257A71C0B0A": true, "0257.a71c.0b0a": true, "02-57": true, "a71c": true, "0b:0a": true, "0a": true,
		"0": true, "1": true, "1c:0": true, "57:a": true, "a7:1c:": true,
		"25": false, "7a": false, "02:58": false, "b": false, "0c": false, "ff:ff:ff:ff:ff:ff": false,
	} {
		p, err := ParseMACPart(part)
		if err != nil || p.In(mac) != in {
			t.Errorf("%q in 02:57:a7:1c:0b:0a: %v, %v, want %v", part, p.In(mac), err, in)
		}
	}
	for _, bad := range []string{"gw42", "2:57", "02:5:a7", "0257a71c0b0a0", "-1", "+1", ":", "0x02", " 02", "١"} {
		if p, err := ParseMACPart(bad); err == nil {
			t.Errorf("%q is taken for a part of a MAC address: %+v", bad, p)
		}
	}
}
