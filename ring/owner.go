package ring

import "fmt"

// owner says what a socket has done with a frame. Each socket has one mark per frame of the memory.
//
// The marks of a socket are written and read by the goroutine that owns the socket and by nobody else: Refill and Flush set
// one when a frame goes to the kernel, Receive and Reap clear it when the frame comes back through this socket. So plain
// loads and stores are enough, the frame moves between goroutines without its marks, and a descriptor that the kernel
// should not have delivered is judged without looking at anything another goroutine writes. A frame of another socket, a
// frame of the user, and a frame delivered a second time all carry the mark user here.
type owner uint8

const (
	user      owner = iota // not the kernel's on behalf of this socket
	receiving              // in the fill ring, the kernel's hands, or the rx ring
	sending                // in the tx ring, the kernel's hands, or the completion ring; with one more for each chunk of it beyond one
)

// Census says who owns the frames of a memory.
type Census struct {
	User      int     // frames no socket has given to the kernel: in a depot, a pool, or somebody's hands
	Claims    []Claim // one per open socket, in the order they were opened
	Conflicts int     // frames that two sockets claim; 0 unless somebody sent a frame twice
}

// Claim says how many frames one socket has given to the kernel and not got back.
type Claim struct {
	Device             string
	Queue              int
	Receiving, Sending int
}

// Census counts every frame of the memory at its owner. It is for tests: no goroutine may use any socket meanwhile.
func (m *Memory) Census() Census {
	m.mu.Lock()
	defer m.mu.Unlock()
	var c Census
	claims := make([]uint8, m.Frames())
	for _, s := range m.sockets {
		claim := Claim{Device: s.device, Queue: s.bound.Queue}
		for f, o := range s.owners {
			switch o {
			case user:
				continue
			case receiving:
				claim.Receiving++
			default:
				claim.Sending++
			}
			claims[f] = min(claims[f]+1, 2)
		}
		for i := range s.staged {
			if f := s.tx.Slot(i).Addr >> (s.shift & 63); f < uint64(len(claims)) {
				claims[f] = min(claims[f]+1, 2)
				claim.Sending++
			}
		}
		c.Claims = append(c.Claims, claim)
	}
	for _, n := range claims {
		switch n {
		case 0:
			c.User++
		case 2:
			c.Conflicts++
		}
	}
	return c
}

// String lists the census on one line, for the message of a failing test.
func (c Census) String() string {
	s := fmt.Sprintf("user %d conflicts %d", c.User, c.Conflicts)
	for _, o := range c.Claims {
		s += fmt.Sprintf("; %s queue %d receiving %d sending %d", o.Device, o.Queue, o.Receiving, o.Sending)
	}
	return s
}
