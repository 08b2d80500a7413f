package ring

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"
)

// Memory is the frame memory that all devices share: frames of one size, side by side. An address is an offset in bytes
// from its start; it is the same on every device. A frame larger than a page is a row of chunks for the kernel.
type Memory struct {
	data     []byte // frames * size bytes; of the mapping, or of the Go heap
	lastHead uint64 // the last address that Head takes
	size     uint64 // of a frame in bytes, a power of two
	chunk    uint64 // the part of a frame in bytes that the kernel takes in one piece, a power of two
	shift    uint8  // log2 of size

	mapping []byte // what to unmap; nil on the Go heap
	huge    string

	mu      sync.Mutex
	sockets []*Socket // open ones
}

// NewMemory maps memory for frames of frameSize bytes, a power of two from 2048 to 65536, in huge pages where they can be had: reserved ones
// in a memfd, else transparent ones. All of it is backed by pages when it returns. The caller closes it.
func NewMemory(frames, frameSize int) (*Memory, error) {
	m, err := newMemory(frames, frameSize)
	if err != nil {
		return nil, err
	}
	if m.mapping, m.huge, err = mapFrames(frames * frameSize); err != nil {
		return nil, fmt.Errorf("map %d frames of %d bytes: %w", frames, frameSize, err)
	}
	m.data = m.mapping[: frames*frameSize : frames*frameSize]
	m.lastHead = uint64(len(m.data) - HeadSize)
	return m, nil
}

// NewHeapMemory makes the same memory on the Go heap, for tests and benches over NewLoopback: the race detector sees what
// happens to it. It cannot be registered with a device.
func NewHeapMemory(frames, frameSize int) (*Memory, error) {
	m, err := newMemory(frames, frameSize)
	if err != nil {
		return nil, err
	}
	m.data = make([]byte, frames*frameSize)
	m.lastHead = uint64(len(m.data) - HeadSize)
	return m, nil
}

// Bounds of a frame in bytes: the least that the kernel takes, and the most that an skb holds, a part to each of its fragments
// (MAX_SKB_FRAGS).
const (
	minFrame = 2048
	maxFrame = 1 << 16
)

// maxFrames keeps frame numbers in 32 bits, and sizes in bytes far from overflow.
const maxFrames = 1 << 30

func newMemory(frames, frameSize int) (*Memory, error) {
	if frameSize < minFrame || frameSize > maxFrame || bits.OnesCount(uint(frameSize)) != 1 {
		return nil, fmt.Errorf("frame size %d: must be a power of two from %d to %d bytes", frameSize, minFrame, maxFrame)
	}
	if frames < 1 || frames > maxFrames {
		return nil, fmt.Errorf("%d frames: must be 1 to %d", frames, maxFrames)
	}
	return &Memory{size: uint64(frameSize), chunk: uint64(min(frameSize, chunkSize)), shift: uint8(bits.TrailingZeros(uint(frameSize)))}, nil
}

// Frames returns how many frames there are.
func (m *Memory) Frames() int { return len(m.data) >> m.shift }

// FrameSize returns the size of a frame in bytes.
func (m *Memory) FrameSize() int { return int(m.size) }

// Huge names the kind of huge pages behind the memory: "hugetlb", "transparent", or "" for none.
func (m *Memory) Huge() string { return m.huge }

// Frame returns the number of the frame that holds addr.
func (m *Memory) Frame(addr uint64) uint32 { return uint32(addr >> (m.shift & 63)) }

// Bytes returns the n bytes from addr on; appending to them does not run into what follows. It panics, as any slicing
// does, when they are not within the memory. They must be within one frame, as what Receive returns always is, and belong to the
// frame's owner.
func (m *Memory) Bytes(addr uint64, n uint32) []byte { return m.data[addr:][:n:n] }

// Close unmaps the memory; nobody may hold a slice of it. It refuses while sockets are open.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.sockets); n > 0 {
		return fmt.Errorf("close frame memory: %d sockets are open", n)
	}
	m.data = nil
	if m.mapping == nil {
		return nil
	}
	mapping := m.mapping
	m.mapping = nil
	return unmapFrames(mapping)
}

// join enters s among the open sockets.
func (m *Memory) join(s *Socket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sockets = append(m.sockets, s)
}

// leave strikes s from the open sockets.
func (m *Memory) leave(s *Socket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sockets = slices.DeleteFunc(m.sockets, func(o *Socket) bool { return o == s })
}
