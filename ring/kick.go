package ring

import "golang.org/x/sys/unix"

// maxKicks bounds the system calls of one Flush. One sendto moves 32 frames where XDP_MAX_TX_SKB_BUDGET cannot be raised, so
// this many move a ring of 2,048; and one per call where the device drops, for lack of a carrier say.
const maxKicks = 64

// kick has the kernel send what is in the tx ring (xsk_sendmsg in net/xdp/xsk.c). In copy mode the call itself sends, and
// stops with EAGAIN at its budget, at a full completion ring and at SO_SNDBUF, with EBUSY at a frame the device dropped:
// it is repeated as long as that moves something. It waits for no device and takes some milliseconds at most, so the Go runtime is not
// told: of a thread that it finds in system calls it takes the P away every 10 ms, and its monitor then wakes up every 20 us for a while,
// on the worker's CPU if need be. A garbage collection that begins meanwhile waits until kick returns.
func (s *Socket) kick() error {
	tx := s.wire()
	s.kicked = tx.Pending()
	for range maxKicks {
		taken, done := tx.consumer.Load(), s.completion.producer.Load()
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
		s.counts.kicks.Add(1)
		switch errno {
		case 0:
			return nil
		case unix.EAGAIN, unix.EBUSY, unix.ENOBUFS, unix.EINTR:
			if taken == tx.consumer.Load() && done == s.completion.producer.Load() {
				s.counts.stalls.Add(1)
				return nil
			}
			if tx.Pending() == 0 {
				return nil
			}
		default:
			s.counts.sendErrors.Add(1)
			return errno // below 256: Go makes an error of it without allocating
		}
	}
	return nil
}

// Wakeup has the kernel look at the fill ring; with busy polling it also receives, on this CPU. Refill calls it when the
// kernel asks for it. Its result says nothing that the rings do not.
func (s *Socket) Wakeup() {
	if s.fd < 0 {
		return
	}
	_, _, _ = unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	s.counts.wakeups.Add(1)
}
