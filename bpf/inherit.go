package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf/link"
)

// How an attachment goes from one gateway to the next, so that the driver never sees the interface without a program:
//
//	the old one   Release    gives it away: the program stays, with its maps
//	the new one   OpenLink   takes it
//	              Inherit    in the place of Attach
//	              Engage     has its own program run, in one step

// Link is an attachment that no program of this process has.
type Link struct {
	Ifindex int // of the interface, 0 where that is gone
	Mode    Mode
	link    link.Link
	fd      int
}

// OpenLink takes an attachment that came as a descriptor, which is its own from then on, after an error too.
func OpenLink(fd int, mode Mode) (*Link, error) {
	l, err := link.NewFromFD(fd) // which closes fd after an error
	if err != nil {
		return nil, fmt.Errorf("take an XDP program's attachment over: %w", withCure(err))
	}
	info, err := l.Info()
	if err == nil && info.XDP() == nil {
		err = errors.New("it is not of XDP")
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("take an XDP program's attachment over: %w", err)
	}
	return &Link{Ifindex: int(info.XDP().Ifindex), Mode: mode, link: l, fd: fd}, nil
}

// FD is the descriptor, which stays the Link's.
func (l *Link) FD() int { return l.fd }

// Close lets the attachment go; with its last holder the program leaves the interface.
func (l *Link) Close() error { return l.link.Close() }

// Detach takes the program off the interface, whoever else holds the attachment, and lets that go.
func (l *Link) Detach() error {
	if err := errors.Join(l.link.Detach(), l.link.Close()); err != nil {
		return fmt.Errorf("take the XDP program that was handed over off interface %d: %w", l.Ifindex, err)
	}
	return nil
}

// Release gives the attachment away: the program stays where it is. It returns nil without one.
func (s *steering) Release() *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.link.(interface{ FD() int })
	if !ok || s.pending {
		return nil
	}
	l := &Link{Mode: s.mode, link: s.link, fd: held.FD()}
	s.link = nil
	return l
}

// Inherit is Attach by an attachment of the gateway before, whose program runs until Engage. The attachment is the
// program's own from then on, but not after an error.
func (s *steering) Inherit(l *Link, ifname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned == nil {
		return fmt.Errorf("take over the attachment of XDP program %s: %w", s.name, os.ErrClosed)
	}
	if s.link != nil {
		return fmt.Errorf("take over the attachment of XDP program %s: it is attached to %s already", s.name, s.device)
	}
	s.link, s.device, s.mode, s.others, s.pending = l.link, ifname, l.Mode, true, true
	return nil
}

// Engage has the program run that has inherited an attachment. Without one there is nothing to do. After an error the
// attachment is as it was: Detach ends it.
func (s *steering) Engage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending {
		return nil
	}
	if err := s.link.Update(s.prog); err != nil {
		return fmt.Errorf("put XDP program %s in the place of the one on %s: %w", s.name, s.device, withCure(err))
	}
	s.pending = false
	return nil
}

// Generic reports whether the program runs in the stack.
func (l *Link) Generic() bool { return l.Mode == Generic }
