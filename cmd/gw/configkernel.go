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
	c := &cobra.Command{Use: "from-kernel DEVICE... [--iface IFACE]", Short: "Print the file that does what vxlan devices of the kernel do",
		Long: `Print the file that does what vxlan devices of the kernel do: their options, the VTEPs that they flood to, static FDB entries,
addresses, and the ports of their bridges. Several devices are VNIs of one file, which wants them to have one underlay, local address and
dstport. The name of a bridge stands for all vxlan devices in it; a port that is in VLANs of several is a trunk then. What has no
equivalent stands in comments, with the commands to switch over. Nothing is changed.

What cannot be taken over: external devices, those with vnifilter among them, whose VNIs are set for each packet (each wants an element of
vnis); the spanning tree; the options of bridge ports that gw has for a whole VNI or not at all (docs/kernel-compat.md); neighbours of proxy
and of neigh_suppress; what was learned.

  gw config from-kernel vxlan0 > /etc/gw/ens18.yaml
  gw config from-kernel vxlan10 vxlan20
  gw config from-kernel br0`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("config from-kernel: which device? (one name or more; ip -d link show type vxlan lists them)")}
			}
			found, err := fromkernel.ReadAll(args, iface)
			if err != nil {
				return fmt.Errorf("config from-kernel: %w", err)
			}
			text, err := fromkernel.Write(found...)
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
