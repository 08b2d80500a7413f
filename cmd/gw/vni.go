package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
)

// newVNI makes gw vni, which adds and removes bridge domains of a running gateway.
func newVNI() *cobra.Command {
	c := &cobra.Command{Use: "vni", Short: "Add, change, remove and show the VNIs of a running gateway", Args: noArgs,
		Long: `Add, change, remove and show the VNIs of a running gateway. When a command returns without error, frames flow accordingly;
no frame of another VNI is lost. What is changed so holds until gw stops or reads its file again (SIGHUP): the file wins.

  gw vni add 43 --remote 10.65.132.188 --address 172.17.43.2/24    with a device, gw43
  gw vni add 44 --group 224.1.1.1 --port veth1                     with a port, and no device
  gw vni add 45 --no-device                                        waits for ports: gw port add
  gw vni add 10100-10199 --remote 10.65.132.188 --port eth1:100-199  VLANs of a trunk
  gw vni add 46 --group 224.1.1.1 --flood=false --storm broadcast=100,multicast=100
  gw vni set 43 --ttl inherit --df set                             other outer headers from now on
  gw vni show 43
  gw vni del 43
  gw vni del 10100-10199                                           all of them, or none`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newVNIAdd(), newVNISet(), newVNIDel(), newVNIShow())
	return c
}

// newVNIAdd posts what would be an element of vnis in a file. What a flag does not say
// is as the file has it for all.
func newVNIAdd() *cobra.Command {
	var t target
	var remotes, ports, addresses []string
	var group, device string
	var noDevice bool
	var mtu uint
	c := &cobra.Command{Use: "add VNI [flags]", Short: "Add a VNI, or a range of them"}
	f := c.Flags()
	f.StringSliceVar(&remotes, "remote", nil, "VTEP that gets a copy of every flooded frame; repeatable")
	f.StringVar(&group, "group", "", "multicast group that flooded frames go to")
	f.StringSliceVar(&ports, "port", nil, "existing interface to bridge, or NAME:VLAN as for gw port add --vlan; repeatable. Of a range of VNIs: a range of VLANs")
	f.StringVar(&device, "device", "", "name of the interface to make for this host (default gw<VNI> where no --port is given)")
	f.BoolVar(&noDevice, "no-device", false, "make no interface for this host, also where no --port is given")
	f.StringSliceVar(&addresses, "address", nil, "address with prefix length for that interface; repeatable")
	f.UintVar(&mtu, "mtu", 0, "MTU of that interface (default what the underlay's leaves, whatever that is at any time)")
	f.Bool("learning", true, "learn where addresses are")
	f.String("ageing", "", "how long an address is remembered unused, such as 300s; 0s for ever")
	f.Uint32("maxaddress", 0, "most entries, 0 for no limit (default 100000)")
	flooding, neighbours, allow := floodingFlags(c), neighFlags(c), allowFlag(c)
	_, options := tunnelFlags(f)
	t.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		vni, err := vniOrRange(args)
		if err != nil {
			return usageError{fmt.Errorf("vni add: %w", err)}
		}
		if noDevice && (device != "" || len(addresses) > 0 || mtu > 0) {
			return usageError{errors.New("vni add: --no-device does not go with --device, --address and --mtu (leave it out)")}
		}
		v, tunnel := map[string]any{"vni": vni}, map[string]any{}
		given := func(into map[string]any, name string, value any) {
			if c.Flags().Changed(name) {
				into[name] = value
			}
		}
		if c.Flags().Changed("remote") {
			v["remotes"] = remotes
		}
		if c.Flags().Changed("port") {
			list := []map[string]string{}
			for _, s := range ports {
				p := map[string]string{}
				var vlan string
				var ruled bool
				if p["name"], vlan, ruled = strings.Cut(s, ":"); ruled {
					p["vlan"] = vlan
				}
				list = append(list, p)
			}
			v["ports"] = list
		}
		given(v, "group", group)
		switch {
		case noDevice:
			v["device"] = nil
		case device != "" || len(addresses) > 0 || mtu > 0:
			d := map[string]any{"addresses": addresses}
			if mtu > 0 {
				d["mtu"] = mtu
			}
			if device != "" {
				d["name"] = device
			}
			v["device"] = d
		}
		text := func(name string) string { return c.Flags().Lookup(name).Value.String() }
		for _, name := range []string{"learning", "maxaddress"} {
			given(v, name, json.RawMessage(text(name)))
		}
		given(v, "ageing", text("ageing"))
		if err := options(tunnel); err != nil {
			return usageError{fmt.Errorf("vni add: %w", err)}
		}
		if err := flooding(v); err != nil {
			return usageError{fmt.Errorf("vni add: %w", err)}
		}
		neighbours(v)
		allow(v)
		if len(tunnel) > 0 {
			v["tunnel"] = tunnel
		}
		return change(c, &t, "vni/add", v)
	}
	return c
}

