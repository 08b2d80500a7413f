package dataplane

import (
	"net/netip"

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

// Run sends what the worker hands over through out until the worker is closed.
// wanted is told the number of each remote that a frame went to: the control side
// then finds its next hop. One goroutine.
func (s *SlowPath) Run(out Sender, wanted func(remote uint32)) {
	for {
		if n := s.queue.Take(s.incoming[:]); n > 0 {
			for _, f := range s.incoming[:n] {
				wanted(f.Remote)
				s.forward(out, f)
			}
			continue
		}
		s.asleep.Store(true)
		if s.queue.Empty() {
			var count [8]byte
			if _, err := s.wake.Read(count[:]); err != nil {
				return // closed
			}
		}
		s.asleep.Store(false)
	}
}

// forward sends one frame and takes it off the list of frames under way.
func (s *SlowPath) forward(out Sender, f SlowFrame) {
	defer func() {
		s.pending[f.Remote].Add(-1)
		s.pool.Put(f.Desc.Addr)
	}()
	t, err := f.Tunnel.Template(s.plane.Remotes.slots[f.Remote].key.addr(), [6]byte{})
	if err != nil {
		s.Failed.Add(1)
		return
	}
	packet := s.plane.Memory.Bytes(f.Desc.Addr-vxlan.Overhead, f.Desc.Len+vxlan.Overhead)
	encap(packet, &t, f.Tunnel, f.VNI, f.Flow, 0)
	if err := out.Send(packet[ethernet:]); err != nil {
		s.Failed.Add(1)
		return
	}
	s.Sent.Add(1)
}

const ethernet = 14 // bytes of an untagged Ethernet header

// Stop makes Run return. The worker no longer runs.
func (s *SlowPath) Stop() { s.wake.Close() }

// drain frees what still waits. Run has returned.
func (s *SlowPath) drain() {
	s.queue.Publish()
	for n := 1; n > 0; {
		n = s.queue.Take(s.incoming[:])
		for _, f := range s.incoming[:n] {
			s.pool.Put(f.Desc.Addr)
		}
	}
	s.pool.Drain()
}

// Template returns the outer headers of packets to dst. TTL auto is 64, and 1 for
// a multicast group, as the kernel's device has it.
func (t *Tunnel) Template(dst netip.Addr, mac [6]byte) (vxlan.Template, error) {
	c := t.Outer
	c.Dst, c.DstMAC = dst, mac
	if c.TTL == 0 {
		c.TTL = 64
		if dst.IsMulticast() {
			c.TTL = 1
		}
	}
	return vxlan.NewTemplate(c)
}
