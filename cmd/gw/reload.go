package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
)

// errNoFile is why a gateway that flags describe reads nothing again.
var errNoFile = errors.New("there is no file to read again (start gw with --config FILE, or use gw vni, gw remote and gw port)")

// reload makes the gateway do what the file says now, or nothing, and tells so.
func (s *served) reload() (config.Changes, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.load == nil {
		return config.Changes{}, errNoFile
	}
	begin := time.Now()
	notify(s.log, reloading())
	var next config.Explained
	changes, err := s.Reload(func() (_ *config.Config, err error) {
		next, err = s.load()
		return next.Config, err
	})
	if err != nil {
		s.log.Error("the reload is refused, everything stays as it was", "err", err)
	} else {
		s.loaded.Store(&next)
		s.log.Info("reloaded", "changes", changes.String(), "took", time.Since(begin).Round(time.Millisecond).String())
	}
	notify(s.log, daemon.SdNotifyReady)
	return changes, err
}

// ReloadFile is reload, or with DryRun what that would do, for who asks by the API.
func (s *served) ReloadFile(r control.ReloadRequest) (control.Reloaded, error) {
	do := s.reload
	if r.DryRun {
		do = s.tryReload
	}
	changes, err := do()
	if err != nil {
		err = fmt.Errorf("reload: %w", err)
		if errors.As(err, new(*config.Error)) {
			err = control.Invalid{Err: err}
		}
		return control.Reloaded{}, err
	}
	lines := changes.Lines()
	if lines == nil {
		lines = []string{}
	}
	return control.Reloaded{Summary: changes.String(), Changes: lines}, nil
}

func (s *served) tryReload() (config.Changes, error) {
	if s.load == nil {
		return config.Changes{}, errNoFile
	}
	return s.TryReload(func() (*config.Config, error) {
		next, err := s.load()
		return next.Config, err
	})
}

// rereadable refuses what can be read once, such as a pipe of the shell's <(...): to wait for
// one who writes into it would keep everything else waiting too, the end of gw among that.
func rereadable(file string) error {
	info, err := os.Stat(file)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil // whoever reads it finds the words
	}
	return fmt.Errorf("%s is no regular file, and cannot be read again (start gw with one, or use gw vni, gw remote and gw port)", file)
}

// reloading is what systemd wants to hear at the beginning, with the time for units of
// Type=notify-reload (sd_notify(3)).
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return daemon.SdNotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000)
}

func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot tell systemd", "err", err)
	}
}
