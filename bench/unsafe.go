package bench

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// testRun is the part of union bpf_attr that BPF_PROG_TEST_RUN takes
// (include/uapi/linux/bpf.h).
type testRun struct {
	program, retval     uint32
	sizeIn, sizeOut     uint32
	in, out             uint64
	repeat, duration    uint32
	ctxSizeIn, ctxSize  uint32
	ctxIn, ctxOut       uint64
	flags, cpu, inBatch uint32
	_                   uint32
}

const (
	progTestRun = 10     // BPF_PROG_TEST_RUN
	liveFrames  = 1 << 1 // BPF_F_TEST_XDP_LIVE_FRAMES
)

// runLive runs an XDP program on frame as often as repeat says, and sends what it
// redirects. A signal ends it with EINTR: package ebpf would start it again.
func runLive(program int, frame []byte, repeat, batch uint32) error {
	attr := testRun{
		program: uint32(program), sizeIn: uint32(len(frame)), in: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(frame)))),
		repeat: repeat, flags: liveFrames, inBatch: batch,
	}
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(frame))
	defer pin.Unpin()
	_, _, errno := unix.Syscall(unix.SYS_BPF, progTestRun, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return errno
	}
	return nil
}
