package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/bench"
)

func newBench() *cobra.Command {
	var quick, asJSON, list bool
	var only []string
	var dir string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure gw on this machine: in memory, and as root against the kernel's vxlan device and others",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if list {
				return listCells(os.Stdout, quick, only)
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("bench: find this program: %w", err)
			}
			out := io.Writer(os.Stdout)
			if asJSON {
				out = os.Stderr
			}
			r, err := bench.Run(c.Context(), bench.Options{Program: program, Quick: quick, Only: only, Dir: dir, Out: out})
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			if asJSON {
				return printJSON(os.Stdout, r)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&quick, "quick", false, "take under two minutes instead of twenty")
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "print JSON with every turn, the table to standard error")
	c.Flags().StringVar(&dir, "out", "", "folder to write report.json and pictures (SVG) to")
	c.Flags().StringSliceVar(&only, "only", nil, "measure only cells that have one of these words in their names, and with memory what needs no kernel")
	c.Flags().BoolVar(&list, "list", false, "list the cells that would be measured")
	c.AddCommand(newForward())
	return c
}

// listCells prints what there is to measure.
func listCells(w io.Writer, quick bool, only []string) error {
	cells, err := bench.Cells(quick, only)
	if err != nil {
		return usageError{fmt.Errorf("bench: %w", err)}
	}
	for _, c := range cells {
		fmt.Fprintf(w, "%-24s %s\n", c.ID, c.What)
	}
	return nil
}

// newForward is what the bench runs beside gw.
func newForward() *cobra.Command {
	return &cobra.Command{
		Use:    "forward RINGS FROM TO CPU WAYS",
		Short:  "Move frames from link to link, as something to compare gw with",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := bench.ParseForward(args)
			if err != nil {
				return usageError{fmt.Errorf("bench forward: %w", err)}
			}
			ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
			defer cancel()
			if err := bench.Forward(ctx, f, func() { bench.SayReady(os.Stdout) }); err != nil {
				return fmt.Errorf("bench forward: %w", err)
			}
			return nil
		},
	}
}