// newVNISet posts the keys of such an element that are to be others.
func newVNISet() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "set VNI [flags]", Aliases: []string{"change"}, Short: "Change how a VNI's outer headers are made and judged",
		Long: `Change how a VNI's outer headers are made, and what is asked of those that come. What no flag names stays as it is.`}
	_, options := tunnelFlags(c.Flags())
	t.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		vni, err := vniArg(args)
		tunnel := map[string]any{}
		if err == nil {
			err = options(tunnel)
		}
		if err == nil && len(tunnel) == 0 {
			err = errors.New("set what? (such as --ttl inherit; gw vni set --help lists all)")
		}
		if err != nil {
			return usageError{fmt.Errorf("vni set: %w", err)}
		}
		return change(c, &t, "vni/set", map[string]any{"vni": vni, "tunnel": tunnel})
	}
	return c
}

func newVNIDel() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "del VNI", Aliases: []string{"delete"}, Short: "Remove a VNI, or a range of them, with their devices",
		RunE: func(c *cobra.Command, args []string) error {
			var r control.VNIRange
			first, last, isRange := strings.Cut(strings.Join(args, " "), "-")
			vni, err := vniArg(args)
			if isRange && len(args) == 1 {
				if vni, err = vniArg([]string{first}); err == nil {
					r.Last, err = vniArg([]string{last})
				}
			}
			if r.VNI = vni; err != nil {
				return usageError{fmt.Errorf("vni del: %w", err)}
			}
			return change(c, &t, "vni/del", r)
		}}
	t.flags(c)
	return c
}

func newVNIShow() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "show [VNI]", Aliases: []string{"list", "lst"}, Short: "Show the VNIs as they are configured now",
		Long: `Show the VNIs as they are configured now. With -j they are what could stand as vnis in a file.`,
		RunE: func(c *cobra.Command, args []string) error {
			only := uint32(0)
			if len(args) > 0 {
				var err error
				if only, err = vniArg(args); err != nil {
					return usageError{fmt.Errorf("vni show: %w", err)}
				}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			all, err := client.VNIs(c.Context())
			if err != nil {
				return err
			}
			return showVNIs(os.Stdout, all, only, t.json)
		}}
	t.flags(c)
	return c
}

// showVNIs prints all VNIs, or the one that is asked for.
func showVNIs(out io.Writer, all []json.RawMessage, only uint32, asJSON bool) error {
	texts, vnis := []json.RawMessage{}, []config.VNI{}
	for _, text := range all {
		var v config.VNI
		if err := json.Unmarshal(text, &v); err != nil {
			return fmt.Errorf("vni show: read the answer: %w", err)
		}
		if only == 0 || v.VNI == only {
			texts, vnis = append(texts, text), append(vnis, v)
		}
	}
	if only != 0 && len(vnis) == 0 {
		return fmt.Errorf("vni show: there is no vni %d (gw vni show lists those there are)", only)
	}
	if asJSON {
		return printJSON(out, texts)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "VNI\tDEVICE\tADDRESSES\tPORTS\tGROUP\tREMOTES\tLEARNING\tAGEING\tMAXADDRESS\tNEIGH\tFLOOD\n")
	for _, v := range vnis {
		device, addresses, group := "", []string{}, ""
		if v.Device != nil {
			device = v.Device.Name
			for _, a := range v.Device.Addresses {
				addresses = append(addresses, a.String())
			}
		}
		if v.Group.IsValid() {
			group = v.Group.String()
		}
		var ports, remotes []string
		for _, p := range v.Ports {
			if p.Trunk() {
				p.Name += ":" + p.VLAN.String()
			}
			ports = append(ports, p.Name)
		}
		for _, r := range v.Remotes {
			remotes = append(remotes, r.String())
		}
		ageing, _ := v.Ageing.MarshalText() // never fails
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", v.VNI, orDash(device), orDash(fewNames(addresses)),
			orDash(fewNames(ports)), orDash(group), orDash(fewNames(remotes)), onOff(v.Learning), ageing, v.MaxAddress, neighText(&v), floodingText(&v))
	}
	return w.Flush()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// vniArg reads the only argument.
func vniArg(args []string) (uint32, error) {
	if err := strayBool(args); err != nil {
		return 0, err
	}
	if len(args) != 1 {
		return 0, errors.New("which VNI? (one number, 1-16777215)")
	}
	n, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil || n == 0 || n > config.MaxVNI {
		return 0, fmt.Errorf("vni %q is out of range (give 1-%d)", args[0], config.MaxVNI)
	}
	return uint32(n), nil
}

// vniOrRange reads the only argument as it would stand in a file.
func vniOrRange(args []string) (any, error) {
	if len(args) == 1 && strings.Contains(args[0], "-") {
		return args[0], nil
	}
	return vniArg(args)
}

// change has the gateway carry out a verb.
func change(c *cobra.Command, t *target, verb string, body any) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	return client.Change(c.Context(), verb, body)
}
