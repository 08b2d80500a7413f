package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
)

// newRemote makes gw remote, which changes whom a VNI floods to.
func newRemote() *cobra.Command {
	c := &cobra.Command{Use: "remote", Short: "Add, remove and show the VTEPs that a VNI floods to, and who may send", Args: noArgs,
		Long: `Add, remove and show the VTEPs that a VNI floods to, as gw fdb append and del of 00:00:00:00:00:00 do. What is changed
so holds until gw stops or reads its file again (SIGHUP): the file wins.

  gw remote add 10.65.132.189 --vni 42
  gw remote add 10.65.132.190 --vni 42 --port 8472 --remote-vni 100     in packets to it
  gw remote del 10.65.132.189 --vni 42
  gw remote show
  gw remote allow --help                                                who may send`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	for _, v := range []struct{ verb, short string }{{"add", "Flood to one more VTEP"}, {"del", "Flood to one VTEP less"}} {
		var t target
		var vni, other uint32
		var port uint16
		one := &cobra.Command{Use: v.verb + " ADDRESS --vni VNI [--port PORT] [--remote-vni VNI]", Short: v.short, RunE: func(c *cobra.Command, args []string) error {
			r, err := remoteArg(args, vni)
			r.Port, r.RemoteVNI = port, other
			if err == nil && other > config.MaxVNI {
				err = fmt.Errorf("--remote-vni %d is out of range (give 1-%d)", other, config.MaxVNI)
			}
			if err != nil {
				return usageError{fmt.Errorf("remote %s: %w", v.verb, err)}
			}
			return change(c, &t, "remote/"+v.verb, r)
		}}
		one.Flags().Uint32Var(&vni, "vni", 0, "the VNI")
		one.Flags().Uint16Var(&port, "port", 0, "UDP port of packets to it (default: the gateway's)")
		one.Flags().Uint32Var(&other, "remote-vni", 0, "VNI in the headers of packets to it (default: the VNI)")
		verbFlags(one, &t)
		c.AddCommand(one)
	}
	c.AddCommand(newRemoteShow(), newRemoteAllow())
	return c
}

// verbFlags gives a verb the flags that all have.
func verbFlags(c *cobra.Command, t *target) {
	if c.Name() == "del" {
		c.Aliases = []string{"delete"}
	}
	t.flags(c)
}

func remoteArg(args []string, vni uint32) (control.RemoteChange, error) {
	if len(args) != 1 {
		return control.RemoteChange{}, errors.New("which VTEP? (one address)")
	}
	a, err := netip.ParseAddr(args[0])
	if err != nil {
		return control.RemoteChange{}, fmt.Errorf("%q is not an IP address (give one like 10.65.132.188)", args[0])
	}
	return control.RemoteChange{VNI: vni, Address: a}, checkVNI(vni)
}

func checkVNI(vni uint32) error {
	switch {
	case vni == 0:
		return errors.New("--vni is missing (name the VNI)")
	case vni > config.MaxVNI:
		return fmt.Errorf("vni %d is out of range (give 1-%d)", vni, config.MaxVNI)
	}
	return nil
}

// flooded is a VTEP or group that a VNI floods to.
type flooded struct {
	VNI uint32 `json:"vni"`
	control.Remote
}

func newRemoteShow() *cobra.Command {
	var t target
	var vni uint32
	c := &cobra.Command{Use: "show [--vni VNI]", Aliases: []string{"list", "lst"}, Args: noArgs,
		Short: "Show whom VNIs flood to, and the ways there",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := statusOf(c, &t)
			if err != nil {
				return err
			}
			ways := map[string]control.Remote{}
			for _, r := range s.Remotes {
				ways[r.Name()] = r
			}
			all, known := []flooded{}, vni == 0
			for _, v := range s.VNIs {
				if vni != 0 && v.VNI != vni {
					continue
				}
				known = true
				for _, a := range append(slices.Clip(v.Remotes), v.Group) {
					if a != "" {
						all = append(all, flooded{v.VNI, ways[a]})
					}
				}
			}
			switch {
			case !known:
				return fmt.Errorf("remote show: there is no vni %d (gw vni show lists those there are)", vni)
			case t.json:
				return printJSON(os.Stdout, all)
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "VNI\tREMOTE\tSTATE\tNEXT HOP\tMAC\tMTU\tREASON\n")
			for _, r := range all {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\t%s\n", r.VNI, r.Name(), r.State, orDash(r.NextHop), orDash(r.MAC), r.MTU, r.Reason)
			}
			return w.Flush()
		}}
	c.Flags().Uint32Var(&vni, "vni", 0, "only this VNI")
	t.flags(c)
	return c
}

// statusOf asks for the status.
func statusOf(c *cobra.Command, t *target) (control.Status, error) {
	client, err := t.client()
	if err != nil {
		return control.Status{}, err
	}
	return client.Status(c.Context())
}
