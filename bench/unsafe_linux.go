package bench

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// line is a cache line.
type line [8]uint64

// mapLines maps memory of that many cache lines, all backed, with the advice that the FDB gives for its own
// (fdb/unsafe_linux.go). The caller unmaps it with the function.
func mapLines(n int) (lines []line, unmap func() error, err error) {
	size := n * int(unsafe.Sizeof(line{}))
	mem, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	start := int(-uintptr(unsafe.Pointer(&mem[0])) % hugePage)
	used := mem[start : start+size : start+size]
	if size >= hugePage {
		_ = unix.Madvise(used, unix.MADV_HUGEPAGE) // refused where the FDB's is
	}
	lines = unsafe.Slice((*line)(unsafe.Pointer(&used[0])), n)
	for i := range lines {
		lines[i][0] = uint64(i)
	}
	return lines, func() error { return unix.Munmap(mem) }, nil
}
