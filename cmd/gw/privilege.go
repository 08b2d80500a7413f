package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"vxgw/gateway"
)

// dropPrivileges takes from the process what a running gateway has no use for. files are what it writes to, or reads again;
// an empty name stands for none.
func dropPrivileges(log *slog.Logger, g *gateway.Gateway, files ...string) {
	err := g.DropPrivileges(os.Geteuid() == 0 && ofOthers(files))
	if errors.Is(err, errors.ErrUnsupported) {
		log.Debug("capabilities are kept: this gw is linked with C code (build it with make)")
	} else if err != nil {
		log.Warn("capabilities that are not needed any more are kept", "err", err)
	}
}

// ofOthers reports whether some files, or the folders that they are in, belong to others than root. Without
// CAP_DAC_OVERRIDE root is a user like any other.
func ofOthers(files []string) bool {
	for _, f := range files {
		if f == "" {
			continue
		}
		for _, path := range []string{f, filepath.Dir(f)} {
			info, err := os.Stat(path)
			if err != nil {
				continue
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
				return true
			}
		}
	}
	return false
}
