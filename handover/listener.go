package handover

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Listener keeps what a gateway sends to it, in this process.
type Listener struct {
	path     string
	fd       int
	stop     [2]int // a pipe: its end ends the listener
	ended    chan struct{}
	bag      Bag
	whole    bool // all there was has come
	troubles []error
}

// Listen makes the socket at path, for the owner alone, and takes what comes until Collect. One that a killed process left there
// is replaced; one that somebody listens on is an error.
func Listen(path string) (*Listener, error) {
	l := &Listener{path: path, ended: make(chan struct{})}
	if Reachable(path) == nil {
		return nil, fmt.Errorf("another gateway is about to take over already: it listens on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make a socket for what is handed over: %w", err)
	}
	var err error
	if l.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	if err = unix.Fchmod(l.fd, 0o600); err == nil { // which bind gives the file
		err = unix.Bind(l.fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Pipe2(l.stop[:], unix.O_CLOEXEC)
	}
	if err != nil {
		unix.Close(l.fd)
		os.Remove(path)
		return nil, fmt.Errorf("make a socket for what is handed over, %s: %w", path, err)
	}
	go l.receive()
	return l, nil
}

// receive takes what comes, until it is told to stop and nothing is left.
func (l *Listener) receive() {
	defer close(l.ended)
	for stopping := false; ; {
		more, err := l.take()
		if err != nil {
			l.troubles = append(l.troubles, err)
		}
		switch {
		case more:
			continue
		case stopping:
			return
		}
		both := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.stop[0])}}
		if _, err := unix.Poll(both, -1); err != nil && err != unix.EINTR {
			l.troubles = append(l.troubles, err)
			return
		}
		stopping = both[1].Revents != 0
	}
}

// take takes one message, and reports whether there was one.
func (l *Listener) take() (bool, error) {
	var text [512]byte
	var control [4096]byte
	n, c, _, _, err := unix.Recvmsg(l.fd, text[:], control[:], unix.MSG_CMSG_CLOEXEC)
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err == unix.EINTR:
		return true, nil
	case err != nil:
		return false, fmt.Errorf("receive what is handed over: %w", err)
	}
	fds, err := rights(control[:c])
	if err != nil {
		return true, err
	}
	name, isStore := "", false
	for line := range strings.Lines(string(text[:n])) {
		line = strings.TrimSuffix(line, "\n")
		if v, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = v
		}
		isStore = isStore || line == "FDSTORE=1"
		l.whole = l.whole || line == "BARRIER=1"
	}
	var errs []error
	for _, fd := range fds {
		if !isStore {
			unix.Close(fd) // of BARRIER=1: its sender waits for this
			continue
		}
		errs = append(errs, l.bag.add(name, fd))
	}
	return true, errors.Join(errs...)
}

// rights returns the descriptors that came with a message.
func rights(control []byte) (all []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("read what is handed over: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			all = append(all, fds...)
		}
	}
	return all, nil
}

// Collect ends the listener and returns what has come, or nil and why it is not all there was. To be called once.
func (l *Listener) Collect() (*Bag, error) {
	unix.Close(l.stop[1])
	<-l.ended
	unix.Close(l.stop[0])
	unix.Close(l.fd)
	os.Remove(l.path)
	err := errors.Join(l.troubles...)
	if err == nil && !l.whole {
		err = errors.New("the other gateway ended before it had handed over")
	}
	if err != nil {
		l.bag.Close()
		return nil, err
	}
	return &l.bag, nil
}
