// Package vmlab boots Debian kernels in QEMU with network cards that the kernel drives in zero-copy mode, and runs
// programs there: what veth pairs cannot show, and kernels that this machine does not run.
//
//	Packages, Kernel  QEMU and a kernel, by apt, into a cache
//	Shell             a shell for the guest, likewise
//	Machine.Run       initramfs with the programs -> boot -> /init (package guest) -> output, exit status
//	Cases             the output of a test binary, case by case
//
// The virtual machine has no network but its own cables, no disk, and runs as nobody. Nothing of this is needed to build or
// use gw.
package vmlab

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kernels by the Debian suites that have them.
const (
	Newest   = "trixie-backports" // has zero-copy in igb and virtio_net
	Debian13 = "trixie"
	Debian12 = "bookworm"
)

//go:embed apt.sh qemu.sh kernel.sh busybox.sh
var scripts embed.FS

// Cache returns the folder for lists and kernels, some 300 MB per kernel.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for kernels: %w", err)
	}
	return filepath.Join(dir, "gw-vmlab"), nil
}

// Packages installs QEMU if it is not there. It needs root, then.
func Packages(ctx context.Context, cache string) error {
	_, err := script(ctx, "qemu.sh", cache)
	return err
}

// Kernel returns the folder with the kernel of a Debian suite: vmlinuz, and modules with its modules.
func Kernel(ctx context.Context, cache, suite string) (string, error) {
	out, err := script(ctx, "kernel.sh", cache, suite)
	return strings.TrimSpace(out), err
}

// Shell returns a static busybox, which is a POSIX shell when it is called sh: for scripts, in a guest that else has none.
func Shell(ctx context.Context, cache string) (string, error) {
	out, err := script(ctx, "busybox.sh", cache)
	return strings.TrimSpace(out), err
}

// script runs one of the scripts and returns what it printed. What it complains of becomes the error.
func script(ctx context.Context, name string, args ...string) (string, error) {
	dir, err := os.MkdirTemp("", "vmlab")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, scripts); err != nil {
		return "", err
	}
	var out, complaints bytes.Buffer
	c := exec.CommandContext(ctx, "bash", append([]string{filepath.Join(dir, name)}, args...)...)
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, complaints.String())
	}
	return out.String(), nil
}
