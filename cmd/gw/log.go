package main

import (
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"vxgw/config"
)

// newLogger logs to standard error: text on a terminal, JSON otherwise, unless the
// configuration says.
func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // not reached: Validate checked it
	}
	opts := &slog.HandlerOptions{Level: level}
	text := c.Format == "text"
	if c.Format == "auto" {
		_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
		text = err == nil
	}
	if text {
		return slog.New(slog.NewTextHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, opts))
}
