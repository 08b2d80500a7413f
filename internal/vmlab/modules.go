package vmlab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is a kernel module, ready to be loaded.
type module struct {
	name  string
	image []byte
}

// modules finds kernel modules with all they depend on below dir, in an order in which they can be loaded. What the kernel has
// built in is left out.
func modules(dir string, names []string) ([]module, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	err = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(real, "modules.builtin"))
	listed := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(builtin)) {
		name := strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko")
		files[moduleName(name)] = ""
	}
	s := search{files: files, listed: listed, seen: map[string]bool{}}
	for _, name := range names {
		if err := s.add(moduleName(name)); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// moduleName is how the kernel writes it.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// search goes through dependencies, depth first.
type search struct {
	files  map[string]string // "" if built in
	listed bool              // it is known what is built in; newer packages do not tell
	seen   map[string]bool
	found  []module
}

func (s *search) add(name string) error {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	path, ok := s.files[name]
	if !ok && s.listed {
		return fmt.Errorf("this kernel has no module %s", name)
	}
	if path == "" {
		return nil
	}
	image, err := decompress(path)
	if err != nil {
		return err
	}
	for _, needed := range dependencies(image) {
		if err := s.add(moduleName(needed)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	s.found = append(s.found, module{name, image})
	return nil
}

// decompress reads a module.
func decompress(path string) ([]byte, error) {
	switch filepath.Ext(path) {
	case ".ko":
		return os.ReadFile(path)
	case ".xz":
		image, err := exec.Command("xz", "-dc", path).Output()
		if err != nil {
			return nil, fmt.Errorf("xz -dc %s: %w", path, err)
		}
		return image, nil
	}
	return nil, errors.New(path + ": only .ko and .ko.xz can be read")
}

// dependencies reads what a module says of itself in its section .modinfo: strings that end with a zero byte.
func dependencies(image []byte) []string {
	_, after, ok := bytes.Cut(image, []byte("\x00depends="))
	if !ok {
		return nil
	}
	list, _, _ := bytes.Cut(after, []byte{0})
	return strings.FieldsFunc(string(list), func(r rune) bool { return r == ',' })
}
