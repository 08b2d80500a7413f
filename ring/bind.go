package ring

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Binding says how a socket was bound, as the kernel tells it (XDP_OPTIONS).
type Binding struct {
	Queue    int
	ZeroCopy bool
	Refused  unix.Errno // with mode auto: the answer to zero-copy, where it is not that; 0 otherwise
	PerSend  uint32     // in copy mode: how many frames the kernel sends per system call; 0: all that wait
}

// perSend is how many frames the kernel sends per system call in copy mode unless it is told otherwise, which it can be
// since Linux 6.17 (XDP_MAX_TX_SKB_BUDGET; TX_BATCH_SIZE in net/xdp/xsk.c).
const perSend = 32

// The kernel tears a closed socket down asynchronously: until then its queue is busy. A driver that
// resets its NIC, as many do when an XDP program comes, may be down meanwhile.
const (
	busyPatience = 2 * time.Second
	busyPause    = 5 * time.Millisecond
	busyTries    = 20 // at least, however long each takes: a machine that stands still tears nothing down meanwhile
)

// Bind binds a socket to a queue, in the network namespace of the calling thread, in this order:
//
//  1. socket; the first of a device registers the memory, the others join it
//  2. ring sizes, then mmap offsets, then the mappings
//  3. fill ring filled from p
//  4. bind, again and again for 2 s while the queue is busy or the driver is not ready
//  5. what was bound is read back, send limits are raised
//
// The frames for the fill ring come from p, which the caller owns, as do the verbs of the socket. An error leaves nothing
// behind, and every frame in p or its depot.
func (d *Device) Bind(queue int, p *Pool) (*Socket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.bind(queue, p)
	if err != nil {
		return nil, fmt.Errorf("bind queue %d of %s: %w", queue, d.config.Name, err)
	}
	d.sockets = append(d.sockets, s)
	d.memory.join(s)
	return s, nil
}

func (d *Device) bind(queue int, p *Pool) (*Socket, error) {
	if d.closed {
		return nil, errClosed
	}
	if queue < 0 {
		return nil, errors.New("queue numbers start at 0")
	}
	for _, s := range d.sockets {
		if s.bound.Queue == queue {
			return nil, errors.New("this device has it already")
		}
	}
	if len(d.sockets) > 0 {
		// Mode and need_wakeup are inherited, and must not be given again.
		sa := unix.SockaddrXDP{Flags: unix.XDP_SHARED_UMEM, SharedUmemFD: uint32(d.sockets[0].fd)}
		return d.attempt(queue, p, sa)
	}
	d.refused = 0
	flags := uint16(unix.XDP_USE_NEED_WAKEUP)
	if d.config.Parts {
		flags |= unix.XDP_USE_SG // those that join inherit it, too
	}
	if m := d.config.Mode; m == Auto || m == ZeroCopy {
		s, err := d.attempt(queue, p, unix.SockaddrXDP{Flags: unix.XDP_ZEROCOPY | flags})
		var no refusal
		if err == nil || m == ZeroCopy || !errors.As(err, &no) {
			return s, err
		}
		d.refused = no.errno
	}
	return d.attempt(queue, p, unix.SockaddrXDP{Flags: unix.XDP_COPY | flags})
}

// attempt makes a socket and binds it in one way.
func (d *Device) attempt(queue int, p *Pool, sa unix.SockaddrXDP) (_ *Socket, err error) {
	s := newSocket(d.memory, d.config.Name, queue)
	s.home = d
	if s.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		s.fd = -1
		return nil, adviseSocket(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release(p))
		}
	}()
	if sa.Flags&unix.XDP_SHARED_UMEM == 0 {
		if err := register(s.fd, d.memory, d.config.Headroom); err != nil {
			return nil, err
		}
	}
	if err := s.mapRings(&d.config); err != nil {
		return nil, err
	}
	s.lend(d.config.RxSize, d.config.FillSize)
	if s.Refill(p); s.fill.Pending() == 0 {
		return nil, errors.New("no free frames for the fill ring (the memory needs more frames)")
	}
	sa.Ifindex, sa.QueueID = uint32(d.config.Ifindex), uint32(queue)
	if err := bindPatiently(s.fd, &sa); err != nil {
		return nil, d.adviseBind(err, sa.Flags, queue)
	}
	if s.bound.ZeroCopy, err = zeroCopy(s.fd); err != nil {
		return nil, fmt.Errorf("ask what was bound: %w", err)
	}
	s.bound.Refused = d.refused
	return s, s.tune(&d.config)
}

// register makes the memory the UMEM of the socket, raising RLIMIT_MEMLOCK when that is in the way.
func register(fd int, m *Memory, headroom uint32) error {
	err := registerUMEM(fd, m.data, uint32(m.chunk), headroom)
	if err == unix.ENOBUFS && raiseMemlock() {
		err = registerUMEM(fd, m.data, uint32(m.chunk), headroom)
	}
	if err != nil {
		return adviseRegister(err, len(m.data))
	}
	return nil
}

// raiseMemlock raises the limit as far as this process may, and reports whether that changed it.
func raiseMemlock() bool {
	var old, now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old) != nil {
		return false
	}
	all := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &all) != nil {
		hard := unix.Rlimit{Cur: old.Max, Max: old.Max}
		if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &hard) != nil {
			return false
		}
	}
	return unix.Getrlimit(unix.RLIMIT_MEMLOCK, &now) == nil && now.Cur > old.Cur
}

// bindPatiently binds, and tries again while that may still become possible by itself.
func bindPatiently(fd int, sa *unix.SockaddrXDP) error {
	return patiently(busyPatience, func() error { return unix.Bind(fd, sa) })
}

// patiently calls bind until it fails for good, or has failed for so long, and often enough.
func patiently(patience time.Duration, bind func() error) error {
	end := time.Now().Add(patience)
	for try := 1; ; try++ {
		switch err := bind(); {
		case err != unix.EBUSY && err != unix.ENETDOWN && err != unix.EAGAIN, try >= busyTries && time.Now().After(end):
			return err
		}
		time.Sleep(busyPause)
	}
}

// tune raises what bounds the frames in flight in copy mode, as far as it may, and sets up busy polling.
func (s *Socket) tune(c *DeviceConfig) error {
	// Without these the kernel sends less per call, which only costs time: perSend frames, and as many in flight as fit into
	// the default send buffer (about 280).
	if unix.SetsockoptInt(s.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, int(c.TxSize)) != nil && !s.bound.ZeroCopy {
		s.bound.PerSend = perSend
	}
	bytes := int(min(uint64(c.TxSize)*s.memory.size, 1<<30))
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, bytes) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, bytes)
	}
	if c.BusyPoll == 0 {
		return nil
	}
	for _, o := range []struct{ option, value int }{
		{unix.SO_PREFER_BUSY_POLL, 1},
		{unix.SO_BUSY_POLL, int(max(c.BusyPoll.Microseconds(), 1))},
		{unix.SO_BUSY_POLL_BUDGET, c.BusyPollBudget},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.option, o.value); err != nil {
			return fmt.Errorf("prefer busy polling: %w (needs CAP_NET_ADMIN and kernel 5.11)", err)
		}
	}
	s.polls = true
	return nil
}
