package underlay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// toVXLAN is a filter as bpf.Underlay.FilterLeftovers attaches one: UDP to port 4789.
func toVXLAN(fd int) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}, // header length
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 4789, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 20},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// leftovers opens the socket on an interface of h.
func (h *host) leftovers(name string) *Leftovers {
	h.t.Helper()
	var l *Leftovers
	h.do(func() (err error) {
		l, err = OpenLeftovers(h.index(name), name, false, toVXLAN)
		return err
	})
	h.t.Cleanup(func() { l.Close() })
	return l
}

// udp returns a socket of h that sends to a port of an address, in fragments where that is needed.
func (h *host) udp(addr string) net.Conn {
	h.t.Helper()
	var c net.Conn
	h.do(func() (err error) { c, err = net.Dial("udp4", addr); return err })
	h.t.Cleanup(func() { c.Close() })
	raw, err := c.(*net.UDPConn).SyscallConn()
	h.must(err)
	h.must(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	}))
	h.must(err)
	return c
}

// say sends one datagram. That nobody listens, which ICMP says of those before, takes
// the place of sending.
func (h *host) say(c net.Conn, payload []byte) {
	h.t.Helper()
	_, err := c.Write(payload)
	for errors.Is(err, unix.ECONNREFUSED) {
		_, err = c.Write(payload)
	}
	h.must(err)
}

// next reads a packet, or returns nil when there is none soon.
func (l *Leftovers) next(t *testing.T, buf []byte, patience time.Duration) []byte {
	t.Helper()
	if err := l.file.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, err := l.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// What comes is what the filter lets through, of the interface, whole.
func TestLeftovers(t *testing.T) {
	us, peer := pair(t)
	l := us.leftovers("u0")
	ours, theirs := peer.udp("10.0.0.1:4789"), peer.udp("10.0.0.1:9")
	cable(us, peer, "u9", "p9")
	us.addr("u9", "10.9.0.1/24")
	peer.addr("p9", "10.9.0.2/24")
	aside := peer.udp("10.9.0.1:4789")
	buf := make([]byte, 1<<16)
	for _, size := range []int{1, 100, 1472, 1473, 3000, 9000, 65507} {
		payload := bytes.Repeat([]byte{byte(size), 1, 2, 3, 4, 5, 6}, size/7+1)[:size]
		peer.say(theirs, payload)
		peer.say(aside, payload)
		peer.say(ours, payload)
		p := l.next(t, buf, deadline)
		if len(p) != 28+size || !bytes.Equal(p[28:], payload) || !bytes.Equal(p[12:20], []byte{10, 0, 0, 2, 10, 0, 0, 1}) {
			t.Fatalf("%d bytes of payload came as %d bytes: % x", size, len(p), p[:min(len(p), 48)])
		}
		if binary.BigEndian.Uint16(p[2:]) != uint16(len(p)) || p[6]&0x3f|p[7] != 0 || binary.BigEndian.Uint16(p[22:]) != 4789 {
			t.Errorf("%d bytes of payload: headers % x", size, p[:28])
		}
	}
	if p := l.next(t, buf, 20*time.Millisecond); p != nil {
		t.Errorf("one more came: % x", p[:min(len(p), 48)])
	}
	peer.say(ours, make([]byte, 100))
	if p := l.next(t, buf[:64], deadline); len(p) != 64 {
		t.Errorf("%d bytes came into a buffer of 64", len(p))
	}
}

// What comes before the socket has its filter never comes out of it.
func TestLeftoversAtFirst(t *testing.T) {
	us, peer := pair(t)
	c, stop := peer.udp("10.0.0.1:9"), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				c.Write([]byte("not for this port"))
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	buf := make([]byte, 100)
	for range 100 {
		l := us.leftovers("u0")
		if p := l.next(t, buf, time.Millisecond); p != nil {
			t.Fatalf("came: % x", p)
		}
		us.must(l.Close())
	}
}

// What finds no room is counted, and Close ends the wait.
func TestLeftoversFull(t *testing.T) {
	us, peer := pair(t)
	l := us.leftovers("u0")
	c := peer.udp("10.0.0.1:4789")
	payload, sent := make([]byte, 1400), 0
	dropped := func() int {
		n, err := l.Dropped()
		us.must(err)
		return int(n)
	}
	for ; dropped() == 0 && sent < 50_000; sent++ {
		peer.say(c, payload)
	}
	buf, got := make([]byte, 2000), 0
	for ; got < 100; got++ { // there is more than that
		if l.next(t, buf, deadline) == nil {
			break
		}
	}
	for l.next(t, buf, 20*time.Millisecond) != nil {
		got++
	}
	if n := dropped(); n == 0 || got < 100 || got+n > sent {
		t.Errorf("%d of %d came, %d dropped", got, sent, n)
	}
	last := payload[:100]
	peer.say(c, last)
	for p := l.next(t, buf, deadline); len(p) != 28+len(last); p = l.next(t, buf, deadline) {
		if p == nil {
			t.Fatal("nothing comes when there is room again")
		}
	}

	us.must(l.file.SetReadDeadline(time.Time{}))
	errs := make(chan error)
	go func() { _, err := l.Read(buf); errs <- err }()
	time.Sleep(time.Millisecond)
	us.must(l.Close())
	if err := <-errs; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read ended with %v", err)
	}
	if _, err := l.Dropped(); err == nil {
		t.Error("Dropped has no error after Close")
	}
}

