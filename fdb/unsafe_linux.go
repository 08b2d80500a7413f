package fdb

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// mapBuckets reserves address space for n zeroed buckets which the kernel backs when they are touched, with huge pages
// where it has them: a look-up in a large table would else miss the TLB as well as the cache. The release function
// unmaps it all.
func mapBuckets(n int) (buckets []bucket, release func() error, err error) {
	size := n * bucketSize
	mem, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, err
	}
	start := int(-uintptr(unsafe.Pointer(&mem[0])) % hugePage)
	used := mem[start : start+size : start+size]
	if size >= hugePage {
		// Refused (EINVAL) only by a kernel without transparent huge pages, where the table works as well but slower.
		_ = unix.Madvise(used, unix.MADV_HUGEPAGE)
	}
	return unsafe.Slice((*bucket)(unsafe.Pointer(&used[0])), n), func() error { return unix.Munmap(mem) }, nil
}

// indexOf is where b stands in the array.
func (t *Table) indexOf(b *bucket) uint64 {
	return uint64(uintptr(unsafe.Pointer(b))-uintptr(unsafe.Pointer(&t.buckets[0]))) / bucketSize
}
