package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/fromkernel"
)

// newConfigFromKernel makes gw config from-kernel.
func newConfigFromKernel() *cobra.Command {
	var iface string
	c := &cobra.Command{Use: "from-kernel DEVICE [--iface IFACE]", Short: "Print the file that does what a vxlan device of the kernel does",
		Long: `Print the file that does what a vxlan device of the kernel does: its options, the VTEPs that it floods to, static FDB entries,
addresses, and the ports of its bridge. What has no equivalent stands in comments, with the commands to switch over.
Nothing is changed.

  gw config from-kernel vxlan0 > /etc/gw/ens18.yaml`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("config from-kernel: which device? (one name; ip -d link show type vxlan lists them)")}
			}
			found, err := fromkernel.Read(args[0], iface)
			if err != nil {
				return fmt.Errorf("config from-kernel: %w", err)
			}
			text, err := fromkernel.Write(found)
			if err != nil {
				return fmt.Errorf("config from-kernel: %w", err)
			}
			if _, err := os.Stdout.Write(text); err != nil {
				return err
			}
			if _, err := config.Parse(text, "this file"); err != nil {
				return fmt.Errorf("config from-kernel: the file wants a change: %v", err)
			}
			return nil
		}}
	c.Flags().StringVar(&iface, "iface", "", "its underlay (default: its dev, or what the route to its remote goes by)")
	return c
}
