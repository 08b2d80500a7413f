// Package handover passes on what must not end with a gateway's process: descriptors that keep something alive in the
// kernel, and a [State], from a gateway that ends to the one that follows it.
//
//	the old one   Bag.Send       to a datagram socket that keeps descriptors
//	the new one   Listener       has such a socket of its own, or
//	              FromManager    gets them from systemd, which has kept them between a stop and a start
//
// The socket's protocol is that of sd_notify(3), FDSTORE=1, so the old gateway need not know who keeps its descriptors.
// Nothing of it is in a file: whoever has the descriptors may die, and what they kept alive ends with them.
package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bag is what is passed on. Descriptors in it are its own until they are taken out.
type Bag struct {
	State []byte // as State.Encode makes it
	Links []Link // the ones that matter most first: whoever keeps them may have no room for all
	Held  []int  // descriptors to keep open until the new gateway has its own
}

// Link is an XDP program's attachment, a bpf_link.
type Link struct {
	FD      int
	Generic bool // it is attached in the stack, not in the driver
}

// The names of descriptors (FDNAME= of sd_notify(3)).
const (
	nameState   = "gw-state"
	nameNative  = "gw-xdp-native"
	nameGeneric = "gw-xdp-generic"
	nameHeld    = "gw-held"
)

// patience is how long whoever keeps descriptors may take to take them.
const patience = 10 * time.Second

// Close closes all that is left in the bag.
func (b *Bag) Close() {
	for _, l := range b.Links {
		unix.Close(l.FD)
	}
	for _, fd := range b.Held {
		unix.Close(fd)
	}
	b.Links, b.Held, b.State = nil, nil, nil
}

// add puts a descriptor into the bag by its name. One of another name, or of what cannot be read, is closed.
func (b *Bag) add(name string, fd int) error {
	switch name {
	case nameNative, nameGeneric:
		b.Links = append(b.Links, Link{fd, name == nameGeneric})
		return nil
	case nameHeld:
		b.Held = append(b.Held, fd)
		return nil
	case nameState:
		text, err := contents(fd)
		if err != nil {
			return fmt.Errorf("read what a gateway has handed over: %w", err)
		}
		b.State = text
		return nil
	}
	unix.Close(fd)
	return fmt.Errorf("a descriptor called %q is none that a gateway hands over", name)
}

// Reachable says whether anybody keeps descriptors at path, which may begin with @ for an abstract socket.
func Reachable(path string) error {
	s, err := connect(path)
	if err != nil {
		return err
	}
	return unix.Close(s)
}

func connect(path string) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open a socket: %w", err)
	}
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	err = unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)
	if err == nil {
		err = unix.Connect(s, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		unix.Close(s)
		return -1, fmt.Errorf("reach %s, where what is handed over is to be kept: %w", path, err)
	}
	return s, nil
}

// Send has whoever keeps descriptors at path take copies of all in the bag. It returns when they are taken, so that the
// sender may end. The bag stays as it is.
func (b *Bag) Send(path string) error {
	s, err := connect(path)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	state, err := memory(b.State)
	if err != nil {
		return err
	}
	defer unix.Close(state)
	if err := store(s, nameState, state); err != nil {
		return err
	}
	for _, fd := range b.Held {
		if err := store(s, nameHeld, fd); err != nil {
			return err
		}
	}
	for _, l := range b.Links {
		name := nameNative
		if l.Generic {
			name = nameGeneric
		}
		if err := store(s, name, l.FD); err != nil {
			return err
		}
	}
	return barrier(s)
}

func store(s int, name string, fd int) error {
	if err := unix.Sendmsg(s, []byte("FDSTORE=1\nFDNAME="+name), unix.UnixRights(fd), nil, 0); err != nil {
		return fmt.Errorf("hand a descriptor over: %w", err)
	}
	return nil
}

// barrier waits until all that was sent before is taken: the receiver then closes the end of a pipe (BARRIER=1).
func barrier(s int) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	err := unix.Sendmsg(s, []byte("BARRIER=1"), unix.UnixRights(pipe[1]), nil, 0)
	unix.Close(pipe[1])
	if err != nil {
		return fmt.Errorf("hand descriptors over: %w", err)
	}
	for end := time.Now().Add(patience); ; {
		wait := time.Until(end)
		if wait <= 0 {
			return errors.New("nobody has taken what is handed over")
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe[0])}}, int(wait.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait until what is handed over is taken: %w", err)
		}
	}
}

// memory returns a file without a name that has text in it.
func memory(text []byte) (int, error) {
	fd, err := unix.MemfdCreate(nameState, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make a file in memory: %w", err)
	}
	for left := text; len(left) > 0; {
		n, err := unix.Write(fd, left)
		if err != nil && err != unix.EINTR {
			unix.Close(fd)
			return -1, fmt.Errorf("write what is handed over: %w", err)
		}
		left = left[max(n, 0):]
	}
	return fd, nil
}

// contents reads and closes such a file.
func contents(fd int) ([]byte, error) {
	f := os.NewFile(uintptr(fd), nameState)
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// firstFD is the first descriptor that a service manager passes (sd_listen_fds(3)).
const firstFD = 3

// FromManager returns what the service manager has kept for this process, or nil. It is to be called once, and has the
// manager forget it: from now on it ends with this process.
func FromManager() (*Bag, error) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, v := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 1 {
		return nil, nil
	}
	b := &Bag{}
	var errs []error
	for i := range count {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		unix.CloseOnExec(firstFD + i)
		errs = append(errs, b.add(name, firstFD+i))
	}
	return b, errors.Join(append(errs, forget(os.Getenv("NOTIFY_SOCKET")))...)
}

// forget has the service manager close what it has kept.
func forget(path string) error {
	if path == "" {
		return nil
	}
	s, err := connect(path)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	var errs []error
	for _, name := range []string{nameState, nameNative, nameGeneric, nameHeld} {
		errs = append(errs, unix.Sendmsg(s, []byte("FDSTOREREMOVE=1\nFDNAME="+name), nil, nil, 0))
	}
	return errors.Join(errs...)
}
