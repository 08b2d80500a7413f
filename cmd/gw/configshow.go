package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
)

// newConfigShow makes gw config show, for what a start would do and for what a gateway does.
func newConfigShow() *cobra.Command {
	var s settings
	var running, asJSON bool
	c := &cobra.Command{Use: "show [FILE | --running | flags of gw]", Short: "Print every setting that is in effect, and where it came from",
		Long: `Print every setting that is in effect, and where it came from: FILE:LINE, a flag, a variable of the environment, or the default. With a
file or the flags of gw it is what a start would do; without, or with --running, what the gateway does that runs here, where it also
says what verbs have changed. What is printed is a file that means the same; with -j it is JSON.

  gw config show /etc/gw/ens18.yaml
  gw config show --iface ens18 --vni 42
  gw config show                          of the only gateway that runs here
  gw config show --running --iface ens18 > gw.yaml`}
	s.add(c.Flags())
	c.Flags().BoolVar(&running, "running", false, "of a gateway that runs; --iface and --control say of which")
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > 1 || len(args) == 1 && (s.file != "" || running):
			return usageError{errors.New("config show: of what? (one file, --running, or the flags of gw)")}
		case len(args) == 1:
			s.file = args[0]
		case running || c.Flags().NFlag() == 0 || c.Flags().NFlag() == 1 && asJSON:
			err := showRunning(c, target{iface: s.flags.Iface, path: s.flags.Control}, asJSON)
			if running || !errors.Is(err, control.ErrNotRunning) || os.Getenv(variable("config"))+os.Getenv(variable("vni")) == "" {
				return err
			} // the environment says what a start would do
		}
		e, err := s.load(c.Flags())
		if err != nil {
			return err
		}
		return printConfig(e, asJSON)
	}
	return c
}

func showRunning(c *cobra.Command, t target, asJSON bool) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	answer, err := client.Config(c.Context())
	if err != nil {
		return err
	}
	cfg, err := config.Parse(answer.Config, "the answer of the gateway")
	if err != nil {
		return err
	}
	return printConfig(config.Explained{Config: cfg, Origins: answer.Origins}, asJSON)
}

func printConfig(e config.Explained, asJSON bool) error {
	text := e.YAML()
	if asJSON {
		var err error
		if text, err = json.MarshalIndent(e.Config, "", "  "); err != nil {
			return fmt.Errorf("config show: %w", err)
		}
		text = append(text, '\n')
	}
	_, err := os.Stdout.Write(text)
	return err
}
