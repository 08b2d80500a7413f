package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"vxgw/control"
)

// newNeigh makes gw neigh, whose verbs take the words of ip-neighbour(8) after them.
func newNeigh() *cobra.Command {
	c := &cobra.Command{Use: "neigh", Aliases: []string{"neighbour", "neighbor"}, Args: noArgs,
		Short: "Look at the neighbours that ARP and ND are answered for, and change them, in the words of ip-neighbour(8)",
		Long: `Look at the neighbours that ARP and ND are answered for, and change them, in the words of ip-neighbour(8). A VNI has some
where neigh_suppress is on. DEV is a VNI's name, like gw42. REACHABLE ones were seen in traffic, and age; STALE ones were seen too,
but not whether they are routers, and are not answered for before; PERMANENT ones were entered by hand, NOARP ones by a control
plane, and what is seen does not move those. Whoever is behind a tunnel by the MAC table is answered for (gw fdb show).

  gw neigh show dev gw42
  gw neigh add 172.17.1.9 lladdr 02:00:00:00:00:01 dev gw42             permanent
  gw neigh replace fe80::9 lladdr 02:00:00:00:00:01 dev gw42 router     the same, whether or not it is there
  gw neigh del 172.17.1.9 dev gw42
  gw neigh flush dev gw42                                               what was seen; nud all: everything`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newNeighShow(), newNeighFlush())
	for _, v := range []struct{ verb, use, short string }{
		{"add", neighWords, "Enter at which MAC address an IP address is, unless there is an entry"},
		{"replace", neighWords, "Enter at which MAC address an IP address is, whatever was there"},
		{"del", "ADDRESS dev DEV [vlan ID]", "Delete an entry"},
	} {
		c.AddCommand(newNeighVerb(v.verb, v.use, v.short))
	}
	return c
}

const (
	neighWords       = "ADDRESS lladdr MAC dev DEV [vlan ID] [nud permanent | noarp | reachable] [router] [extern_learn]"
	neighFilterWords = "[[to] PREFIX] [dev DEV] [vlan ID] [lladdr MAC] [nud permanent | noarp | reachable | stale | all]"
)

func newNeighShow() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:     "show " + neighFilterWords,
		Aliases: []string{"list", "lst"},
		Short:   "List the entries as ip-neighbour(8) does",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := parseNeighFilter(args)
			if err != nil {
				return usageError{fmt.Errorf("neigh show: %w", err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			all, err := client.Neighbours(c.Context(), f)
			if err != nil {
				return err
			}
			if t.json {
				return printJSON(os.Stdout, all)
			}
			for _, n := range all {
				fmt.Println(n)
			}
			return nil
		},
	}
	t.flags(c)
	return c
}

func newNeighFlush() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   "flush " + neighFilterWords,
		Short: "Delete the entries that all the words choose",
		Long: `Delete the entries that all the words choose, at least one of them. As with ip-neighbour(8) permanent and noarp ones stay
unless nud names them, or all.`,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := parseNeighFilter(args)
			if err == nil && f == (control.NeighFilter{}) {
				err = errors.New("which ones? (say dev DEV, or to PREFIX)")
			}
			if err != nil {
				return usageError{fmt.Errorf("neigh flush: %w", err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			n, err := client.FlushNeighbours(c.Context(), f)
			if err == nil && t.json {
				return printJSON(os.Stdout, control.Flushed{Removed: n})
			}
			return err
		},
	}
	t.flags(c)
	return c
}

func newNeighVerb(verb, use, short string) *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   verb + " " + use,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			change, err := parseNeighChange(verb, args)
			if err != nil {
				return usageError{fmt.Errorf("neigh %s: %w", verb, err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			return client.ChangeNeighbour(c.Context(), verb, change)
		},
	}
	if verb == "del" {
		c.Aliases = []string{"delete"}
	}
	t.flags(c)
	return c
}

// printNeighs writes what became of questions for neighbours, of VNIs that suppress them.
func printNeighs(w io.Writer, vnis []control.VNI) {
	suppressing := slices.DeleteFunc(slices.Clone(vnis), func(v control.VNI) bool { return v.Neigh == nil })
	if len(suppressing) == 0 {
		return
	}
	fmt.Fprintf(w, "\nVNI\tNEIGHBOURS\tANSWERED\tSUPPRESSED\tLEARNED\tMOVED\tREFUSED\n")
	some, more := urgent(suppressing, func(v *control.VNI) int {
		if v.Neigh.Full() {
			return 1
		}
		return 0
	})
	for _, v := range some {
		n, refused := v.Neigh, uint64(0)
		for _, r := range n.Refused {
			refused += r
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\n", v.VNI, n.Entries, n.Answered, n.Suppressed, n.Learned, n.Moved, refused)
	}
	sayMore(w, more, "VNIs with neigh_suppress")
}