// The socket makes the kernel believe nothing that it would not without: some kernels (6.12.117, 7.3.4) believe what
// ICMP says of the MTU of any UDP packet.
func TestLeftoversBelieveNoMTU(t *testing.T) {
	var believed [2]int
	for with := range believed {
		us, peer := pair(t)
		if with == 1 {
			us.leftovers("u0")
		}
		believed[with] = us.told(peer)
	}
	if believed[0] != believed[1] {
		t.Errorf("the MTU to the peer is %d without the socket, %d with it", believed[0], believed[1])
	}
}

// told returns the MTU of the way to the peer after it has said, unasked, that it is 700.
func (us *host) told(peer *host) int {
	us.t.Helper()
	var behind net.PacketConn
	us.do(func() (err error) { behind, err = net.ListenPacket("udp4", "10.0.0.1:4789"); return err })
	defer behind.Close()
	var icmp net.Conn
	peer.do(func() (err error) { icmp, err = net.Dial("ip4:icmp", "10.0.0.1"); return err })
	defer icmp.Close()
	tooBig := append([]byte{3, 4, 0, 0, 0, 0, 700 >> 8, 700 & 0xff}, packet("10.0.0.1", "10.0.0.2", 100, true, 1)...)
	binary.BigEndian.PutUint16(tooBig[8+2:], 100)
	sum := uint32(0)
	for i := 0; i < len(tooBig); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(tooBig[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(tooBig[2:], ^uint16(sum&0xffff+sum>>16))
	_, err := icmp.Write(tooBig)
	us.must(err)
	peer.say(peer.udp("10.0.0.1:4789"), []byte("behind it"))
	us.must(behind.SetReadDeadline(time.Now().Add(deadline)))
	_, _, err = behind.ReadFrom(make([]byte, 100))
	us.must(err)
	routes, err := us.nl.RouteGet(net.IPv4(10, 0, 0, 2))
	us.must(err)
	if len(routes) != 1 {
		us.t.Fatalf("the way to the peer is %v", routes)
	}
	return routes[0].MTU
}

func TestLeftoversRefusals(t *testing.T) {
	us, _ := pair(t)
	refused := errors.New("refused")
	before := us.descriptors()
	us.do(func() error {
		if _, err := OpenLeftovers(us.index("u0"), "u0", false, func(int) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("open with a filter that fails: %v", err)
		}
		if _, err := OpenLeftovers(-1, "gone", false, toVXLAN); !errors.Is(err, unix.EINVAL) {
			t.Errorf("open on no interface: %v", err)
		}
		return nil
	})
	for _, s := range us.descriptors() {
		if !slices.Contains(before, s) {
			t.Errorf("%s stays open", s)
		}
	}
}

// descriptors lists the sockets of this process.
func (h *host) descriptors() (sockets []string) {
	h.t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	h.must(err)
	for _, e := range all {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); len(to) > 7 && to[:7] == "socket:" {
			sockets = append(sockets, to)
		}
	}
	return sockets
}
