package ring

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ownNamespace moves the test to a thread of its own in a new, nameless network namespace. Both go when the test ends.
func ownNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root for a network namespace")
		}
		t.Skip("needs root for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the runtime ends the thread with the goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	if err := ns.Close(); err != nil {
		t.Error(err)
	}
	// Without router solicitations and the like only the test's frames are on the wire.
	for _, conf := range []string{"all", "default"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/disable_ipv6", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// veth makes a pair with two queues at each end, both in this namespace and up, and returns the interface indices.
func veth(t *testing.T, name, peer string) (int, int) {
	t.Helper()
	return vethOf(t, 2, name, peer)
}

// vethOf is veth with a number of queues.
func vethOf(t *testing.T, queues int, name, peer string) (int, int) {
	t.Helper()
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name, NumTxQueues: queues, NumRxQueues: queues}, PeerName: peer,
		PeerNumTxQueues: uint32(queues), PeerNumRxQueues: uint32(queues),
	}
	if err := netlink.LinkAdd(pair); err != nil {
		t.Fatalf("add veth %s: %v", name, err)
	}
	var index [2]int
	for i, n := range []string{name, peer} {
		l, err := netlink.LinkByName(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetMTU(l, 1600); err != nil { // a whole frame and what is put in front of it
			t.Fatalf("mtu of %s: %v", n, err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatalf("set %s up: %v", n, err)
		}
		index[i] = l.Attrs().Index
	}
	for _, n := range []string{name, peer} {
		settle(t, n)
	}
	return index[0], index[1]
}

// settle returns when the kernel has acted upon a link's carrier (net/core/link_watch.c). Until then it drops what is sent.
func settle(t *testing.T, name string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if l.Attrs().OperState == netlink.OperUp {
			if err := netlink.LinkSetUp(l); err != nil { // waits for the lock under which the rest is done
				t.Fatal(err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not come up", name)
		}
	}
}

// redirect attaches a program that gives what arrives on queue i to the i-th socket of the map it returns.
func redirect(t *testing.T, ifindex int) *ebpf.Map {
	t.Helper()
	return attached(t, ifindex, 0, link.XDPDriverMode)
}

// redirectFrags is redirect with a program that takes packets in fragments, which those above a page are.
func redirectFrags(t *testing.T, ifindex int, mode link.XDPAttachFlags) *ebpf.Map {
	t.Helper()
	return attached(t, ifindex, unix.BPF_F_XDP_HAS_FRAGS, mode)
}

func attached(t *testing.T, ifindex int, flags uint32, mode link.XDPAttachFlags) *ebpf.Map {
	t.Helper()
	sockets, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 4})
	if err != nil {
		t.Fatalf("xskmap: %v", err)
	}
	t.Cleanup(func() { sockets.Close() })
	const queueIndex, pass = 16, 2 // offset in struct xdp_md, XDP_PASS
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL", Flags: flags,
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, queueIndex, asm.Word),
			asm.LoadMapPtr(asm.R1, sockets.FD()),
			asm.Mov.Imm(asm.R3, pass),
			asm.FnRedirectMap.Call(),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatalf("xdp program: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: ifindex, Flags: mode})
	if err != nil {
		t.Fatalf("attach xdp: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return sockets
}

// mapped returns memory that is closed after the test, with its depot and a pool.
func mapped(t testing.TB, frames, frameSize int) (*Memory, *Depot, *Pool) {
	t.Helper()
	m, err := NewMemory(frames, frameSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	d := NewDepot(m)
	return m, d, d.NewPool()
}

// small is a device with small rings in copy mode.
func small(ifindex int, name string) DeviceConfig {
	return DeviceConfig{Ifindex: ifindex, Name: name, Mode: Copy, RxSize: 256, TxSize: 256, FillSize: 256}
}

func open(t testing.TB, m *Memory, c DeviceConfig) *Device {
	t.Helper()
	d, err := m.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func bind(t testing.TB, d *Device, queue int, p *Pool) *Socket {
	t.Helper()
	s, err := d.Bind(queue, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, sockets *ebpf.Map, queue int, s *Socket) {
	t.Helper()
	if err := sockets.Put(uint32(queue), uint32(s.FD())); err != nil {
		t.Fatalf("xskmap: %v", err)
	}
}

// wait sleeps until fd can be read or for a while, so that a loop with a bound on its rounds also has one on its time.
func wait(fd int) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds, 10)
}

// patience is how many fruitless waits end a test.
const patience = 500

// pattern returns the frame with this number: addresses, an experimental EtherType, and a payload that depends on it.
func pattern(number, size int) []byte {
	frame := fmt.Appendf(nil, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xb5%08d", number)
	for i := len(frame); i < size; i++ {
		frame = append(frame, byte(number*7+i))
	}
	return frame
}

// sizeOf varies the size with the number: 60 to 1514 bytes.
func sizeOf(number int) int { return 60 + number*37%1455 }
