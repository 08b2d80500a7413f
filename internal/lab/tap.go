package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Tap makes a tap device on a host and brings it up. The file is its cable: what is written to it arrives at the device, a
// frame from its destination MAC on, and what the device sends is read from it. The device goes with the file.
func (h *Host) Tap(name string) (*os.File, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, fmt.Errorf("make tap %s on %s: %w", name, h.name, err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	var fd int
	err = h.Do(func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make tap %s on %s: %w", name, h.name, err)
	}
	cable := os.NewFile(uintptr(fd), "tap")
	if err := h.SetUp(name); err != nil {
		cable.Close()
		return nil, err
	}
	return cable, nil
}
