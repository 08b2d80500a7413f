package ethtool

// Commands, flow types and fields of linux/ethtool.h.
const (
	setFlowHash = 0x2a // ETHTOOL_SRXFH
	udpV4Flow   = 0x02
	hashIPs     = 1<<4 | 1<<5 // RXH_IP_SRC, RXH_IP_DST
	hashPorts   = 1<<6 | 1<<7 // RXH_L4_B_0_1, RXH_L4_B_2_3
)

// HashUDPPorts has a card choose the rx queue of UDP over IPv4 by ports as well as addresses, as `ethtool -N IFACE rx-flow-hash udp4
// sdfn` does. By addresses alone, all that comes from one VTEP is one queue's. Not every driver can.
func HashUDPPorts(iface string) error {
	b := make([]byte, 16) // the beginning of struct ethtool_rxnfc: command, flow type, fields
	order.PutUint32(b, setFlowHash)
	order.PutUint32(b[4:], udpV4Flow)
	order.PutUint64(b[8:], hashIPs|hashPorts)
	return do(iface, b)
}
