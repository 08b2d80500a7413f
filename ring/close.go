package ring

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Close closes the socket and puts every frame that it has given to the kernel into p: those in its four rings and those
// that the kernel has taken from them. The caller has taken the socket out of the XSKMAP before, and owns the socket and p.
// Afterwards the verbs find empty rings and take no frame; a second Close does nothing. Zero-copy, it waits until the driver
// has let go of the frames, and is called in the network namespace that Bind was called in.
func (s *Socket) Close(p *Pool) error {
	if s.home != nil {
		s.home.leave(s) // before the lock: nobody joins a socket that is being closed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	err := s.release(p)
	s.memory.leave(s)
	if err != nil {
		return fmt.Errorf("close queue %d of %s: %w", s.bound.Queue, s.device, err)
	}
	return nil
}

// blindPause is what the kernel gets for the teardown of a queue that cannot be asked for.
const blindPause = 100 * time.Millisecond

// release undoes everything up to bind: the rings first, since a mapped ring keeps the queue bound; the descriptor; and,
// once the kernel does not write to them any more, the frames.
func (s *Socket) release(p *Pool) error {
	s.closed = true
	s.handOver() // to no kernel: its mark brings a staged frame back
	if s.parts != nil {
		s.freeParts(p)
		if s.parts.open && s.parts.packet.Addr != noFrame {
			p.Put(s.parts.packet.Addr)
		}
		s.parts = nil
	}
	var errs []error
	s.rx, s.tx = newConsumer(newShared[Desc](0)), newProducer(newShared[Desc](0))
	s.fill, s.completion = newProducer(newShared[uint64](0)), newConsumer(newShared[uint64](0))
	s.staged, s.refused = 0, nil
	for _, r := range s.rings {
		errs = append(errs, unix.Munmap(r))
	}
	s.rings = nil
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
		s.fd = -1
	}
	if s.bound.ZeroCopy {
		errs = append(errs, awaitTeardown(&s.home.config, s.bound.Queue))
	}
	for f, o := range s.owners {
		if o != user {
			s.owners[f] = user
			p.Put(uint64(f) << (s.shift & 63))
		}
	}
	return errors.Join(errs...)
}

// awaitTeardown waits until the queue can be bound again, for 2 s at most. The kernel takes a zero-copy queue from its driver
// in a work item after close has returned (xp_release_deferred in net/xdp/xsk_buff_pool.c); until then the device writes to
// the frames. What tells that it is done is that another socket, of a memory of its own, can be bound to the queue.
func awaitTeardown(c *DeviceConfig, queue int) error {
	m, err := NewMemory(1, 4096)
	if err != nil {
		return err
	}
	probe := DeviceConfig{
		Ifindex: c.Ifindex, Name: c.Name, Mode: Copy,
		RxSize: 1, TxSize: 1, FillSize: 1, CompletionSize: 1,
	}
	pool := NewDepot(m).NewPool()
	if d, err := m.Open(probe); err == nil {
		if s, err := d.Bind(queue, pool); err == nil {
			_ = s.Close(pool) // nothing but an invalid descriptor can fail here
		} else {
			time.Sleep(blindPause) // it is somebody else's, or the device is gone, or we may not ask any more
		}
	}
	return m.Close()
}
