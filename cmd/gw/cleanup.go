package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vxgw/gateway"
)

func newCleanup() *cobra.Command {
	var iface string
	c := &cobra.Command{
		Use:   "cleanup --iface IFACE",
		Short: "Put back what a killed gateway left (the next start on IFACE does the same)",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if iface == "" {
				return usageError{errors.New("cleanup: --iface is missing (name the underlay interface of the killed gateway)")}
			}
			if err := ifaceName(iface); err != nil {
				return err
			}
			undone, err := gateway.Cleanup(iface)
			for _, u := range undone {
				fmt.Println("put back:", u)
			}
			return err
		},
	}
	c.Flags().StringVar(&iface, "iface", "", "underlay interface of the killed gateway")
	return c
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		Run:   func(*cobra.Command, []string) { fmt.Println("gw", gateway.Version) },
	}
}
