package main

import (
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/logs"
)

// newLogger logs to standard error: text on a terminal, JSON otherwise, unless the
// configuration says. Its handler is a *logs.Handler.
func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // not reached: Validate checked it
	}
	opts := &slog.HandlerOptions{Level: slog.LevelDebug} // of which logs.Handler leaves out what is below the level
	text := c.Format == "text"
	if c.Format == "auto" {
		_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
		text = err == nil
	}
	var out slog.Handler = slog.NewJSONHandler(os.Stderr, opts)
	if text {
		out = slog.NewTextHandler(os.Stderr, opts)
	}
	return slog.New(logs.New(out, level))
}
