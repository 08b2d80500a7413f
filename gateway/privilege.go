package gateway

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// capabilities that a gateway needs, by their bits (linux/capability.h), at its start and later: for ports that come, for
// reloads, and to put everything back.
var capabilities = []struct {
	bit  uint
	name string
}{
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, // XDP, links, neighbours
	{unix.CAP_NET_RAW, "CAP_NET_RAW"},     // AF_XDP and raw sockets
	{unix.CAP_BPF, "CAP_BPF"},             // programs and maps
	{unix.CAP_PERFMON, "CAP_PERFMON"},     // pointer arithmetic in programs (kernel/bpf/verifier.c, bypass_spec_v1)
}

// capSet is a set of capabilities, by their bits.
type capSet uint64

func (s capSet) has(bit uint) bool { return s&(1<<bit) != 0 }

// MissingCapabilities names those that this process would need for a gateway and lacks.
func MissingCapabilities() (missing []string, err error) {
	_, effective, err := ownCapabilities()
	if err != nil {
		return nil, err
	}
	for _, c := range capabilities {
		bpf := c.bit == unix.CAP_BPF || c.bit == unix.CAP_PERFMON
		if !effective.has(c.bit) && !(bpf && effective.has(unix.CAP_SYS_ADMIN)) {
			missing = append(missing, c.name)
		}
	}
	return missing, nil
}

// CheckPrivilege fails when the process may not do what a gateway does.
func CheckPrivilege() error {
	missing, err := MissingCapabilities()
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no privilege: user %d lacks %s (run as root, or grant them: systemd AmbientCapabilities, or setcap)",
			os.Geteuid(), strings.Join(missing, ", "))
	}
	return err
}

// ownCapabilities are those of the calling thread.
func ownCapabilities() (permitted, effective capSet, err error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, 0, fmt.Errorf("ask for the process's capabilities: %w", err)
	}
	return capSet(data[0].Permitted) | capSet(data[1].Permitted)<<32, capSet(data[0].Effective) | capSet(data[1].Effective)<<32, nil
}

// needed are the capabilities of a process that had some, from when its gateway runs: those above, and that to lock memory
// for ports to come. CAP_BPF and CAP_PERFMON may be part of CAP_SYS_ADMIN, which goes only where those are there.
func needed(permitted capSet, more ...uint) (keep capSet) {
	keep = 1 << unix.CAP_IPC_LOCK
	for _, c := range capabilities {
		keep |= 1 << c.bit
	}
	for _, bit := range more {
		keep |= 1 << bit
	}
	if !permitted.has(unix.CAP_BPF) || !permitted.has(unix.CAP_PERFMON) {
		keep |= 1 << unix.CAP_SYS_ADMIN
	}
	return keep & permitted
}

// DropPrivileges takes all capabilities from the process that a running gateway has no use for, in every thread, and for
// good: also from the bounding set where that may be, so that no program that is executed gets them back. CAP_SYS_NICE is
// among them: workers have their priority. To be called once, when the gateway runs and everything is open. A process of
// root's keeps CAP_DAC_OVERRIDE if foreign says that it has files of others to write to.
//
// The error is [errors.ErrUnsupported] in a program that is linked with C code, such as one with the race detector: no Go program
// can reach the threads of that. Nothing is dropped then.
func (g *Gateway) DropPrivileges(foreign bool) error {
	for end := time.Now().Add(time.Second); !g.plane.Begun() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		// Workers set their priority when they begin.
	}
	permitted, _, err := ownCapabilities()
	if err != nil {
		return err
	}
	var more []uint
	if foreign {
		more = append(more, unix.CAP_DAC_OVERRIDE)
	}
	keep := needed(permitted, more...)
	if err := onAllThreads("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return err
	}
	if permitted.has(unix.CAP_SETPCAP) {
		for bit := uint(0); bit <= unix.CAP_LAST_CAP; bit++ {
			if keep.has(bit) {
				continue
			}
			if err := onAllThreads("drop a capability", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(bit)); err != nil && !errors.Is(err, unix.EINVAL) {
				return err // EINVAL: this kernel does not know it
			}
		}
	}
	if err := onAllThreads("clear the ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return err
	}
	return setCapabilities(keep)
}

// onAllThreads makes a system call in each thread that there is; those that come later are like the one that makes them.
func onAllThreads(what string, trap, a1, a2 uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, 0, 0, 0, 0); errno != 0 {
		if errno == syscall.ENOTSUP {
			return fmt.Errorf("%s: %w", what, errors.ErrUnsupported)
		}
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}
