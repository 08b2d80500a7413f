package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/doctor"
	"vxgw/netdev"
)

// foundError is an exit status that findings stand behind, which have been printed.
type foundError int

func (e foundError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newDoctor() *cobra.Command {
	flags := config.DefaultFlags()
	var file string
	var probe, asJSON bool
	c := &cobra.Command{
		Use:   "doctor [--iface IFACE] [--port PORT] [flags]",
		Short: "Say what of this machine is in a gateway's way, and the command that helps; before gw runs, or while",
		Long: `Say what of this machine is in a gateway's way, and the command that helps; before gw runs, or while it does. Nothing is changed.

  gw doctor --iface ens18 --port veth1
  gw doctor --config /etc/gw/ens18.yaml
  gw doctor                               the gateway that runs here, or the machine alone

Each finding is ok, a warning or an error; docs/doctor.md has all ids. The mode that would bind is asked by binding a socket to
a queue and letting it go, as far as no NIC is disturbed. With --probe an XDP program that passes everything is attached meanwhile, which
resets many NICs: not on one that is in use. Without root it says what it could not see. The exit status is 0 where all is
well, 1 with warnings, 2 with errors (and for bad usage).`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := examined(c, flags, file)
			if err != nil {
				return err
			}
			o.Probe = probe
			report := doctor.Examine(o)
			if asJSON {
				err = printJSON(os.Stdout, report)
			} else {
				err = printReport(os.Stdout, report, colourful(os.Stdout))
			}
			if worst := report.Worst(); err == nil && worst > doctor.OK {
				err = foundError(worst)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&flags.Iface, "iface", "", "underlay interface (default: that of the only gateway that runs here)")
	f.StringSliceVar(&flags.Ports, "port", nil, "interface that is, or would be, a port; repeatable")
	f.UintSliceVar(&flags.VNIs, "vni", nil, "VXLAN network identifier; repeatable")
	f.StringSliceVar(&flags.Remotes, "remote", nil, "VTEP that gets a copy of every flooded frame; repeatable")
	f.StringVar(&flags.Group, "group", "", "multicast group that flooded frames go to")
	f.UintVar(&flags.DstPort, "dstport", flags.DstPort, "UDP port of VXLAN")
	f.StringVar(&flags.Mode, "mode", flags.Mode, "how to bind: auto, zerocopy, copy or generic")
	f.UintVar(&flags.Workers, "workers", flags.Workers, "threads that move frames")
	f.StringVar(&flags.Metrics, "metrics", flags.Metrics, "address of /metrics for Prometheus, empty for none")
	f.StringVar(&flags.Control, "control", "", "path of the API socket of a gateway that runs")
	f.StringVar(&file, "config", "", "YAML or JSON file that describes everything; not with the flags above")
	f.BoolVar(&probe, "probe", false, "attach an XDP program for a moment, to know the mode for certain: resets many NICs")
	f.BoolVarP(&asJSON, "json", "j", false, "print JSON")
	c.AddCommand(newDoctorDocument())
	return c
}

//go:generate go run . doctor document ../../docs/doctor.md

// newDoctorDocument makes the command by which docs/doctor.md is made. It is for whoever changes gw, and not listed.
func newDoctorDocument() *cobra.Command {
	return &cobra.Command{Use: "document FILE", Short: "Write the list of checks", Hidden: true, Args: oneFile,
		RunE: func(_ *cobra.Command, args []string) error {
			return os.WriteFile(args[0], []byte(doctor.Document()), 0o644)
		}}
}

// examined is what to look at: what the file or the flags describe, and the gateway that runs there.
func examined(c *cobra.Command, flags config.Flags, file string) (o doctor.Options, err error) {
	if file != "" {
		for _, name := range []string{"iface", "port", "vni", "remote", "group", "dstport", "mode", "workers", "metrics", "control"} {
			if c.Flags().Changed(name) {
				return o, usageError{fmt.Errorf("--config and --%s do not go together (write it into the file)", name)}
			}
		}
		o.Config, err = config.Load(file)
	} else {
		o.Config, err = partly(flags)
	}
	if err != nil {
		return o, err
	}
	iface := o.Config.Underlay.Iface
	if err := ifaceName(iface); err != nil {
		return o, err
	}
	t := target{iface: iface, path: o.Config.Control.Path}
	if iface == "" && t.path == "" {
		if found, err := underlays(); err != nil || len(found) == 0 {
			o.Paths = netdev.PathsFor("*") // none is named: only their folder is looked at
			return o, err
		}
	}
	client, err := t.client()
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s, err := client.Status(ctx); err == nil {
		o.Running = &s
		o.Config.Underlay.Iface = cmp.Or(iface, s.Underlay.Name)
		if !c.Flags().Changed("dstport") && file == "" {
			o.Config.Underlay.DstPort = s.Underlay.DstPort
		}
	} else if !errors.Is(err, control.ErrNotRunning) && iface == "" {
		return o, err
	}
	o.Paths = netdev.PathsFor(startedAs(o.Config.Underlay.Iface))
	return o, nil
}

// partly makes a configuration of flags of which some may be missing that a gateway needs.
func partly(flags config.Flags) (*config.Config, error) {
	iface, vnis := flags.Iface, flags.VNIs
	if iface == "" {
		flags.Iface = "lo" // stands for one that is not named
	}
	if len(vnis) == 0 {
		flags.VNIs = []uint{1} // likewise
	}
	cfg, err := config.FromFlags(flags)
	if err != nil {
		return nil, err
	}
	cfg.Underlay.Iface = iface
	if len(vnis) == 0 {
		cfg.VNIs[0].VNI = 0 // no VNI, whose ports and remotes are known
	}
	return cfg, nil
}

// colourful reports whether a file is a terminal that is to have colours (no-color.org).
func colourful(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("NO_COLOR") == ""
}

// printReport writes findings by group, and then what could not be seen.
func printReport(out io.Writer, r doctor.Report, colour bool) error {
	w := bufio.NewWriter(out)
	wide := 0
	for _, f := range r.Findings {
		wide = max(wide, len(f.ID))
	}
	for _, u := range r.Unseen {
		wide = max(wide, len(u.ID))
	}
	group, count := "", map[doctor.Level]int{}
	for _, f := range r.Findings {
		if f.Group != group {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat("\n", min(len(group), 1)), strings.ToUpper(f.Group))
			group = f.Group
		}
		count[f.Level]++
		fmt.Fprintf(w, "  %s  %-*s  %s\n", painted(f.Level, colour), wide, f.ID, about(f.Subject, f.Text))
		if f.Cure != "" {
			fmt.Fprintf(w, "  %7s  %*s  cure: %s\n", "", wide, "", f.Cure)
		}
	}
	if len(r.Unseen) > 0 {
		fmt.Fprintf(w, "\nNOT SEEN\n")
	}
	for _, u := range r.Unseen {
		text := about(u.Subject, u.Text)
		if u.Cure != "" {
			text += " (" + u.Cure + ")"
		}
		fmt.Fprintf(w, "  %7s  %-*s  %s\n", "", wide, u.ID, text)
	}
	fmt.Fprintf(w, "\nok %d, warnings %d, errors %d, not seen %d\n", count[doctor.OK], count[doctor.Warning], count[doctor.Error], len(r.Unseen))
	return w.Flush()
}

func about(subject, text string) string {
	if subject == "" {
		return text
	}
	return subject + ": " + text
}

// colours of levels, as terminals have them (ECMA-48, SGR).
var colours = map[doctor.Level]string{doctor.OK: "\x1b[32m", doctor.Warning: "\x1b[33m", doctor.Error: "\x1b[31m"}

func painted(l doctor.Level, colour bool) string {
	word := fmt.Sprintf("%-7s", l)
	if !colour {
		return word
	}
	return colours[l] + word + "\x1b[0m"
}
