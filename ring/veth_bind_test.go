package ring

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A test starts this program again, in its own network namespace, with one of these set to an interface index.
const (
	ownVariable  = "RING_TEST_OWN"  // bind queue 0 and keep it until killed
	poorVariable = "RING_TEST_POOR" // bind queue 0 with little memory that may be locked
)

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(int) error{ownVariable: own, poorVariable: poor} {
		if index, err := strconv.Atoi(os.Getenv(variable)); err == nil {
			if err := run(index); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// again is this program with a variable set.
func again(variable string, index int) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), variable+"="+strconv.Itoa(index))
	return c
}

func own(index int) error {
	m, err := NewMemory(64, 2048)
	if err != nil {
		return err
	}
	d, err := m.Open(small(index, "owned"))
	if err != nil {
		return err
	}
	if _, err := d.Bind(0, NewDepot(m).NewPool()); err != nil {
		return err
	}
	fmt.Println("bound")
	time.Sleep(time.Minute)
	return errors.New("nobody killed the owner")
}

// TestBindWaitsForTheOwner finds the queue owned by another process, which is then killed.
func TestBindWaitsForTheOwner(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	owner := again(ownVariable, ours)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = owner.Process.Kill()
			_ = owner.Wait()
		}
	}
	defer kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "bound\n" {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	m, depot, p := mapped(t, 256, 2048)
	d := open(t, m, small(ours, "ours"))
	_, err = d.Bind(0, p)
	if !errors.Is(err, unix.EBUSY) || !strings.HasPrefix(err.Error(), "bind queue 0 of ours: device or resource busy") {
		t.Errorf("bind of an owned queue: %v", err)
	}
	wantAll(t, m, depot, p)
	kill()
	wantAll(t, m, depot, p, bind(t, d, 0, p))
}

// TestBindAgain closes and binds twenty times, a frame in every ring.
func TestBindAgain(t *testing.T) {
	ownNamespace(t)
	ours, theirs := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 1024, 2048)
	near, away := open(t, m, small(ours, "ours")), open(t, m, small(theirs, "theirs"))
	sockets := redirect(t, theirs)
	for round := range 20 {
		tx, rx := bind(t, near, 0, p), bind(t, away, 0, p)
		put(t, sockets, 0, rx)
		for range 20 {
			addr, _ := p.Get()
			copy(m.Bytes(addr, 60), pattern(1, 60))
			if !tx.Send(Desc{Addr: addr, Len: 60}) {
				t.Fatal("tx full")
			}
		}
		if err := tx.Flush(); err != nil {
			t.Fatal(err)
		}
		wait(rx.FD())
		batch := make([]Desc, 4)
		for _, d := range batch[:rx.Receive(batch)] {
			if !tx.Send(d) {
				t.Fatal("tx full")
			}
		}
		if c := m.Census(); c.Conflicts != 0 || c.User != p.Len()+depot.Len() {
			t.Fatalf("round %d: pool %d depot %d, census %v", round, p.Len(), depot.Len(), c)
		}
		if err := sockets.Delete(uint32(0)); err != nil {
			t.Fatal(err)
		}
		wantAll(t, m, depot, p, tx, rx)
	}
}

func TestBindRefuses(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	for _, c := range []struct {
		name   string
		config DeviceConfig
		queue  int
		is     error
		want   string
	}{
		{"wrong queue", small(ours, "ours"), 7, unix.EINVAL, "bind queue 7 of ours: invalid argument (it has 2 queues, numbered from 0)"},
		{"wrong queue, auto", DeviceConfig{Ifindex: ours, Name: "ours", FillSize: 64}, 2, unix.EINVAL, "it has 2 queues"},
		{"negative queue", small(ours, "ours"), -1, nil, "queue numbers start at 0"},
		{"no interface", small(9999, "gone"), 0, unix.ENODEV, "bind queue 0 of gone: no such device (no interface with index 9999"},
		{"zero-copy", DeviceConfig{Ifindex: ours, Name: "ours", Mode: ZeroCopy, FillSize: 64}, 0, unix.EOPNOTSUPP,
			"bind queue 0 of ours: zero-copy: operation not supported (try --mode copy)"},
	} {
		m, depot, p := mapped(t, 256, 2048)
		_, err := open(t, m, c.config).Bind(c.queue, p)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		wantAll(t, m, depot, p)
	}
	m, depot, p := mapped(t, 64, 2048)
	var held []uint64
	for addr, ok := p.Get(); ok; addr, ok = p.Get() {
		held = append(held, addr)
	}
	if _, err := open(t, m, small(ours, "ours")).Bind(0, p); err == nil || !strings.Contains(err.Error(), "no free frames") {
		t.Errorf("bind without frames: %v", err)
	}
	for _, addr := range held {
		p.Put(addr)
	}
	wantAll(t, m, depot, p)
}

