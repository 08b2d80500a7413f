package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"vxgw/gateway"
)

// watchdog tells systemd that the gateway works, three times in the time after which it is
// to be started anew (WatchdogSec= of systemd.service(5)). It says nothing when a worker
// or the steward does not answer. It returns when ctx ends, or at once where nobody wants to know.
func watchdog(ctx context.Context, log *slog.Logger, g *gateway.Gateway) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog is not told", "err", err)
	}
	if err != nil || limit == 0 {
		return
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if g.Alive(limit / 3) {
				notify(log, daemon.SdNotifyWatchdog)
			} else {
				log.Error("a worker does not answer: systemd's watchdog is not told")
			}
		}
	}
}
