package netdev

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Promisc keeps an interface in promiscuous mode, in which a NIC receives frames
// to every address. It is a membership of a packet socket (packet(7)) rather
// than the interface's flag: the kernel ends it when the process dies, counts it
// beside those of others, and leaves the flag to the host's owner.
type Promisc struct {
	fd   int
	name string
}

// HoldPromisc puts an interface into promiscuous mode until Close, the end of
// the process, or that of the interface. name is for errors; ifindex decides.
func HoldPromisc(ifindex int, name string) (*Promisc, error) {
	// Protocol 0: no frame gets into the socket.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
			&unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_PROMISC})
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("put %s into promiscuous mode: %w", name, withCure(err))
	}
	return &Promisc{fd: fd, name: name}, nil
}

// Close ends the mode, unless others want it too. To be called once.
func (p *Promisc) Close() error {
	if err := unix.Close(p.fd); err != nil {
		return fmt.Errorf("take %s out of promiscuous mode: %w", p.name, err)
	}
	return nil
}
