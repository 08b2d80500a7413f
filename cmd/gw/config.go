package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vxgw/config"
)

// newConfig makes gw config, which is about files and needs neither a gateway nor root.
func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check a file, show what is in effect, describe what may stand in a file", Args: noArgs,
		Long: `Check a file, show what is in effect, and describe what may stand in a file. Only what asks a running gateway needs one.

  gw config check /etc/gw/gw.yaml && systemctl reload gw@ens18
  gw config from-kernel vxlan0              the file that does what a device of the kernel does
  gw config show /etc/gw/gw.yaml            every setting, and where it came from; without a file those of a running gateway
  gw config schema > gw.schema.json`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newConfigCheck(), newConfigShow(), newConfigFromKernel(), newConfigSchema())
	return c
}

func newConfigCheck() *cobra.Command {
	return &cobra.Command{Use: "check FILE", Short: "Say whether gw would accept a file, and if not why",
		Long: `Say whether gw would accept a file, and if not why, with the line. What the machine has, such as interfaces and
their addresses, is not looked at. The exit status is 0 or 2.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("config check: which file? (one path)")}
			}
			if _, err := config.Load(args[0]); err != nil {
				return err
			}
			fmt.Printf("%s is right\n", args[0])
			return nil
		}}
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON Schema of a file, for editors", Args: noArgs,
		Long: `Print the JSON Schema of a file (draft 2020-12), which editors complete and check by:

  # yaml-language-server: $schema=gw.schema.json`,
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(append(text, '\n'))
			return err
		}}
}
