package vmlab

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/cavaliergopher/cpio"
)

// Order is what the guest's /init is told to do, in the file /order.json.
type Order struct {
	Modules []string // files of kernel modules, to be loaded in this order
	Command []string // with arguments
	Env     []string // as in os/exec, all of it
}

// OrderFile is where it stands in the guest.
const OrderFile = "/order.json"

// image writes an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst): files by their path in the guest.
func (m *Machine) image(w io.Writer) error {
	found, err := modules(filepath.Join(m.Kernel, "modules"), m.Modules)
	if err != nil {
		return err
	}
	a := archive{cpio.NewWriter(w)}
	for _, dir := range []string{"bin", "dev", "etc", "mods", "proc", "root", "run", "sys", "tmp"} {
		if err := a.put(dir, cpio.TypeDir|0o755, nil); err != nil {
			return err
		}
	}
	order := Order{Command: m.Command, Env: m.Env}
	for _, mod := range found {
		file := "/mods/" + mod.name + ".ko"
		order.Modules = append(order.Modules, file)
		if err := a.put(file, cpio.TypeReg|0o644, mod.image); err != nil {
			return err
		}
	}
	for to, from := range m.Files {
		data, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("take %s: %w", path.Base(to), err)
		}
		if err := a.put(to, cpio.TypeReg|0o755, data); err != nil {
			return err
		}
	}
	data, err := json.Marshal(order)
	if err != nil {
		return err
	}
	if err := a.put(OrderFile, cpio.TypeReg|0o644, data); err != nil {
		return err
	}
	return a.w.Close()
}

// archive is a cpio archive that is being written.
type archive struct{ w *cpio.Writer }

func (a archive) put(name string, mode cpio.FileMode, data []byte) error {
	if err := a.w.WriteHeader(&cpio.Header{Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
		return fmt.Errorf("put %s into the initramfs: %w", name, err)
	}
	if _, err := a.w.Write(data); err != nil {
		return fmt.Errorf("put %s into the initramfs: %w", name, err)
	}
	return nil
}
