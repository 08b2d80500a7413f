package ring

import (
	"os"
	"strings"
	"testing"
)

// heap returns heap memory for tests.
func heap(t testing.TB, frames, frameSize int) *Memory {
	t.Helper()
	m, err := NewHeapMemory(frames, frameSize)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMemoryRefuses(t *testing.T) {
	for _, c := range []struct {
		frames, size int
		want         string
	}{
		{0, 4096, "0 frames"},
		{-1, 4096, "-1 frames"},
		{maxFrames + 1, 2048, "frames: must be"},
		{8, 0, "frame size 0"},
		{8, 1024, "from 2048 to 65536"},
		{8, 3000, "power of two"},
		{8, 1 << 17, "from 2048 to 65536"},
	} {
		for _, make := range []func(int, int) (*Memory, error){NewMemory, NewHeapMemory} {
			if _, err := make(c.frames, c.size); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d frames of %d: %v, want %q", c.frames, c.size, err, c.want)
			}
		}
	}
}

func TestMemoryBytes(t *testing.T) {
	for _, size := range []int{2048, 4096, 16384, 65536} {
		m := heap(t, 4, size)
		if m.Frames() != 4 || m.FrameSize() != size || m.Huge() != "" {
			t.Errorf("frames %d of %d, huge %q", m.Frames(), m.FrameSize(), m.Huge())
		}
		at := uint64(size) + 256
		b := m.Bytes(at, 60)
		if len(b) != 60 || cap(b) != 60 {
			t.Errorf("len %d cap %d, want 60 and 60", len(b), cap(b))
		}
		if m.Frame(at) != 1 || m.Frame(uint64(size)-1) != 0 || m.Frame(uint64(3*size)) != 3 {
			t.Error("wrong frame number")
		}
		b[0] = 7
		if m.data[at] != 7 {
			t.Error("bytes are not those of the memory")
		}
		_ = append(b, 1)
		if m.data[at+60] != 0 {
			t.Error("append ran into the rest of the frame")
		}
		if whole := m.Bytes(at-256, uint32(size)); len(whole) != size {
			t.Errorf("whole frame: %d bytes", len(whole))
		}
		for _, bad := range []struct {
			addr uint64
			n    uint32
		}{{uint64(4*size) - 1, 2}, {uint64(4 * size), 1}, {^uint64(0), 1}, {1 << 63, 1}, {0, ^uint32(0)}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d bytes at %#x of 4 frames of %d: no panic", bad.n, bad.addr, size)
					}
				}()
				m.Bytes(bad.addr, bad.n)
			}()
		}
	}
}

func TestMemoryIsMapped(t *testing.T) {
	m, err := NewMemory(1000, 2048)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("huge pages: %q", m.Huge())
	if thp, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); !strings.Contains(string(thp), "[never]") && m.Huge() == "" {
		t.Log("no huge pages although the kernel would give some: memory is short or fragmented")
	}
	for f := range m.Frames() {
		b := m.Bytes(uint64(f)*2048, 2048)
		if b[0] != 0 || b[2047] != 0 {
			t.Fatalf("frame %d is not zero", f)
		}
		b[0], b[2047] = byte(f), byte(f)
	}
	if _, err := m.Open(DeviceConfig{Ifindex: 1, Name: "x"}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Open(DeviceConfig{Ifindex: 1, Name: "x"}); err == nil {
		t.Error("closed memory was opened")
	}
}

func TestMemoryCloseRefusesOpenSockets(t *testing.T) {
	m := heap(t, 8, 2048)
	p := NewDepot(m).NewPool()
	s, _ := NewLoopback(m, 4, p)
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "1 sockets are open") {
		t.Errorf("close with an open socket: %v", err)
	}
	if err := s.Close(p); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
