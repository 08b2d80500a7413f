package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"vxgw/config"
)

// reload makes the gateway do what the file says now, or nothing, and tells so.
func reload(log *slog.Logger, g *served, load func() (config.Explained, error)) {
	if load == nil {
		log.Warn("SIGHUP: there is no file to read again (start gw with --config FILE, or use gw vni, gw remote and gw port)")
		return
	}
	begin := time.Now()
	notify(log, reloading())
	summary, err := g.reload(load)
	if err != nil {
		log.Error("the reload is refused, everything stays as it was", "err", err)
	} else {
		log.Info("reloaded", "changes", summary, "took", time.Since(begin).Round(time.Millisecond).String())
	}
	notify(log, daemon.SdNotifyReady)
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
