package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"vxgw/control"
)

// newFDB makes gw fdb, whose verbs take the words of bridge(8) after them.
func newFDB() *cobra.Command {
	c := &cobra.Command{Use: "fdb", Short: "Look at the MAC tables and change them, in the words of bridge(8)", Args: noArgs,
		Long: `Look at the MAC tables and change them, in the words of bridge(8). DEV is a VNI's name, like gw42, or a port:

  gw fdb add 02:00:00:00:00:01 dev gw42 dst 10.65.132.188             a host behind a VTEP, permanent
  gw fdb replace 02:00:00:00:00:01 dev gw42 dst 10.65.132.189         the same, whether or not it is there
  gw fdb add 02:00:00:00:00:02 dev veth1 master static                a host behind a port
  gw fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189          one more VTEP that is flooded to
  gw fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189 port 8472 vni 100    with a UDP port and a VNI of its own
  gw fdb del 00:00:00:00:00:00 dev gw42 dst 10.65.132.189
  gw fdb history 02:00:00:00:00:01                                    how it moved`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newFDBShow(), newFDBFlush(), newFDBMonitor(), newFDBHistory())
	for _, v := range []struct{ verb, use, short string }{
		{"add", entryWords, "Enter where an address is, unless there is an entry"},
		{"replace", entryWords, "Enter where an address is, whatever was there"},
		{"append", "00:00:00:00:00:00 dev DEV dst ADDRESS [port PORT] [vni VNI]", "Add a VTEP that is flooded to"},
		{"del", "MAC dev DEV [dst ADDRESS [port PORT] [vni VNI]] [self | master]", "Delete an entry, or a VTEP that is flooded to"},
		{"get", "MAC dev DEV [self | master]", "Print one entry"},
	} {
		c.AddCommand(newFDBVerb(v.verb, v.use, v.short))
	}
	return c
}

const entryWords = "MAC dev DEV {dst ADDRESS [port PORT] [vni VNI] [self] | master} [permanent | static | dynamic] [extern_learn]"

func newFDBShow() *cobra.Command {
	var t target
	show := &cobra.Command{
		Use:     "show [br VNI-NAME] [dev DEV] " + filterWords,
		Aliases: []string{"list", "lst"},
		Short:   "List the entries as bridge(8) does",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := parseFilter(args)
			if err != nil {
				return usageError{fmt.Errorf("fdb show: %w", err)}
			}
			return listFDB(&t, func(client *control.Client) ([]control.FDBEntry, error) {
				all, err := client.FDB(c.Context())
				if err != nil {
					return nil, err
				}
				dstport, err := checkNames(c.Context(), client, &f)
				return slices.DeleteFunc(all, func(e control.FDBEntry) bool { return !f.Match(&e, dstport) }), err
			})
		},
	}
	t.flags(show)
	return show
}

// checkNames refuses names that the gateway does not know: no entry matches them, and
// silence would hide what was mistyped. It returns the UDP port of the gateway where f needs it.
func checkNames(ctx context.Context, client *control.Client, f *control.FDBFilter) (dstport uint16, err error) {
	if f.Br+f.Dev+f.Brport == "" && f.Port == nil {
		return 0, nil
	}
	s, err := client.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range s.Ports { // entries have the names of the configuration
		for _, name := range []*string{&f.Dev, &f.Brport} {
			if *name != "" && *name == p.Renamed {
				*name = cmp.Or(p.Device, p.Name)
			}
		}
	}
	for _, name := range []string{f.Br, f.Dev, f.Brport} {
		known := func(v control.VNI) bool { return v.Name == name || slices.Contains(v.Ports, name) }
		if name != "" && !slices.ContainsFunc(s.VNIs, known) {
			return 0, fmt.Errorf("fdb: %s is neither a VNI nor a port of this gateway (gw status lists them)", name)
		}
	}
	return s.Underlay.DstPort, nil
}

func newFDBFlush() *cobra.Command {
	var t target
	flush := &cobra.Command{
		Use:   "flush dev DEV " + filterWords,
		Short: "Delete the entries of a VNI or a port",
		Long: `Delete the entries of a VNI or a port, or those among them that all the words behind it choose. What is flooded
to stays, and so do the addresses of gw's own devices.`,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := parseFilter(args)
			if err == nil && f.Dev == "" {
				err = errors.New("dev is missing (name a VNI, like gw42, or a port)")
			}
			if err != nil {
				return usageError{fmt.Errorf("fdb flush: %w", err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			n, err := client.FlushFDB(c.Context(), f)
			if err == nil && t.json {
				return printJSON(os.Stdout, control.Flushed{Removed: n})
			}
			return err
		},
	}
	t.flags(flush)
	return flush
}

const filterWords = "[brport PORT] [dst ADDRESS] [port PORT] [vni VNI] [src_vni VNI] [self | master] [[no]permanent | [no]static | [no]dynamic] [[no]extern_learn]"

// listFDB prints entries that the gateway is asked for.
func listFDB(t *target, ask func(*control.Client) ([]control.FDBEntry, error)) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	entries, err := ask(client)
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(os.Stdout, entries)
	}
	for _, e := range entries {
		fmt.Println(e)
	}
	return nil
}

func newFDBVerb(verb, use, short string) *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   verb + " " + use,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			change, err := parseChange(verb, args)
			if err != nil {
				return usageError{fmt.Errorf("fdb %s: %w", verb, err)}
			}
			return changeFDB(c.Context(), &t, verb, change)
		},
	}
	if verb == "del" {
		c.Aliases = []string{"delete"}
	}
	t.flags(c)
	return c
}

func changeFDB(ctx context.Context, t *target, verb string, change control.FDBChange) error {
	if verb == "get" {
		return listFDB(t, func(client *control.Client) ([]control.FDBEntry, error) { return client.GetFDB(ctx, change) })
	}
	client, err := t.client()
	if err != nil {
		return err
	}
	return client.ChangeFDB(ctx, verb, change)
}
