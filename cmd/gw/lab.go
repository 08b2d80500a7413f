package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/internal/demo"
)

func newLabs() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Build hosts made of namespaces with VTEPs on them, and leave them standing (as root)",
		Long: `lab builds one of three networks out of network namespaces and veth pairs, with gw or the kernel's vxlan device on each
host, for tests that want an overlay and have no NIC for it. It touches nothing of the machine's own network.

  gw lab up --scenario ptp         host1 and host2, which know one another
  gw lab up --scenario multicast   host1, host2 and host3, which share a group
  gw lab up --scenario bridge      the same with containers: net1 and net2 on host1, net3 on host2, net4 on host3
  gw lab exec host1 -- CMD         runs CMD there; the exit status is that of CMD
  gw lab status
  gw lab down

What a gw writes can be read in /proc/PID/fd/2, with the pid that status shows.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var name string
	c.PersistentFlags().StringVar(&name, "name", demo.DefaultLab, "name of the lab; several may stand side by side")
	c.AddCommand(newLabUp(&name), newLabStatus(&name), newLabExec(&name), newLabDown(&name))
	return c
}

func newLabUp(name *string) *cobra.Command {
	var scenario, vtep string
	c := &cobra.Command{
		Use:   "up --scenario ptp|multicast|bridge",
		Short: "Build a lab, and return when frames can flow",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("lab: find this program: %w", err)
			}
			ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
			defer cancel()
			if err := demo.Up(ctx, demo.NewLabOptions(program, *name, scenario, vtep)); err != nil {
				return labUse(err)
			}
			return labStatus(ctx, *name, false)
		},
	}
	c.Flags().StringVar(&scenario, "scenario", "", "ptp, multicast or bridge")
	c.Flags().StringVar(&vtep, "vtep", "gw", "what is on the hosts: gw, kernel, or mixed (gw on host1, the kernel on the others)")
	return c
}

func newLabStatus(name *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who is where in a lab, and whether its VTEPs work (exit status 1: one does not)",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return labStatus(c.Context(), *name, asJSON)
		},
	}
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "print JSON")
	return c
}

// labStatus prints it also where something is wrong.
func labStatus(ctx context.Context, name string, asJSON bool) error {
	s, err := demo.Status(ctx, name)
	if err != nil {
		return labUse(err)
	}
	if asJSON {
		err = printJSON(os.Stdout, s)
	} else {
		err = s.Print(os.Stdout)
	}
	return errors.Join(err, s.Broken())
}

func newLabExec(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "exec HOST -- CMD [ARGS]",
		Short: "Run a command in a host or container of a lab",
		Args: func(c *cobra.Command, args []string) error {
			if c.ArgsLenAtDash() != 1 || len(args) < 2 {
				return usageError{errors.New("lab exec: want a host or container, -- and a command (gw lab exec host1 -- ping -c 1 172.17.1.3)")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return labUse(demo.Exec(*name, args[0], args[1:])) },
	}
}

func newLabDown(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove a lab with all that runs in it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			there, err := demo.Down(*name)
			if err == nil && !there {
				fmt.Printf("there is no lab %s: nothing to remove\n", *name)
			}
			return labUse(err)
		},
	}
}

// labUse tells bad usage from what went wrong.
func labUse(err error) error {
	var bad demo.UseError
	if errors.As(err, &bad) {
		return usageError{err}
	}
	return err
}
