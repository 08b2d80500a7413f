package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/stats"
)

// gw stats: two looks at the status -> what was counted, and rates between them
// (package stats) -> tables for people (statstable.go), or JSON.

func newStats() *cobra.Command {
	var t target
	var every time.Duration
	c := &cobra.Command{
		Use:   "stats [--watch[=INTERVAL]]",
		Short: "Show what a running gateway moves, and what it drops and why",
		Long: `Show what a running gateway moved since its start: by interface and queue, by VNI and by remote; and what was
dropped, by reason: by gw itself, and by the kernel on the way to it. RX is what gw received, so of a device it is what
the host sent. VNIs and remotes count what went through tunnels, without the outer headers.

With --watch it looks again and again, and shows rates; until Ctrl-C. On a terminal it redraws the screen, else it appends.

  gw stats
  gw stats --watch
  gw stats --watch=5s >> stats.log
  gw stats -j | jq '.drops[] | select(.frames > 0)'
  gw stats -j --watch                              one JSON object a line`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && every > 0 {
				if _, err := time.ParseDuration(args[0]); err == nil {
					return usageError{fmt.Errorf("unknown argument %q (write --watch=%s)", args[0], args[0])}
				}
			}
			return noArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case !c.Flags().Changed("watch"):
				return showStats(c.Context(), &t, os.Stdout)
			case every < leastWatch:
				return usageError{fmt.Errorf("--watch=%v is too short (the least is %v)", every, leastWatch)}
			}
			ctx, cancel := signal.NotifyContext(c.Context(), unix.SIGINT, unix.SIGTERM)
			defer cancel()
			err := watchStats(ctx, &t, every)
			if ctx.Err() != nil {
				return nil // asked to stop
			}
			return err
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&every, "watch", 0, "show rates, anew after each interval")
	c.Flags().Lookup("watch").NoOptDefVal = "1s"
	return c
}

// leastWatch is the shortest interval: each look interrupts the workers.
const leastWatch = 100 * time.Millisecond

func showStats(ctx context.Context, t *target, out io.Writer) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	s, err := look(ctx, client)
	if err != nil {
		return err
	}
	lines := stats.Make(&s, nil)
	if t.json {
		return printJSON(out, lines)
	}
	return printStats(out, lines)
}

// look asks for the status of a gateway that runs.
func look(ctx context.Context, client *control.Client) (s control.Status, err error) {
	if s, err = client.Status(ctx); err == nil && !s.Ready {
		err = errors.New("the gateway is stopping")
	}
	if err != nil {
		err = fmt.Errorf("stats: %w", err)
	}
	return s, err
}

// watchStats prints until ctx ends or the gateway is gone.
func watchStats(ctx context.Context, t *target, every time.Duration) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	_, drawn := terminalRows()
	show := appendStats
	switch drawn = drawn && !t.json; {
	case t.json:
		show = func(s stats.Stats) error { return json.NewEncoder(os.Stdout).Encode(s) }
	case drawn:
		show = redraw
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before *control.Status
	for {
		s, err := look(ctx, client)
		if err != nil {
			return err
		}
		// Where lines are appended, the first look has no rates to tell.
		if before != nil || drawn {
			if err := show(stats.Make(&s, before)); err != nil {
				return err
			}
		}
		before = &s
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// appendStats prints tables with the time and an empty line behind them.
func appendStats(s stats.Stats) error {
	var text bytes.Buffer
	fmt.Fprintln(&text, time.Now().Format(time.RFC3339))
	if err := printStats(&text, s); err != nil {
		return err
	}
	fmt.Fprintln(&text)
	_, err := text.WriteTo(os.Stdout)
	return err
}

// terminalRows is how many lines standard output shows, if it is a terminal.
func terminalRows() (rows int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if size.Row == 0 { // unknown, as on a serial line (tty_ioctl(4))
		return 24, true
	}
	return int(size.Row), true
}

// redraw shows the tables in place of the last ones, as far as they fit.
func redraw(s stats.Stats) error {
	var text bytes.Buffer
	if err := printStats(&text, s); err != nil {
		return err
	}
	rows, _ := terminalRows() // which may have changed
	_, err := io.WriteString(os.Stdout, screen(text.String(), rows))
	return err
}

// Sequences of terminals (ECMA-48; the first two of DEC's VT100: long lines are cut).
const (
	wrapOff  = "\x1b[?7l"
	wrapOn   = "\x1b[?7h"
	home     = "\x1b[H"
	clearEnd = "\x1b[K" // of the line
	clearAll = "\x1b[J" // from here on
)

// screen is text for a terminal of that many rows, the last of which stays empty.
func screen(text string, rows int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if most := max(rows-1, 2); len(lines) > most {
		more := len(lines) - most + 1
		lines = append(lines[:most-1], fmt.Sprintf("%d more lines (gw stats shows all)", more))
	}
	return wrapOff + home + strings.Join(lines, clearEnd+"\n") + clearEnd + "\n" + clearAll + wrapOn
}
