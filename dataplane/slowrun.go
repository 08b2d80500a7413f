package dataplane

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/vxlan"
)

// The worker's end: stage frames (toKernel), publish them once per round, wake
// the sleeper. The other end: take, build the outer packet, send, free.

// publish shows the frames of this round to the sending goroutine. Worker only.
func (s *SlowPath) publish() {
	if s.queue.Publish() && s.asleep.Load() {
		one := [8]byte{1}
		unix.Write(s.event, one[:])
	}
}

// underway is a frame that the kernel has taken, and when.
type underway struct {
	remote uint32
	since  time.Time
}

// The kernel keeps a packet until it has left, or waits for its next hop for seconds
// and gives up. After linger a frame counts as gone even if others are still there;
// every lingerPause it is asked.
const (
	linger      = 10 * time.Millisecond
	lingerPause = 100 * time.Microsecond
)

// Run sends what the worker hands over through out until the worker is closed.
// wanted is told the number of each remote that a frame went to: the control side
// then finds its next hop. One goroutine.
func (s *SlowPath) Run(out Sender, wanted func(remote uint32)) {
	for {
		switch {
		case s.carry(out, wanted, time.Now()) > 0:
		case len(s.underway) > 0:
			if s.stopped.Load() {
				return
			}
			time.Sleep(lingerPause)
		case !s.rest():
			return
		}
	}
}

// carry sends what waits now, takes off the list what has left, and returns how many
// frames it took.
func (s *SlowPath) carry(out Sender, wanted func(remote uint32), now time.Time) int {
	n := s.queue.Take(s.incoming[:])
	for _, f := range s.incoming[:n] {
		wanted(f.Remote)
		s.forward(out, f, now)
	}
	s.settle(out, now)
	return n
}

// rest returns when there is something to do, and false when the worker is closed.
func (s *SlowPath) rest() bool {
	s.asleep.Store(true)
	defer s.asleep.Store(false)
	if !s.queue.Empty() {
		return true
	}
	var count [8]byte
	_, err := s.wake.Read(count[:])
	return err == nil
}

// forward sends one frame.
func (s *SlowPath) forward(out Sender, f SlowFrame, now time.Time) {
	defer s.pool.Put(f.Desc.Addr)
	h, err := f.Tunnel.HeadersTo(s.plane.Remotes.slots[f.Remote].endpoint(), [6]byte{})
	if err == nil {
		head := h.Len()
		packet := s.plane.Memory.Bytes(f.Desc.Addr-uint64(head), f.Desc.Len+uint32(head))
		encap(packet, &h, f.Tunnel, f.VNI, f.Flow, 0)
		err = out.Send(packet[h.L3():])
		if t := s.plane.taps.Load(); t != nil {
			s.tapSlow(t, f.Desc.Addr, packet, err)
		}
	}
	if err != nil {
		s.Failed.Add(1)
		s.pending[f.Remote].Add(-1)
		return
	}
	s.Sent.Add(1)
	s.underway = append(s.underway, underway{f.Remote, now})
}

// settle takes off the list what has left.
func (s *SlowPath) settle(out Sender, now time.Time) {
	if len(s.underway) == 0 {
		return
	}
	all, left := out.Unsent() == 0, 0
	for left < len(s.underway) && (all || now.Sub(s.underway[left].since) > linger) {
		s.pending[s.underway[left].remote].Add(-1)
		left++
	}
	s.underway = append(s.underway[:0], s.underway[left:]...)
}

const ethernet = 14 // bytes of an untagged Ethernet header

// Stop makes Run return. The worker no longer runs.
func (s *SlowPath) Stop() {
	s.stopped.Store(true)
	s.wake.Close()
}

// drain frees what still waits. Run has returned.
func (s *SlowPath) drain() {
	s.queue.drain(func(f SlowFrame) { s.pool.Put(f.Desc.Addr) })
	s.pool.Drain()
}

// HeadersTo returns the outer headers of packets to an endpoint.
func (t *Tunnel) HeadersTo(e Endpoint, mac [6]byte) (vxlan.Headers, error) {
	if e.plain() {
		return t.Headers(e.Addr, mac)
	}
	other := *t
	if other.Outer.VNI = e.VNI; e.Port != 0 {
		other.Outer.DstPort = e.Port
	}
	return other.Headers(e.Addr, mac)
}

// Headers returns the outer headers of packets to dst. TTL auto is 64, and 1 for
// a multicast group, as the kernel's device has it. A frame that has no TTL to inherit
// gets 64, to a group too, as there.
func (t *Tunnel) Headers(dst netip.Addr, mac [6]byte) (vxlan.Headers, error) {
	c := t.Outer
	c.Src, c.Dst, c.DstMAC = t.Source(dst), dst, mac
	if c.TTL == 0 {
		c.TTL = 64
		if dst.IsMulticast() && !t.InheritTTL {
			c.TTL = 1
		}
	}
	return vxlan.NewHeaders(c)
}
