package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
)

// newPort makes gw port, which changes what a VNI bridges.
func newPort() *cobra.Command {
	c := &cobra.Command{Use: "port", Short: "Add, remove and show the interfaces that a VNI bridges", Args: noArgs,
		Long: `Add, remove and show the interfaces that a VNI bridges. What is changed so holds until gw stops or reads its file
again (SIGHUP): the file wins.

  gw port add veth2 --vni 42
  gw port add veth3 --vni 42 --isolated      reaches tunnels, the device and ports that are not isolated
  gw port add veth4 --vni 42 --vlan strip    VLAN tags come off, as RFC 7348 has it; keep (the default) and drop
  gw port add eth1 --vni 42 --vlan 100       VLAN 100 of a trunk, whose other VLANs are for other VNIs
  gw port add eth1 --vni 43 --vlan untagged  its native VLAN
  gw port del veth2
  gw port del eth1 --vlan 100
  gw port show`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	for _, v := range []struct{ verb, use, short string }{
		{"add", "add IFACE --vni VNI [--isolated] [--vlan VLAN [--tpid TPID]]", "Bridge one more interface"},
		{"del", "del IFACE [--vni VNI] [--vlan VLAN]", "Give an interface back"},
	} {
		var t target
		var p control.PortChange
		one := &cobra.Command{Use: v.use, Short: v.short, RunE: func(c *cobra.Command, args []string) error {
			err := errors.New("which interface? (one name)")
			if len(args) == 1 && args[0] != "" {
				p.Name, err = args[0], nil
			}
			if err == nil && (v.verb == "add" || p.VNI != 0) {
				err = checkVNI(p.VNI)
			}
			if err == nil {
				err = checkTags(p)
			}
			if err != nil {
				return usageError{fmt.Errorf("port %s: %w", v.verb, err)}
			}
			return change(c, &t, "port/"+v.verb, p)
		}}
		one.Flags().Uint32Var(&p.VNI, "vni", 0, "the VNI")
		one.Flags().StringVar(&p.VLAN, "vlan", "", "what becomes of VLAN tags: keep, strip or drop; or which VLAN of a trunk it is: 1-4094 or untagged")
		if v.verb == "add" {
			one.Flags().StringVar(&p.TPID, "tpid", "", "kind of the trunk's tags: 802.1Q (the default) or 802.1ad")
			one.Flags().BoolVar(&p.Isolated, "isolated", false, "keep it from other isolated ports of the VNI")
		}
		verbFlags(one, &t)
		c.AddCommand(one)
	}
	c.AddCommand(newPortShow())
	return c
}

func newPortShow() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "show", Aliases: []string{"list", "lst"}, Args: noArgs, Short: "Show the ports and devices of all VNIs",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := statusOf(c, &t)
			switch {
			case err != nil:
				return err
			case t.json:
				return printJSON(os.Stdout, s.Ports)
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "PORT\tVNI\tVLAN\tDEVICE\tSTATE\tXDP\tMODE\tQUEUES\tMTU\tISOLATED\tREASON\n")
			for _, p := range s.Ports {
				for _, v := range uses(p) {
					state := "down"
					switch {
					case v.Gone:
						state = "gone"
					case p.Up:
						state = "up"
					}
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", p.Name, v.VNI, v.VLAN, orDash(p.Device), state,
						orDash(p.XDP), orDash(modes(p.Queues)), len(p.Queues), p.MTU, onOff(v.Isolated), p.Reason)
				}
			}
			return w.Flush()
		}}
	t.flags(c)
	return c
}

// uses are the VLANs of a trunk, or the one use of another port.
func uses(p control.Port) []control.PortVLAN {
	if len(p.VLANs) > 0 {
		return p.VLANs
	}
	return []control.PortVLAN{{VLAN: cmp.Or(p.VLANRule, "keep"), VNI: p.VNI, Isolated: p.Isolated, Gone: p.Gone}}
}

// checkTags refuses what no gateway takes.
func checkTags(p control.PortChange) error {
	var vlan config.VLAN
	var tpid config.TPID
	if p.VLAN != "" {
		if err := vlan.UnmarshalText([]byte(p.VLAN)); err != nil {
			return fmt.Errorf("--vlan: %w", err)
		}
	}
	if p.TPID != "" {
		if err := tpid.UnmarshalText([]byte(p.TPID)); err != nil {
			return fmt.Errorf("--tpid: %w", err)
		}
	}
	return nil
}
