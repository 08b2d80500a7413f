package ring

import (
	"testing"
	"time"

	"vxgw/internal/lab"
)

// TestPoll has an owner ask a veth for frames, which since Linux 6.13 receives by interrupts whatever sockets in copy mode prefer. They
// arrive either way, and Poll says which.
func TestPoll(t *testing.T) {
	ownNamespace(t)
	ours, theirs := veth(t, "ours", "theirs")
	f := newFar(t, theirs)
	m, depot, p := mapped(t, 1024, 2048)
	c := small(ours, "ours")
	c.BusyPoll = 20 * time.Microsecond
	s := bind(t, open(t, m, c), 0, p)
	put(t, redirect(t, ours), 0, s)
	if s.Poll() || s.Driven() {
		t.Error("a socket that has received nothing polls, which is not asked for so soon")
	}
	interrupts, err := lab.SinceLinux(6, 13)
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]Desc, 64)
	received := 0
	f.send(0, 64)
	for end := time.Now().Add(10 * time.Second); received < 64 && time.Now().Before(end); f.kick() {
		s.Poll()
		n := s.Receive(batch)
		for _, d := range batch[:n] {
			p.Put(d.Addr)
		}
		received += n
	}
	polled := false
	for range 2 * askEvery { // by now the kernel has been told, if ever
		polled = s.Poll()
	}
	if received != 64 || polled == interrupts || s.Driven() == interrupts {
		t.Errorf("%d of 64 frames received, polled: %t, driven: %t; since Linux 6.13: %t", received, polled, s.Driven(), interrupts)
	}
	if wakeups := s.Counters().Wakeups; interrupts && wakeups != 0 {
		t.Errorf("%d system calls for a device that nobody can poll", wakeups)
	}
	wantAll(t, m, depot, p, s)
}
