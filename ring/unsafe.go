package ring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// address returns where a mapping lies.
func address(mapping []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&mapping[0]))) }

// HeadSize is how many bytes Head shows: any headers of a tunnel and of the frame in it.
const HeadSize = 128

// Head returns the HeadSize bytes from addr on, which may run into the next frame, or nil where the memory ends before: for readers
// of headers who compare the packet's length themselves. It costs less than Bytes.
func (m *Memory) Head(addr uint64) *[HeadSize]byte {
	if addr > m.lastHead {
		return nil
	}
	return (*[HeadSize]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(m.data)), addr))
}

// registerUMEM sets XDP_UMEM_REG. The error is a bare unix.Errno.
func registerUMEM(fd int, data []byte, frameSize, headroom uint32) error {
	reg := unix.XDPUmemReg{Addr: address(data), Len: uint64(len(data)), Size: frameSize, Headroom: headroom}
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// getsockopt reads an option of the XDP level into v. The error is a bare unix.Errno.
func getsockopt[T any](fd int, option uintptr, v *T) error {
	size := uint32(unsafe.Sizeof(*v))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, option,
		uintptr(unsafe.Pointer(v)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func statistics(fd int, stats *unix.XDPStatistics) error {
	return getsockopt(fd, unix.XDP_STATISTICS, stats)
}

// zeroCopy reports whether a bound socket is zero-copy.
func zeroCopy(fd int) (bool, error) {
	var options uint32
	err := getsockopt(fd, unix.XDP_OPTIONS, &options)
	return options&unix.XDP_OPTIONS_ZEROCOPY != 0, err
}

// mapRings gives the socket its four rings: sizes, then offsets, then mappings.
func (s *Socket) mapRings(c *DeviceConfig) error {
	for _, r := range []struct {
		name   string
		option int
		size   uint32
	}{
		{"fill", unix.XDP_UMEM_FILL_RING, c.FillSize},
		{"completion", unix.XDP_UMEM_COMPLETION_RING, c.CompletionSize},
		{"rx", unix.XDP_RX_RING, c.RxSize},
		{"tx", unix.XDP_TX_RING, c.TxSize},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, r.option, int(r.size)); err != nil {
			return fmt.Errorf("%s ring of %d descriptors: %w", r.name, r.size, err)
		}
	}
	var offsets unix.XDPMmapOffsets
	if err := getsockopt(s.fd, unix.XDP_MMAP_OFFSETS, &offsets); err != nil {
		return fmt.Errorf("mmap offsets: %w", err)
	}
	fill, err := mapRing[uint64](s, unix.XDP_UMEM_PGOFF_FILL_RING, offsets.Fr, c.FillSize)
	if err != nil {
		return fmt.Errorf("map fill ring: %w", err)
	}
	completion, err := mapRing[uint64](s, unix.XDP_UMEM_PGOFF_COMPLETION_RING, offsets.Cr, c.CompletionSize)
	if err != nil {
		return fmt.Errorf("map completion ring: %w", err)
	}
	rx, err := mapRing[Desc](s, unix.XDP_PGOFF_RX_RING, offsets.Rx, c.RxSize)
	if err != nil {
		return fmt.Errorf("map rx ring: %w", err)
	}
	tx, err := mapRing[Desc](s, unix.XDP_PGOFF_TX_RING, offsets.Tx, c.TxSize)
	if err != nil {
		return fmt.Errorf("map tx ring: %w", err)
	}
	s.fill, s.completion = newProducer(fill), newConsumer(completion)
	s.rx, s.tx = newConsumer(rx), newProducer(tx)
	if c.Parts {
		s.withParts(s.tx)
	}
	return nil
}

// mapRing maps one ring of the socket, which unmaps it.
func mapRing[T uint64 | Desc](s *Socket, page int64, at unix.XDPRingOffset, size uint32) (shared[T], error) {
	var slot T
	length := int(at.Desc) + int(size)*int(unsafe.Sizeof(slot))
	mapping, err := unix.Mmap(s.fd, page, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return shared[T]{}, err
	}
	s.rings = append(s.rings, mapping)
	return shared[T]{
		producer: (*atomic.Uint32)(unsafe.Pointer(&mapping[at.Producer])),
		consumer: (*atomic.Uint32)(unsafe.Pointer(&mapping[at.Consumer])),
		flags:    (*atomic.Uint32)(unsafe.Pointer(&mapping[at.Flags])),
		slots:    unsafe.Slice((*T)(unsafe.Pointer(&mapping[at.Desc])), size),
	}, nil
}
