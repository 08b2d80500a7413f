package handover

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Getenv("GW_TEST_HANDOVER") != "" {
		report()
		return
	}
	os.Exit(m.Run())
}

// pipe returns a pipe whose ends this process has, of which the write end tells others apart by what is read.
func pipe(t *testing.T) (r *os.File, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r = os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { r.Close() })
	return r, p[1]
}

func listen(t *testing.T) (*Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "u.handover")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

// TestSend passes descriptors on that work, and keeps nothing.
func TestSend(t *testing.T) {
	l, path := listen(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info, err)
	}
	var readers []*os.File
	var ends []int
	for range 4 {
		r, w := pipe(t)
		readers, ends = append(readers, r), append(ends, w)
	}
	bag := &Bag{State: []byte("a state\n"), Links: []Link{{FD: ends[0]}, {FD: ends[1], Generic: true}}, Held: []int{ends[2], ends[3]}}
	if err := bag.Send(path); err != nil {
		t.Fatal(err)
	}
	bag.Close()
	got, err := l.Collect()
	if err != nil {
		t.Fatal(err)
	}
	if string(got.State) != "a state\n" || len(got.Links) != 2 || got.Links[0].Generic || !got.Links[1].Generic || len(got.Held) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, fd := range []int{got.Links[0].FD, got.Links[1].FD, got.Held[0], got.Held[1]} {
		if _, err := unix.Write(fd, fmt.Append(nil, i)); err != nil {
			t.Error(err)
		}
	}
	got.Close()
	for i, r := range readers {
		if text, err := io.ReadAll(r); err != nil || string(text) != fmt.Sprint(i) { // to the end: nobody else has it
			t.Errorf("pipe %d: %q %v", i, text, err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

// TestManyMessages are more than wait in a socket (net.unix.max_dgram_qlen).
func TestManyMessages(t *testing.T) {
	l, path := listen(t)
	r, w := pipe(t)
	bag := &Bag{}
	for range 700 {
		fd, err := unix.Dup(w)
		if err != nil {
			t.Fatal(err)
		}
		bag.Held = append(bag.Held, fd)
	}
	unix.Close(w)
	if err := bag.Send(path); err != nil {
		t.Fatal(err)
	}
	bag.Close()
	got, err := l.Collect()
	if err != nil || len(got.Held) != 700 {
		t.Fatalf("%d descriptors, %v", len(got.Held), err)
	}
	got.Close()
	if text, err := io.ReadAll(r); err != nil || len(text) > 0 {
		t.Errorf("%q %v", text, err)
	}
}

// TestUnfinished has a sender that ends before all is sent: nothing is kept.
func TestUnfinished(t *testing.T) {
	l, path := listen(t)
	s, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	for _, name := range []string{nameNative, nameHeld, "stranger"} {
		if err := store(s, name, w); err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(w)
	unix.Close(s)
	if got, err := l.Collect(); got != nil || err == nil {
		t.Errorf("collected %+v, error %v", got, err)
	}
	if text, err := io.ReadAll(r); err != nil || len(text) > 0 {
		t.Errorf("%q %v", text, err)
	}
}

func TestNobodyThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if err := Reachable(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if err := (&Bag{}).Send(path); err == nil {
		t.Error("sent to nobody")
	}
}

// report prints what the service manager has passed on.
func report() {
	b, err := FromManager()
	if b == nil {
		fmt.Println("nothing", err)
		return
	}
	fmt.Printf("%q links=%d held=%d err=%v env=%q\n", b.State, len(b.Links), len(b.Held), err, os.Getenv("LISTEN_FDS"))
	again, err := FromManager()
	fmt.Println(again == nil, err)
}

// TestFromManager gets descriptors as systemd passes them.
func TestFromManager(t *testing.T) {
	l, path := listen(t) // plays the manager
	state, err := memory([]byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	_, a := pipe(t)
	_, b := pipe(t)
	run := func(pid string) string {
		cmd := exec.Command("/bin/sh", "-c", "export LISTEN_PID="+pid+`; exec "$0"`, os.Args[0])
		cmd.Env = append(os.Environ(), "GW_TEST_HANDOVER=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=gw-xdp-generic:gw-state:gw-held", "NOTIFY_SOCKET="+path)
		for i, fd := range []int{a, state, b} {
			dup, err := unix.Dup(fd)
			if err != nil {
				t.Fatal(err)
			}
			f := os.NewFile(uintptr(dup), fmt.Sprint(i))
			defer f.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if got, want := run("$$"), "\"state\" links=1 held=1 err=<nil> env=\"\"\ntrue <nil>\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := run("1"), "nothing <nil>\n"; got != want { // of another process
		t.Errorf("got  %q\nwant %q", got, want)
	}
	l.Collect() // which was told what to forget, and knows no more of it
}
