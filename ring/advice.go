package ring

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"vxgw/internal/ethtool"
)

// refusal is the kernel's answer to a bind in zero-copy mode that may still succeed in copy mode.
type refusal struct {
	errno unix.Errno
	cure  string
}

func (r refusal) Error() string {
	cure := "try --mode copy"
	if r.cure != "" {
		cure = r.cure + "; or try --mode copy"
	}
	return fmt.Sprintf("zero-copy: %v (%s)", r.errno, cure)
}
func (r refusal) Unwrap() error { return r.errno }

// adviseSocket adds the cure to an error of socket(2).
func adviseSocket(err error) error {
	cure := ""
	switch err {
	case unix.EPERM, unix.EACCES:
		cure = " (needs CAP_NET_RAW)"
	case unix.EAFNOSUPPORT, unix.ENOSYS:
		cure = " (the kernel was built without CONFIG_XDP_SOCKETS)"
	}
	return fmt.Errorf("AF_XDP socket: %w%s", err, cure)
}

// adviseRegister adds the cure to an error of XDP_UMEM_REG.
func adviseRegister(err error, bytes int) error {
	cure := ""
	if err == unix.ENOBUFS {
		cure = " (RLIMIT_MEMLOCK counts the memory once per device: raise it, LimitMEMLOCK=infinity, or give CAP_IPC_LOCK)"
	}
	return fmt.Errorf("register %d bytes of frames: %w%s", bytes, err, cure)
}

// adviseBind adds the cure to an error of bind(2), and says of a zero-copy one whether copy mode is worth a try.
func (d *Device) adviseBind(err error, flags uint16, queue int) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case unix.EBUSY:
		return fmt.Errorf("%w (another socket has the queue: stop the program that holds it)", errno)
	case unix.ENODEV:
		return fmt.Errorf("%w (no interface with index %d in this network namespace)", errno, d.config.Ifindex)
	case unix.ENETDOWN:
		if flags&unix.XDP_ZEROCOPY != 0 {
			return refusal{errno, "set the interface up"}
		}
		return fmt.Errorf("%w (set the interface up)", errno)
	case unix.EPERM:
		return fmt.Errorf("%w (needs CAP_NET_RAW)", errno)
	}
	if n, ok := queues(d.config.Name); ok && errno == unix.EINVAL && queue >= n {
		return fmt.Errorf("%w (it has %d queues, numbered from 0)", errno, n)
	}
	if flags&unix.XDP_ZEROCOPY != 0 {
		return refusal{errno, d.config.Cure}
	}
	if errno == unix.EINVAL && d.config.Parts {
		return fmt.Errorf("%w (packets longer than a page need Linux 6.6: lower the MTU)", errno)
	}
	return errno
}

// queues returns how many queues the interface has in use (ethtool -l), where its driver can tell.
func queues(name string) (int, bool) {
	c, err := ethtool.GetChannels(name)
	if err != nil {
		return 0, false
	}
	return int(max(c.Rx, c.Tx) + c.Combined), true
}
