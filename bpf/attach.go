package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Mode says where in the kernel a program runs.
type Mode uint8

const (
	Native  Mode = iota // in the driver, before an skb exists; zero-copy sockets need it
	Generic             // in the stack, on skbs: any interface, slower, offloads not taken into account
)

// String returns the mode as errors name it.
func (m Mode) String() string {
	switch m {
	case Native:
		return "native"
	case Generic:
		return "generic"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

func (m Mode) flags() (link.XDPAttachFlags, error) {
	switch m {
	case Native:
		return link.XDPDriverMode, nil
	case Generic:
		return link.XDPGenericMode, nil
	}
	return 0, fmt.Errorf("no such mode: %d", uint8(m))
}

// Attach puts the program on an interface, one at a time, until Detach, Close
// or the end of the process (it hangs on a file descriptor: the kernel's
// bpf_link). It replaces no program of others. Many NICs lose their carrier for
// seconds. ifname is for errors; ifindex decides.
//
// Errors can be told apart with errors.Is:
//   - [unix.EOPNOTSUPP]: the driver has no native XDP; try Generic. A program
//     that reads tags (PortConfig.TagsOf) can't: load one that does not.
//   - [unix.EBUSY], [unix.EEXIST]: another XDP program is there; the text names it.
//   - [unix.ENOSPC]: a veth whose peer has more tx queues than it has rx
//     queues; the text gives both counts.
//   - [unix.ERANGE]: the MTU (on veth: the peer's) is too large for native XDP.
//   - [unix.EPERM]: a capability is missing.
func (s *steering) Attach(ifindex int, ifname string, mode Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	flags, err := mode.flags()
	switch {
	case err != nil:
	case s.owned == nil:
		err = os.ErrClosed
	case s.bound && mode == Generic:
		err = fmt.Errorf("what reads VLAN tags runs in the driver only: %w", unix.EOPNOTSUPP)
	case s.link != nil:
		err = fmt.Errorf("it is attached to %s already (detach it first)", s.device)
	}
	if err == nil {
		s.link, err = link.AttachXDP(link.XDPOptions{Program: s.prog, Interface: ifindex, Flags: flags})
		if err != nil {
			s.link = nil
			err = explainAttach(err, ifindex, ifname, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("attach XDP program %s to %s in %s mode: %w", s.name, ifname, mode, err)
	}
	s.device, s.mode, s.others = ifname, mode, false
	return nil
}

// Detach takes the program off its interface; it may be attached again. Without
// an attachment it does nothing, and an interface that has gone meanwhile took
// its attachment along.
func (s *steering) Detach() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detach()
}

func (s *steering) detach() error {
	if s.link == nil {
		return nil
	}
	var err error
	if s.others {
		err = s.link.Detach()
	}
	err = errors.Join(err, s.link.Close())
	s.link, s.pending = nil, false
	if err != nil {
		return fmt.Errorf("detach XDP program %s from %s: %w", s.name, s.device, err)
	}
	return nil
}