func TestAutoSaysWhyNotZeroCopy(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	for mode, want := range map[Mode]Binding{
		Auto:    {Refused: unix.EOPNOTSUPP},
		Copy:    {},
		Generic: {},
	} {
		m, depot, p := mapped(t, 1024, 2048)
		c := small(ours, "ours")
		c.Mode, c.BusyPoll, c.Headroom = mode, 20*time.Microsecond, 64
		d := open(t, m, c)
		first, second := bind(t, d, 0, p), bind(t, d, 1, p)
		if got := first.Bound(); got != want {
			t.Errorf("%v: bound %+v, want %+v", mode, got, want)
		}
		want.Queue = 1
		if got := second.Bound(); got != want {
			t.Errorf("%v: joined as %+v, want %+v", mode, got, want)
		}
		first.Wakeup()
		if n := first.Counters().Wakeups; n != 1 {
			t.Errorf("%d wakeups, want 1", n)
		}
		if prefer, err := unix.GetsockoptInt(first.FD(), unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL); err != nil || prefer != 1 {
			t.Errorf("prefer busy poll: %d, %v", prefer, err)
		}
		wantAll(t, m, depot, p, first, second)
	}
}

// TestFlushWithoutDevice sends while the device is down, and when it is gone: values, no panic, no allocation, no frame lost.
func TestFlushWithoutDevice(t *testing.T) {
	ownNamespace(t)
	ours, theirs := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 1024, 2048)
	s := bind(t, open(t, m, small(ours, "ours")), 0, p)
	link, err := netlink.LinkByIndex(ours)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := netlink.LinkByIndex(theirs)
	if err != nil {
		t.Fatal(err)
	}
	stage := func(n int) {
		t.Helper()
		for range n {
			addr, _ := p.Get()
			copy(m.Bytes(addr, 60), pattern(1, 60))
			if !s.Send(Desc{Addr: addr, Len: 60}) {
				t.Fatal("tx full")
			}
		}
	}
	stage(30)
	if err := netlink.LinkSetDown(peer); err != nil { // we lose the carrier: the kernel drops, one frame per call
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Errorf("without carrier: %v", err)
	}
	if n := s.Reap(p); n != 30 {
		t.Errorf("without carrier %d of 30 came back: %+v", n, s.Counters())
	}
	stage(5)
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { err = s.Flush() }); n != 0 || err != unix.ENETDOWN {
		t.Errorf("down: %v with %v allocations", err, n)
	}
	if n := s.Pending(); n != 5 {
		t.Errorf("down: %d pending, want 5", n)
	}
	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { err = s.Flush() }); n != 0 || err != unix.ENXIO {
		t.Errorf("gone: %v with %v allocations", err, n)
	}
	if n := s.Counters().SendErrors; n != 22 {
		t.Errorf("%d send errors, want 22", n)
	}
	wantAll(t, m, depot, p, s)
}

// TestAwaitTeardown has the queue freed late, as a driver may do it.
func TestAwaitTeardown(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 256, 2048)
	d := open(t, m, small(ours, "ours"))
	s := bind(t, d, 0, p)
	var closing time.Time
	closed := make(chan error)
	go func() {
		time.Sleep(50 * time.Millisecond)
		closing = time.Now()
		closed <- s.Close(p)
	}()
	err := awaitTeardown(&d.config, 0)
	now := time.Now()
	if err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if now.Before(closing) {
		t.Error("the queue was said to be free while it was bound")
	}
	wantAll(t, m, depot, p)
}
