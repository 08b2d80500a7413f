package ring

import "golang.org/x/sys/unix"

// askEvery is how many calls of Poll go by between two questions whether there is something to poll: a system call each.
const askEvery = 1024

// Poll has the device receive now, on this CPU, where the socket prefers busy polling and is Driven, and reports whether it does. The
// owner calls it when Receive had nothing.
func (s *Socket) Poll() bool { return s.polls && s.poll() }

func (s *Socket) poll() bool {
	if !s.driven.Load() && !s.ask() {
		return false
	}
	s.Wakeup()
	return true
}

// ask asks the kernel every now and then whether the socket is driven.
func (s *Socket) ask() bool {
	if s.idle++; s.idle%askEvery != 0 || s.fd < 0 {
		return false
	}
	id, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
	driven := err == nil && id != 0
	s.driven.Store(driven)
	return driven
}

// Driven reports whether Poll receives, which takes that the kernel knows whose NAPI instance the socket's is. Until Linux 6.12 the first
// packet tells it. Since Linux 6.13 it is told at Bind, of a socket in zero-copy mode whose driver has said which queue is whose
// (netif_queue_set_napi), and never of one in copy mode (net/xdp/xsk.c, xsk_bind): such a socket receives by interrupts, whatever it
// prefers. It becomes true while the owner polls. Any goroutine may ask.
func (s *Socket) Driven() bool { return s.driven.Load() }
