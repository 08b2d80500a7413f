package ethtool

// Commands of linux/ethtool.h.
const (
	getRings = 0x10 // ETHTOOL_GRINGPARAM
	setRings = 0x11
)

// Rings are the rings of each of an interface's queues, in packets: how long they may be,
// which SetRings leaves as it is, and are.
type Rings struct{ MaxRx, MaxTx, Rx, Tx uint32 }

// GetRings returns the rings of an interface. Only drivers of hardware, or of what looks
// like it, tell.
func GetRings(iface string) (Rings, error) {
	b, err := rings(iface)
	if err != nil {
		return Rings{}, err
	}
	return parseRings(b), nil
}

// SetRings changes how long they are. A driver may round them up, and takes the link down
// meanwhile.
func SetRings(iface string, r Rings) error {
	b, err := rings(iface)
	if err != nil {
		return err
	}
	order.PutUint32(b, setRings)
	order.PutUint32(b[4*5:], r.Rx)
	order.PutUint32(b[4*8:], r.Tx)
	return do(iface, b)
}

// rings is a struct ethtool_ringparam.
func rings(iface string) ([]byte, error) {
	b := make([]byte, 9*4)
	order.PutUint32(b, getRings)
	return b, do(iface, b)
}

func parseRings(b []byte) Rings {
	at := func(i int) uint32 { return order.Uint32(b[4*i:]) }
	return Rings{MaxRx: at(1), MaxTx: at(4), Rx: at(5), Tx: at(8)}
}
