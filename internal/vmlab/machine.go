package vmlab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vxgw/internal/lab"
)

// Machine is a virtual machine for one program.
type Machine struct {
	Kernel   string            // folder, from Kernel
	Segments []Segment         // at most 7 igb and 14 others, for lack of slots
	Modules  []string          // kernel modules to load; what they need goes without saying
	Files    map[string]string // path in the guest -> file here; "init" is package guest, built
	Command  []string          // in the guest, with arguments
	Env      []string          // for it, all of it
	Memory   int               // MiB; 0: 1024
}

// labPrefix is of the labs that have the machines' cables.
const labPrefix = "vmlab"

// What the guest's /init says beside what its program prints, on the same line of communication.
const (
	SaysUp   = "vmlab: up"          // user space runs
	SaysExit = "vmlab: exit status" // and the program's status
)

// Under emulation one boot in some hundred hangs before user space, for a lost timer. Others take some ten seconds, and
// several times that where the emulator shares its CPUs.
const (
	bootPatience = 3 * time.Minute
	boots        = 3
)

// ErrHung is a boot that did not come to user space.
var ErrHung = errors.New("the boot hung before user space")

// Result is how a run ended.
type Result struct {
	Status  int    // of the program; -1: it did not come to an end
	Console string // what the kernel printed
	Boots   int    // more than 1: that many, less one, hung

	Up time.Duration // from the start of the emulator to user space, of the last boot
}

// Run boots, runs the program and powers off. What the program prints goes to out as it comes. A boot that hangs is tried again; any
// other error, or the end of ctx, ends the run.
func (m *Machine) Run(ctx context.Context, out io.Writer) (r Result, err error) {
	dir, err := os.MkdirTemp("", "vmlab")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	if err := m.furnish(dir); err != nil {
		return r, err
	}
	l, err := lab.New(labPrefix)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	cards, err := connect(l, m.Segments)
	defer cards.close()
	if err != nil {
		return r, err
	}
	for r.Boots = 1; ; r.Boots++ {
		start := time.Now()
		r.Status, err = m.boot(ctx, dir, &cards, out, func() { r.Up = time.Since(start) })
		console, readErr := os.ReadFile(filepath.Join(dir, "console"))
		r.Console = strings.ReplaceAll(string(console), "\r", "")
		if !errors.Is(err, ErrHung) || r.Boots == boots {
			return r, errors.Join(err, readErr)
		}
	}
}

// furnish puts what the emulator reads and writes into dir, where it may, as nobody.
func (m *Machine) furnish(dir string) error {
	if err := os.Chown(dir, nobody, nobody); err != nil {
		return err
	}
	kernel, err := os.ReadFile(filepath.Join(m.Kernel, "vmlinuz"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "vmlinuz"), kernel, 0o644); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "initramfs"), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(m.image(w), w.Flush(), f.Close())
}

// boot runs the emulator once, and calls up when user space runs.
func (m *Machine) boot(ctx context.Context, dir string, cards *wiring, out io.Writer, up func()) (status int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The emulator is killed when the thread that starts it ends (PR_SET_PDEATHSIG in prctl(2)): it has to be there until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.CommandContext(ctx, "qemu-system-x86_64", append(m.arguments(dir), cards.args...)...)
	c.ExtraFiles = cards.files
	c.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(), Pdeathsig: syscall.SIGKILL}
	var complaints strings.Builder
	c.Stderr = &complaints
	said, err := c.StdoutPipe()
	if err != nil {
		return -1, err
	}
	if err := c.Start(); err != nil {
		return -1, fmt.Errorf("start the emulator: %w", err)
	}
	watch := time.AfterFunc(bootPatience, func() { cancel(ErrHung) })
	defer watch.Stop()
	status = -1
	for lines := bufio.NewReader(said); ; {
		line, readErr := lines.ReadString('\n')
		line = strings.ReplaceAll(line, "\r", "")
		if after, ok := strings.CutPrefix(line, SaysExit); ok {
			status, err = strconv.Atoi(strings.TrimSpace(after))
		} else if strings.HasPrefix(line, SaysUp) {
			watch.Stop()
			up()
		} else {
			io.WriteString(out, line)
		}
		if readErr != nil {
			break
		}
	}
	waitErr := c.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return status, cause
	}
	if waitErr != nil {
		waitErr = fmt.Errorf("the emulator: %w\n%s", waitErr, complaints.String())
	} else if status < 0 {
		waitErr = errors.New("the machine powered off before the program had ended")
	}
	return status, errors.Join(err, waitErr)
}

// arguments for the emulator. Nothing that is not named is there: no default card, no network, no disk.
func (m *Machine) arguments(dir string) []string {
	memory := m.Memory
	if memory == 0 {
		memory = 1024
	}
	args := []string{"-machine", "q35", "-cpu", "max", "-smp", "2", "-m", strconv.Itoa(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-monitor", "none",
		"-serial", "file:" + filepath.Join(dir, "console"), "-serial", "stdio",
		"-kernel", filepath.Join(dir, "vmlinuz"), "-initrd", filepath.Join(dir, "initramfs"),
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check random.trust_cpu=on security= net.ifnames=0",
	}
	return append(args, accelerator()...)
}
