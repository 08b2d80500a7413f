package ethtool

// getRings is ETHTOOL_GRINGPARAM of linux/ethtool.h.
const getRings = 0x10

// Rings are the rings of each of an interface's queues, in packets: how long they may be,
// and are.
type Rings struct{ MaxRx, MaxTx, Rx, Tx uint32 }

// GetRings returns the rings of an interface. Only drivers of hardware, or of what looks
// like it, tell.
func GetRings(iface string) (Rings, error) {
	b := make([]byte, 9*4) // struct ethtool_ringparam
	order.PutUint32(b, getRings)
	if err := do(iface, b); err != nil {
		return Rings{}, err
	}
	return parseRings(b), nil
}

func parseRings(b []byte) Rings {
	at := func(i int) uint32 { return order.Uint32(b[4*i:]) }
	return Rings{MaxRx: at(1), MaxTx: at(4), Rx: at(5), Tx: at(8)}
}
