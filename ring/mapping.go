package ring

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// hugePage is the size that mappings are rounded up to: the kernel aligns an anonymous mapping for transparent huge pages
// only when its length is a multiple of it (mm/mmap.c).
const hugePage = 2 << 20

// mapFrames maps at least size zeroed bytes, backed by pages, and names the kind of huge pages it got, "" for none. It
// tries, best first:
//
//  1. a memfd of reserved huge pages (vm.nr_hugepages)
//  2. private anonymous memory with transparent huge pages asked for; a memfd of ordinary pages would get none unless
//     shmem_enabled allows it, and its default is never
func mapFrames(size int) (mapping []byte, huge string, err error) {
	size = (size + hugePage - 1) &^ (hugePage - 1)
	if mapping, err := mapReserved(size); err == nil {
		return mapping, "hugetlb", nil
	}
	mapping, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, "", err
	}
	// Both are advice: without them a page is small, or comes at its first use.
	_ = unix.Madvise(mapping, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(mapping, unix.MADV_POPULATE_WRITE)
	if transparent(mapping) {
		huge = "transparent"
	}
	return mapping, huge, nil
}

// mapReserved maps size bytes of reserved huge pages.
func mapReserved(size int) ([]byte, error) {
	fd, err := unix.MemfdCreate("frames", unix.MFD_CLOEXEC|unix.MFD_HUGETLB|unix.MFD_HUGE_2MB)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
}

// transparent reports whether any of the mapping has transparent huge pages now (AnonHugePages in proc_pid_smaps(5)).
func transparent(mapping []byte) bool {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return false
	}
	defer f.Close()
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var start, end uint64
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &start, &end); n == 2 {
			inside = start <= address(mapping) && address(mapping) < end
			continue
		}
		if size, ok := strings.CutPrefix(lines.Text(), "AnonHugePages:"); ok && inside {
			return strings.TrimSpace(size) != "0 kB"
		}
	}
	return false
}

func unmapFrames(mapping []byte) error {
	if err := unix.Munmap(mapping); err != nil {
		return fmt.Errorf("unmap frame memory: %w", err)
	}
	return nil
}
