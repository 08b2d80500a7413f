// Command guest is /init of a virtual machine of package vmlab: it makes what a program can expect of a machine (mounts, modules, names of
// network cards), runs the one that it is told to, reports its exit status and switches the machine off.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"vxgw/internal/vmlab"
)

// line is the serial line to the outside; the kernel's messages go to another one.
const line = "/dev/ttyS1"

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is /init of a virtual machine, and switches the machine off: nothing was done")
		os.Exit(2)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err) // on the console
	}
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func serve() error {
	if err := mountAll(); err != nil {
		return err
	}
	out, err := os.OpenFile(line, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, vmlab.SaysUp)
	status, err := obey(out)
	if err != nil {
		fmt.Fprintln(out, "guest:", err)
		return err
	}
	fmt.Fprintln(out, vmlab.SaysExit, status)
	return unix.IoctlSetInt(int(out.Fd()), unix.TCSBRK, 1) // tcdrain(3): all of it is out
}

// obey does what the order says.
func obey(out *os.File) (status int, err error) {
	data, err := os.ReadFile(vmlab.OrderFile)
	if err != nil {
		return 0, err
	}
	var o vmlab.Order
	if err := json.Unmarshal(data, &o); err != nil {
		return 0, err
	}
	for _, file := range o.Modules {
		if err := load(file); err != nil {
			return 0, fmt.Errorf("load %s: %w", file, err)
		}
	}
	if err := nameCards(); err != nil {
		return 0, err
	}
	if err := calm(); err != nil {
		return 0, err
	}
	if len(o.Command) == 0 {
		return 0, errors.New("the order has no command")
	}
	all := &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, all); err != nil {
		return 0, err
	}
	return run(o, out)
}

// run waits for the program, and for the orphans that a first process inherits.
func run(o vmlab.Order, out *os.File) (status int, err error) {
	c := exec.Command(o.Command[0], o.Command[1:]...)
	c.Env, c.Stdout, c.Stderr, c.Dir = o.Env, out, out, "/root"
	if err := c.Start(); err != nil {
		return 0, err
	}
	for {
		var s unix.WaitStatus
		pid, err := unix.Wait4(-1, &s, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for %s: %w", o.Command[0], err)
		case pid == c.Process.Pid && s.Signaled():
			return 128 + int(s.Signal()), nil
		case pid == c.Process.Pid && s.Exited():
			return s.ExitStatus(), nil
		}
	}
}
