package netdev

import "vxgw/internal/ethtool"

// Rings are a NIC's own receive rings, each in packets: how long they are, and may be (ethtool -g).
type Rings struct{ Rx, MaxRx uint32 }

// RingsOf returns the rings of an interface; they are zero where it has none, such as a veth, or
// its driver does not tell.
func RingsOf(name string) Rings {
	r, err := ethtool.GetRings(name)
	if err != nil {
		return Rings{}
	}
	return Rings{Rx: r.Rx, MaxRx: r.MaxRx}
}
