package gateway

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// packetSocket opens an AF_PACKET socket on a link.
func packetSocket(t *testing.T, h *lab.Host, link string, protocol uint16) int {
	t.Helper()
	fd := -1
	must(t, h.Do(func() (err error) {
		l, err := h.Link(link)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: l.Attrs().Index})
	}))
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// A hundred thousand single packets come to a worker that sleeps. It sleeps
// without a timeout, so one missed wake-up would end the test.
func TestSleepingWorkerWakes(t *testing.T) {
	b := newBed(t)
	b.direct()
	in := packetSocket(t, b.container, "veth0", 0)
	out := packetSocket(t, b.remote, "ens18", unix.ETH_P_IP)
	must(t, unix.SetsockoptTimeval(out, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
	f := frame(0xff, 1, 60)
	buf := make([]byte, 2048)
	worker := b.g.plane.Workers()[0]
	total := 100_000
	if testing.Short() || underRace {
		total = 5_000
	}
	slept := uint64(0)
	for i := range total {
		// The count goes up right before poll(2): the packets come at that moment and
		// in the microseconds after it.
		for worker.Counters.Sleeps.Load() == slept {
			runtime.Gosched()
		}
		slept = worker.Counters.Sleeps.Load()
		for start := time.Now(); time.Since(start) < time.Duration(i%32)*time.Microsecond; {
		}
		if _, err := unix.Write(in, f); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := unix.Read(out, buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				t.Fatalf("packet %d did not come out: %v", i, err)
			}
			if n == 60+50 && buf[23] == unix.IPPROTO_UDP {
				break
			}
		}
	}
}

// A worker that has nothing to do sleeps on: nothing wakes it but the gateway's own
// housekeeping, which is a matter of a few times a second.
func TestIdleWorkerSleeps(t *testing.T) {
	b := newBed(t)
	b.direct()
	worker := b.g.plane.Workers()[0]
	b.await("the worker sleeps", func() bool {
		before := worker.Counters.Sleeps.Load()
		time.Sleep(500 * time.Millisecond)
		return worker.Counters.Sleeps.Load()-before < 20
	})
}
