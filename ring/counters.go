package ring

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Counters are what a socket counted since it was bound.
type Counters struct {
	Kicks      uint64 // sendto calls
	Wakeups    uint64 // recvfrom calls
	Stalls     uint64 // kicks that moved nothing: the kernel had no room, try again later
	SendErrors uint64 // kicks that failed for another reason
	Foreign    uint64 // descriptors of frames that the kernel did not have from this socket
	Malformed  uint64 // received descriptors that ran out of their frame
	TooLong    uint64 // received packets of several descriptors that are longer than a frame, and so dropped
	Refused    uint64 // frames Send did not take although there was room
}

// counters are written by the socket's owner and read by anyone. Each is an event of a system call or of something broken,
// never of a packet, so that an atomic add costs nothing that counts.
type counters struct {
	kicks, wakeups, stalls, sendErrors, malformed, tooLong, refused atomic.Uint64
	foreignReceived, foreignCompleted                               atomic.Uint64
}

// Counters returns recent values; any goroutine may ask, also after Close.
func (s *Socket) Counters() Counters {
	c := &s.counts
	return Counters{
		Kicks: c.kicks.Load(), Wakeups: c.wakeups.Load(), Stalls: c.stalls.Load(), SendErrors: c.sendErrors.Load(),
		Foreign:   c.foreignReceived.Load() + c.foreignCompleted.Load(),
		Malformed: c.malformed.Load(), TooLong: c.tooLong.Load(), Refused: c.refused.Load(),
	}
}

// Outstanding returns how many frames the kernel holds: to receive into (fill and rx rings and what is between) and to send
// (tx and completion rings and what is between; staged ones are not counted). Any goroutine may ask; while the
// owner works it may be told too many, at most all frames. It is 0 after Close.
func (s *Socket) Outstanding() (receiving, sending uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, 0
	}
	most := uint32(s.memory.Frames())
	back := s.rx.consumer.Load() - uint32(s.counts.foreignReceived.Load()) // first: what came back is never above what went
	receiving = min(s.fill.producer.Load()-back, most)
	back = s.completion.consumer.Load() - uint32(s.counts.foreignCompleted.Load())
	sending = min(s.wire().producer.Load()-back, most)
	return receiving, sending
}

// Statistics asks the kernel for its counters (XDP_STATISTICS); any goroutine may ask. They are zero over a loopback.
func (s *Socket) Statistics() (unix.XDPStatistics, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stats unix.XDPStatistics
	if s.closed {
		return stats, fmt.Errorf("statistics of queue %d of %s: socket is closed", s.bound.Queue, s.device)
	}
	if s.fd < 0 {
		return stats, nil
	}
	if err := statistics(s.fd, &stats); err != nil {
		return stats, fmt.Errorf("statistics of queue %d of %s: %w", s.bound.Queue, s.device, err)
	}
	return stats, nil
}
