// Command gw is a VXLAN tunnel end point in user space: it bridges local ports and
// VXLAN tunnels over AF_XDP.
//
// Exit status: 0 stopped as asked, 1 failed while running, 2 bad usage or
// configuration, 3 handed over to another gateway. That of gw doctor says what it
// found.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and returns the exit status. Each problem is one
// line on standard error.
func execute(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.Execute()
	switch err {
	case nil:
		return 0
	case errHandedOver:
		return 3
	}
	if found := foundError(0); errors.As(err, &found) { // it has been said what
		return int(found)
	}
	fmt.Fprintln(os.Stderr, "gw:", oneLine(err))
	return exitStatus(err)
}

// oneLine is an error's text, joined ones side by side: who reads logs by lines
// gets all of it.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

// usageError marks what cobra finds wrong with a command line.
type usageError struct{ error }

// Unwrap returns cobra's own error.
func (e usageError) Unwrap() error { return e.error }

func exitStatus(err error) int {
	var usage usageError
	var bad *config.Error
	if errors.As(err, &usage) || errors.As(err, &bad) || errors.Is(err, control.ErrInvalid) {
		return 2
	}
	return 1
}

// versionFlag is no setting.
const versionFlag = "version"

func newRoot() *cobra.Command {
	run := newRun()
	root := &cobra.Command{
		Use:   "gw --iface IFACE --vni VNI [flags]",
		Short: "VXLAN gateway over AF_XDP",
		Long: `gw is a VXLAN tunnel end point (VTEP) in user space. It takes frames from AF_XDP rings, bridges them
between local ports and VXLAN tunnels, and sends them from the same memory.

  gw --iface ens18 --vni 42 --remote 10.65.132.188 --address 172.17.1.2/24   point to point
  gw --iface ens18 --vni 42 --group 224.1.1.1 --address 172.17.1.2/24        multicast
  gw --iface ens18 --vni 42 --group 224.1.1.1 --port veth1                   bridge a container
  gw --iface ens18 --vni 42                                                  learn VTEPs that speak first
  gw --config /etc/gw/gw.yaml                                                everything in a file, read again on SIGHUP

Each flag has a variable in the environment, such as GW_IFACE and GW_LOG_LEVEL: a flag wins over its variable, that over
the file, that over the default (gw config show says what it came to).

gw vni, gw remote, gw port, gw fdb and gw neigh change it while it runs, gw status shows it.`,
		Args:          noArgs,
		RunE:          run.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.Version = gateway.Version
	root.SetVersionTemplate("gw {{.Version}}\n")
	root.Flags().Bool(versionFlag, false, "print the version, as gw version does")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		text := err.Error()
		if what, why, found := strings.Cut(text, ": strconv."); found { // Go's own words for it
			text = what + why[strings.LastIndex(why, ":"):]
		}
		return usageError{fmt.Errorf("%s (%s --help lists the flags)", text, c.CommandPath())}
	})
	root.AddCommand(run, newStatus(), newStats(), newDoctor(), newFDB(), newNeigh(), newVNI(), newRemote(), newPort(), newDemo(), newLabs(), newBench(), newHandOver(), newCleanup(), newConfig(), newReference(), newMetricsReference(), newAPIPage(), newMan(), newVersion())
	root.AddCommand(newExplain(), newLog(), newCapture(), newReload())
	complete(root)
	return root
}

// strayBool refuses true and false as arguments: most likely they were meant for the flag in front of them.
func strayBool(args []string) error {
	for _, a := range args {
		if a == "true" || a == "false" {
			return fmt.Errorf("%q belongs to no flag (one that is true or false has its value behind =, as in --udpcsum=%s)", a, a)
		}
	}
	return nil
}

// oneFile refuses anything but one argument, the file or folder to write.
func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s: which file or folder? (one path)", strings.TrimPrefix(c.CommandPath(), "gw "))}
	}
	return nil
}

// noArgs refuses arguments behind the flags, a mistyped command among them.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if err := strayBool(args); err != nil {
		return usageError{err}
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	advice := c.CommandPath() + " --help lists what there is"
	if near := config.Nearest(args[0], names); len(near) > 0 {
		path := c.CommandPath() + " "
		advice = "did you mean " + path + strings.Join(near, " or "+path) + "?"
	}
	return usageError{fmt.Errorf("unknown command or argument %q (%s)", args[0], advice)}
}
