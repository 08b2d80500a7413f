package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Frame is one frame seen by a Capture.
type Frame struct {
	Time     time.Time // when it was read
	Data     []byte    // from the destination MAC on; a VLAN tag that travels beside the frame is in VLAN and not in here
	Outgoing bool      // sent by this link, not received by it

	Tagged   bool   // a VLAN tag travels beside the frame
	VLAN     uint16 // its TCI: priority and VLAN identifier
	VLANType uint16 // its EtherType

	ChecksumPending bool // the kernel left the inner checksum to a NIC (TP_STATUS_CSUMNOTREADY)
	ChecksumValid   bool // the kernel or a NIC vouches for it (TP_STATUS_CSUM_VALID)
}

// captureLimit bounds a capture that nobody reads. Frames beyond it are counted as dropped.
const captureLimit = 1 << 17

// Capture records the frames of one link. What AF_XDP takes or sends is invisible to it: capture on the peer.
type Capture struct {
	lab  *Lab
	sock *os.File
	keep func(Frame) bool
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	frames  []Frame
	news    chan struct{} // closed and replaced when a frame is added
	dropped int
	closed  bool
}

// Capture starts to record the frames that keep accepts (nil: all), in both directions. When it returns, no later frame
// is missed. keep runs on the capture's goroutine and may keep Data. The capture ends with Close, or with the lab.
func (h *Host) Capture(link string, keep func(Frame) bool) (*Capture, error) {
	sock, err := h.packetSocket(link, unix.ETH_P_ALL)
	if err != nil {
		return nil, fmt.Errorf("capture on %s of %s: %w", link, h.name, err)
	}
	c := &Capture{lab: h.lab, sock: sock, keep: keep, done: make(chan struct{}), news: make(chan struct{})}
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if h.lab.closed {
		sock.Close()
		return nil, fmt.Errorf("capture on %s of %s: lab %s is closed", link, h.name, h.lab.name)
	}
	h.lab.open[c] = struct{}{}
	go c.read()
	return c, nil
}

// read takes frames off the socket until it is closed.
func (c *Capture) read() {
	defer close(c.done)
	conn, err := c.sock.SyscallConn()
	if err != nil {
		return // closed already
	}
	buf, oob := make([]byte, 1<<17), make([]byte, 256)
	for {
		var n, oobn int
		var from unix.Sockaddr
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			n, oobn, _, from, failed = unix.Recvmsg(int(fd), buf, oob, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil {
			return // closed
		}
		if failed != nil {
			continue // ENETDOWN: the link went down, which is told once
		}
		f := Frame{Time: time.Now(), Data: append([]byte(nil), buf[:n]...)}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok {
			f.Outgoing = ll.Pkttype == unix.PACKET_OUTGOING
		}
		f.setAux(oob[:oobn])
		if c.keep == nil || c.keep(f) {
			c.add(f)
		}
	}
}

// setAux takes tag and checksum state from PACKET_AUXDATA (struct tpacket_auxdata, include/uapi/linux/if_packet.h).
func (f *Frame) setAux(oob []byte) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < 20 {
			continue
		}
		status := binary.NativeEndian.Uint32(m.Data)
		f.ChecksumPending = status&unix.TP_STATUS_CSUMNOTREADY != 0
		f.ChecksumValid = status&unix.TP_STATUS_CSUM_VALID != 0
		if status&unix.TP_STATUS_VLAN_VALID != 0 {
			f.Tagged = true
			f.VLAN = binary.NativeEndian.Uint16(m.Data[16:])
			f.VLANType = binary.NativeEndian.Uint16(m.Data[18:])
		}
	}
}

func (c *Capture) add(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.frames) == captureLimit {
		c.dropped++
		return
	}
	c.frames = append(c.frames, f)
	close(c.news)
	c.news = make(chan struct{})
}

// Frames returns what has been recorded so far, in order. The frames' data must not be changed.
func (c *Capture) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames[:len(c.frames):len(c.frames)]
}

// Wait returns the first n recorded frames that match (nil: any), as soon as there are so many. If ctx or the capture
// ends before that, it returns those that there are, and an error.
func (c *Capture) Wait(ctx context.Context, n int, match func(Frame) bool) ([]Frame, error) {
	var found []Frame
	seen := 0
	for {
		c.mu.Lock()
		frames, news := c.frames, c.news
		c.mu.Unlock()
		for ; seen < len(frames); seen++ {
			if match == nil || match(frames[seen]) {
				found = append(found, frames[seen])
			}
		}
		if len(found) >= n {
			return found[:n], nil
		}
		select {
		case <-news:
		case <-c.done:
			return found, fmt.Errorf("wait for %d frames, have %d of %d seen: %w", n, len(found), seen, net.ErrClosed)
		case <-ctx.Done():
			return found, fmt.Errorf("wait for %d frames, have %d of %d seen: %w", n, len(found), seen, ctx.Err())
		}
	}
}

// Dropped returns how many frames have been lost since the start, in the kernel or beyond the limit of 131072 frames.
func (c *Capture) Dropped() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.dropped, nil
	}
	conn, err := c.sock.SyscallConn()
	if err != nil {
		return c.dropped, fmt.Errorf("count dropped frames: %w", err)
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		var st *unix.TpacketStats
		if st, failed = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); failed == nil {
			c.dropped += int(st.Drops) // reading resets the kernel's count
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return c.dropped, fmt.Errorf("count dropped frames: %w", err)
	}
	return c.dropped, nil
}

// Close ends the recording; the frames and the count of dropped ones stay. A second call does nothing.
func (c *Capture) Close() error {
	c.lab.mu.Lock()
	delete(c.lab.open, c)
	c.lab.mu.Unlock()
	_, err := c.Dropped() // for the last time
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	err = errors.Join(err, c.sock.Close())
	<-c.done
	if err != nil {
		return fmt.Errorf("close capture: %w", err)
	}
	return nil
}
