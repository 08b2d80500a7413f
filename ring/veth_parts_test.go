package ring

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// jumboVeth makes a pair with an MTU of 9,050, and with one queue: of several a packet socket takes that of the CPU that it is on
// (packet_pick_tx_queue in net/packet/af_packet.c).
func jumboVeth(t *testing.T) (ours, theirs int) {
	t.Helper()
	ours, theirs = vethOf(t, 1, "ours", "theirs")
	for _, name := range []string{"ours", "theirs"} {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetMTU(l, 9050)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return ours, theirs
}

// packetSocket sends and receives whole frames at the other end, as the kernel has them.
func packetSocket(t *testing.T, ifindex int) int {
	t.Helper()
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // big-endian
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err == nil {
		err = errors.Join(
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifindex}),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20),
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// read reads a frame. A signal, as the Go runtime sends them, ends a read with a timeout (signal(7)).
func read(fd int, buf []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, buf); err != unix.EINTR {
			return n, err
		}
	}
}

// ethernetFrame is a random one, to nobody in particular.
func ethernetFrame(rng *rand.Rand) []byte {
	frame := make([]byte, []int{60, 1514, 3840, 3841, 4096, 7680, 7681, 9064}[rng.IntN(8)])
	for i := range frame {
		frame[i] = byte(rng.Uint32())
	}
	copy(frame, []byte{0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5})
	return frame
}

// Packets of up to 9,064 bytes, short ones among them, come and leave whole over a veth in both modes that it has.
func TestPartsOverVeth(t *testing.T) {
	const total = 600
	for _, c := range []struct {
		mode  Mode
		flags link.XDPAttachFlags
	}{{Copy, link.XDPDriverMode}, {Generic, link.XDPGenericMode}} {
		t.Run(c.mode.String(), func(t *testing.T) {
			ownNamespace(t)
			ours, theirs := jumboVeth(t)
			far := packetSocket(t, theirs)
			m, depot, p := mapped(t, 1024, 16384)
			config := small(ours, "ours")
			config.Mode, config.Parts = c.mode, true
			s := bind(t, open(t, m, config), 0, p)
			put(t, redirectFrags(t, ours, c.flags), 0, s)
			rng := rand.New(rand.NewPCG(3, 4))
			batch := make([]Desc, 64)
			for round := 0; round < total; round += 20 {
				var frames [][]byte
				for range 20 {
					frames = append(frames, ethernetFrame(rng))
					if _, err := unix.Write(far, frames[len(frames)-1]); err != nil {
						t.Fatal(err)
					}
				}
				received := 0
				for idle := 0; received < len(frames) && idle < patience; idle++ {
					n := s.Receive(batch)
					for _, d := range batch[:n] {
						if !bytes.Equal(m.Bytes(d.Addr, d.Len), frames[received]) {
							t.Fatalf("frame %d has %d bytes, or others, want %d", round+received, d.Len, len(frames[received]))
						}
						received++
						if !s.Send(d) {
							t.Fatal("tx full")
						}
					}
					if err := s.Flush(); err != nil {
						t.Fatal(err)
					}
					s.Reap(p)
					s.Refill(p)
					if n == 0 {
						wait(s.FD())
					}
				}
				if received != len(frames) {
					t.Fatalf("received %d of %d: %+v", received, len(frames), s.Counters())
				}
				buf := make([]byte, 16384)
				for i, want := range frames {
					n, err := read(far, buf)
					if err != nil || !bytes.Equal(buf[:n], want) {
						t.Fatalf("frame %d came back with %d bytes, or others, want %d: %v", round+i, n, len(want), err)
					}
				}
			}
			if c := s.Counters(); c.Foreign+c.Malformed+c.Refused+c.SendErrors+c.TooLong != 0 {
				t.Errorf("counted %+v", c)
			}
			wantAll(t, m, depot, p, s)
		})
	}
}

// The kernel takes chunks of a page and no larger, in reserved huge pages neither: what parts.go is for.
func TestChunksAreLimited(t *testing.T) {
	ownNamespace(t)
	m, _, _ := mapped(t, 16, 16384)
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := registerUMEM(fd, m.data, 16384, 0); err != unix.EINVAL {
		t.Errorf("chunks of 16,384 bytes: %v, want EINVAL: a packet could be one descriptor", err)
	}
}

// The kernel at hand is asked, and its version says the same.
func TestTakesParts(t *testing.T) {
	ownNamespace(t)
	got, err := TakesParts()
	if err != nil {
		t.Fatal(err)
	}
	want, err := lab.SinceLinux(6, 6)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
