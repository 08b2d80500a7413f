package lab

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// KernelHas reports whether the running kernel has a function of that name, by its own type information. Tests of what
// only newer kernels can do ask it, and not the code that they test. An error is a kernel without CONFIG_DEBUG_INFO_BTF.
func KernelHas(function string) (bool, error) {
	types, err := btf.LoadKernelSpec()
	if err != nil {
		return false, fmt.Errorf("look for %s in the kernel's types: %w", function, err)
	}
	var f *btf.Func
	err = types.TypeByName(function, &f)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return false, fmt.Errorf("look for %s in the kernel's types: %w", function, err)
	}
	return err == nil, nil
}
