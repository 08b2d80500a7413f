package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
)

// newRemoteAllow makes gw remote allow, which changes who may send to a VNI.
func newRemoteAllow() *cobra.Command {
	c := &cobra.Command{Use: "allow", Short: "Say who may send to a VNI", Args: noArgs,
		Long: `Say who may send to a VNI: without a list anyone may, and is learned of. WHO is the address of a VTEP, a network, or the word
remotes: those that the VNI floods to, and those that static, permanent and extern_learn entries of its FDB name.
What others send is dropped in XDP and counted as remote_not_allowed. What is changed so holds until gw stops or reads
its file again (SIGHUP): the file wins.

  gw remote allow add remotes --vni 42            the first one keeps all others out
  gw remote allow add 10.65.133.0/24 --vni 42
  gw remote allow del 10.65.133.0/24 --vni 42
  gw remote allow off --vni 42                    anyone may send again
  gw remote allow show`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	for _, v := range []struct{ verb, short string }{{"add", "Let one more VTEP or network send"}, {"del", "Let one less send"}} {
		var t target
		var vni uint32
		one := &cobra.Command{Use: v.verb + " WHO --vni VNI", Short: v.short, RunE: func(c *cobra.Command, args []string) error {
			err := errors.New("who? (an address, a network, or the word remotes)")
			if len(args) == 1 {
				_, err = config.ParseAllowed(args[0])
			}
			if err == nil {
				err = checkVNI(vni)
			}
			if err != nil {
				return usageError{fmt.Errorf("remote allow %s: %w", v.verb, err)}
			}
			return change(c, &t, "remote/allow/"+v.verb, control.AllowChange{VNI: vni, Who: args[0]})
		}}
		one.Flags().Uint32Var(&vni, "vni", 0, "the VNI")
		verbFlags(one, &t)
		c.AddCommand(one)
	}
	c.AddCommand(newRemoteAllowOff(), newRemoteAllowShow())
	return c
}

func newRemoteAllowOff() *cobra.Command {
	var t target
	var vni uint32
	c := &cobra.Command{Use: "off --vni VNI", Short: "Let anyone send", Args: noArgs, RunE: func(c *cobra.Command, _ []string) error {
		if err := checkVNI(vni); err != nil {
			return usageError{fmt.Errorf("remote allow off: %w", err)}
		}
		return change(c, &t, "remote/allow/off", control.VNIName{VNI: vni})
	}}
	c.Flags().Uint32Var(&vni, "vni", 0, "the VNI")
	t.flags(c)
	return c
}

func newRemoteAllowShow() *cobra.Command {
	var t target
	var vni uint32
	c := &cobra.Command{Use: "show [--vni VNI]", Aliases: []string{"list", "lst"}, Args: noArgs,
		Short: "Show who may send to VNIs, and how many packets of others were dropped in XDP",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := statusOf(c, &t)
			if err != nil {
				return err
			}
			return showAllowed(os.Stdout, s.VNIs, vni, t.json)
		}}
	c.Flags().Uint32Var(&vni, "vni", 0, "only this VNI")
	t.flags(c)
	return c
}

// allowedLine is a VNI in the JSON of gw remote allow show.
type allowedLine struct {
	VNI     uint32   `json:"vni"`
	Allow   []string `json:"allow"` // null: anyone
	Refused uint64   `json:"refused"`
}

func showAllowed(out io.Writer, vnis []control.VNI, only uint32, asJSON bool) error {
	lines := []allowedLine{}
	for _, v := range vnis {
		if only == 0 || v.VNI == only {
			lines = append(lines, allowedLine{v.VNI, v.Allow, v.Refused})
		}
	}
	switch {
	case only != 0 && len(lines) == 0:
		return fmt.Errorf("remote allow show: there is no vni %d (gw vni show lists those there are)", only)
	case asJSON:
		return printJSON(out, lines)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "VNI\tMAY SEND\tREFUSED\n")
	for _, l := range lines {
		who := "anyone"
		if l.Allow != nil {
			who = fewNames(l.Allow)
		}
		fmt.Fprintf(w, "%d\t%s\t%d\n", l.VNI, who, l.Refused)
	}
	return w.Flush()
}

// allowFlag enters what --allow says into v, an element of vnis in a file.
func allowFlag(c *cobra.Command) (enter func(v map[string]any)) {
	var allow []string
	c.Flags().StringSliceVar(&allow, "allow", nil, allowUsage)
	return func(v map[string]any) {
		if c.Flags().Changed("allow") {
			v["allow"] = allow
		}
	}
}

const allowUsage = "who may send: an address, a network, or the word remotes; repeatable (default anyone)"
