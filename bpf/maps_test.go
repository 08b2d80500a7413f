package bpf

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMapsAtRunTime(t *testing.T) {
	u, _ := withSockets(t)
	expect := func(step string, want uint32) {
		t.Helper()
		if got := u.verdict(t, good()); got != want {
			t.Errorf("%s: verdict %d, want %d", step, got, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", xdpRedirect)
	do(u.DeleteVNI(42))
	do(u.DeleteVNI(42))
	expect("without the VNI", xdpPass)
	do(u.AddVNI(42))
	do(u.AddVNI(42))
	expect("with the VNI again", xdpRedirect)
	do(u.DeleteAddr(testLocal))
	do(u.DeleteAddr(testLocal))
	expect("without the address", xdpPass)
	do(u.AddAddr(netip.AddrFrom16(testLocal.As16()))) // ::ffff:10.0.0.1
	expect("with the address again", xdpRedirect)
	do(u.ClearSocket(0))
	do(u.ClearSocket(0))
	expect("without the socket", xdpPass)
	do(u.SetSocket(0, socket(t)))
	do(u.SetSocket(0, socket(t)))
	expect("with another socket", xdpRedirect)
	wantCounters(t, u, Counters{Redirected: 4, Passed: 2, NoSocket: 1})
}

func TestClosedSocketLeavesMap(t *testing.T) {
	p := newPort(t)
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	receives(t, fd)
	if err := p.SetSocket(0, fd); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if got := p.verdict(t, good()); got != xdpDrop {
		t.Errorf("verdict %d, want %d", got, xdpDrop)
	}
}

func TestRoom(t *testing.T) {
	u := newUnderlay(t) // room for 4 VNIs, 3 taken
	if err := u.AddVNI(7); err != nil {
		t.Fatal(err)
	}
	wantError(t, u.AddVNI(8), unix.E2BIG, "add VNI 8: all 4 places are taken", "larger MaxVNIs")
	addr := netip.MustParseAddr("239.0.0.0")
	for range 4 + localAddrs - 2 {
		if err := u.AddAddr(addr); err != nil {
			t.Fatal(err)
		}
		addr = addr.Next()
	}
	wantError(t, u.AddAddr(addr), unix.E2BIG, "all 68 places")
}

func TestBadInput(t *testing.T) {
	u, p := withSockets(t)
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(udp)
	wantError(t, u.AddVNI(maxVNI+1), nil, "16777216: larger than 16777215")
	wantError(t, u.DeleteAddr(netip.Addr{}), nil, "no address is given")
	wantError(t, p.SetSocket(1, udp), nil, "queue 1 of XDP program port", "loaded for 1 queues")
	wantError(t, p.ClearSocket(-1), nil, "queue -1")
	wantError(t, p.SetSocket(0, -1), nil, "no file descriptor")
	wantError(t, p.SetSocket(0, udp), unix.EOPNOTSUPP, "set socket of queue 0")
	wantError(t, p.Attach(1, "lo", Mode(7)), nil, "attach XDP program port to lo in mode 7")
	for _, cfg := range []UnderlayConfig{
		{Port: 0, Queues: 1, MaxVNIs: 1},
		{Port: 1, Queues: 0, MaxVNIs: 1},
		{Port: 1, Queues: maxQueues + 1, MaxVNIs: 1},
		{Port: 1, Queues: 1, MaxVNIs: 0},
		{Port: 1, Queues: 1, MaxVNIs: maxVNI + 2},
	} {
		if _, err := LoadUnderlay(cfg); err == nil {
			t.Errorf("%+v was loaded", cfg)
		}
	}
	_, err = LoadPort(PortConfig{Queues: -1})
	wantError(t, err, nil, "-1 queues")
}

func TestUseAfterClose(t *testing.T) {
	u, p := withSockets(t)
	for range 2 {
		closeIt(t, u)
		closeIt(t, p)
	}
	_, cerr := u.Counters()
	for _, err := range []error{
		cerr, u.AddVNI(1), u.DeleteVNI(1), u.AddAddr(testLocal), u.DeleteAddr(testLocal),
		u.SetSocket(0, 0), p.ClearSocket(0), p.Attach(1, "lo", Generic),
	} {
		wantError(t, err, os.ErrClosed)
	}
	if err := p.Detach(); err != nil {
		t.Error(err)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	u := newUnderlay(t)
	fd := socket(t)
	var wg sync.WaitGroup
	for _, f := range []func() error{
		func() error { _, err := u.Counters(); return err },
		func() error { return u.AddVNI(42) },
		func() error { return u.DeleteAddr(testGroup) },
		func() error { return u.SetSocket(0, fd) },
		u.Detach,
	} {
		wg.Go(func() {
			for range 100 {
				if err := f(); err != nil && !errors.Is(err, os.ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() { closeIt(t, u) })
	wg.Wait()
}

func TestUnprivileged(t *testing.T) {
	needRoot(t)
	line := readLine(t, child(t, "unprivileged"))
	wantError(t, errors.New(line), nil, "load XDP program port", "CAP_BPF and CAP_NET_ADMIN, or root")
}

func TestKernelWithoutBPF(t *testing.T) {
	needRoot(t)
	line := readLine(t, child(t, "nobpf"))
	wantError(t, errors.New(line), nil, "load XDP program underlay", "function not implemented", "needs CONFIG_BPF_SYSCALL")
}

// wantError fails unless err is one that wraps target, where given, and
// contains all parts.
func wantError(t testing.TB, err, target error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("%q does not wrap %q", err, target)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}
