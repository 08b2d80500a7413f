package ethtool

import "golang.org/x/sys/unix"

// Commands and flow types of linux/ethtool.h.
const (
	getIndirection = 0x38 // ETHTOOL_GRXFHINDIR
	getFlowHash    = 0x29 // ETHTOOL_GRXFH
	udpV6Flow      = 0x06
)

// maxIndirection bounds an answer: no card has a longer table.
const maxIndirection = 1 << 16

// Indirection returns the table by which a card chooses the rx queue of a packet: the queue for each
// remainder of the hash (ethtool -x). Not every driver tells; one that has a single queue may have none.
func Indirection(iface string) ([]uint32, error) {
	head := make([]byte, 8) // struct ethtool_rxfh_indir without entries: the kernel answers with their number
	order.PutUint32(head, getIndirection)
	if err := do(iface, head); err != nil {
		return nil, err
	}
	n := order.Uint32(head[4:])
	if n == 0 || n > maxIndirection {
		return nil, unix.EOPNOTSUPP
	}
	b := make([]byte, 8+4*n)
	order.PutUint32(b, getIndirection)
	order.PutUint32(b[4:], n)
	if err := do(iface, b); err != nil {
		return nil, err
	}
	return parseIndirection(b), nil
}

func parseIndirection(b []byte) []uint32 {
	table := make([]uint32, len(b)/4-2)
	for i := range table {
		table[i] = order.Uint32(b[8+4*i:])
	}
	return table
}

// HashesUDPPorts reports whether a card chooses the rx queue of UDP by ports as well as addresses
// (`ethtool -n IFACE rx-flow-hash udp4`), over IPv6 or IPv4. Not every driver tells.
func HashesUDPPorts(iface string, six bool) (bool, error) {
	b := make([]byte, 16) // the beginning of struct ethtool_rxnfc: command, flow type, fields
	flow := uint32(udpV4Flow)
	if six {
		flow = udpV6Flow
	}
	order.PutUint32(b, getFlowHash)
	order.PutUint32(b[4:], flow)
	if err := do(iface, b); err != nil {
		return false, err
	}
	return order.Uint64(b[8:])&hashPorts == hashPorts, nil
}
