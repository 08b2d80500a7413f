package lab

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// SendFrame sends frames, each from its destination MAC on, out of a link as they are: no header is made, none is
// checked. A frame longer than the link's MTU allows is refused with EMSGSIZE.
func (h *Host) SendFrame(link string, frames ...[]byte) error {
	sock, err := h.packetSocket(link, 0)
	if err != nil {
		return fmt.Errorf("send frame on %s of %s: %w", link, h.name, err)
	}
	defer sock.Close()
	for i, f := range frames {
		if _, err := sock.Write(f); err != nil {
			return fmt.Errorf("send frame %d of %d bytes on %s of %s: %w", i, len(f), link, h.name, err)
		}
	}
	return nil
}

// packetSocket opens an AF_PACKET socket of the host on one link. With protocol 0 it sends only.
func (h *Host) packetSocket(link string, protocol uint16) (_ *os.File, err error) {
	l, err := h.Link(link)
	if err != nil {
		return nil, err
	}
	var fd int
	err = h.Do(func() (err error) {
		// Protocol 0 until bind: nothing of other links gets in.
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return nil, fmt.Errorf("ask for auxiliary data: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20); err != nil {
		return nil, fmt.Errorf("set receive buffer: %w", err)
	}
	network := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network, Ifindex: l.Attrs().Index}); err != nil {
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "packet"), nil
}
