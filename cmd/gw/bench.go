package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vxgw/bench"
)

func newBench() *cobra.Command {
	var quick, asJSON bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure gw on this machine: in memory, and as root against the kernel's vxlan device",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("bench: find this program: %w", err)
			}
			out := io.Writer(os.Stdout)
			if asJSON {
				out = os.Stderr
			}
			r, err := bench.Run(c.Context(), bench.Options{Program: program, Quick: quick, Out: out})
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			if asJSON {
				return printJSON(os.Stdout, r)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&quick, "quick", false, "take under a minute instead of several")
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "print JSON with every turn, the table to standard error")
	return c
}
