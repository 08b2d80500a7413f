package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Tap makes a tap device on a host and brings it up. The file is its cable: what is written to it arrives at the device, a
// frame from its destination MAC on, and what the device sends is read from it. The device goes with the file.
func (h *Host) Tap(name string) (*os.File, error) {
	cables, err := h.tap(name, unix.IFF_TAP|unix.IFF_NO_PI, 1)
	if err != nil {
		return nil, err
	}
	return cables[0], nil
}

// Tap makes a port of the switch for a virtual machine: a tap with several queues whose frames have a header before them
// (IFF_VNET_HDR), with room for what a checksum or segmentation still wants. There is one file per queue, for the emulator.
func (s *Switch) Tap(name string, queues int) ([]*os.File, error) {
	cables, err := s.tap(name, unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE|unix.IFF_VNET_HDR, queues)
	if err != nil {
		return nil, err
	}
	if err := s.SetMaster(name, switchBridge); err != nil {
		closeAll(cables)
		return nil, err
	}
	return cables, nil
}

func (h *Host) tap(name string, flags uint16, queues int) (cables []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(cables)
			cables, err = nil, fmt.Errorf("make tap %s on %s: %w", name, h.name, err)
		}
	}()
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	ifr.SetUint16(flags)
	err = h.Do(func() error {
		for range queues {
			fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
				unix.Close(fd)
				return err
			}
			// Not before: the runtime polls the file from here on, and what is no tap yet wakes nobody (tun_chr_poll).
			cables = append(cables, os.NewFile(uintptr(fd), "tap"))
		}
		return nil
	})
	if err != nil {
		return cables, err
	}
	return cables, h.SetUp(name)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
