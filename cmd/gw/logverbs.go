package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vxgw/control"
)

// newLog makes gw log, which changes what a running gateway logs.
func newLog() *cobra.Command {
	c := &cobra.Command{Use: "log", Short: "Look at what a running gateway logs, and change it", Args: noArgs,
		Long: `Look at what a running gateway logs, and change it. A level holds until gw stops or reads a file again that has another one; a VNI's
until gw stops. Of a VNI at level debug it is told which addresses come, move and go, whom it floods to, its neighbours, and what it drops, by reason.

  gw log level debug
  gw log vni 42 debug        and no other
  gw log vni 42 info         no longer
  gw log show`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newLogShow(), newLogLevel(), newLogVNI())
	return c
}

func newLogShow() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "show", Short: "Show the level, the VNIs at level debug, and how many lines were left out", Args: noArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := t.client()
		if err != nil {
			return err
		}
		s, err := client.Status(c.Context())
		if err != nil {
			return err
		}
		if t.json {
			return printJSON(os.Stdout, s.Log)
		}
		fmt.Printf("level %s\n", s.Log.Level)
		for _, v := range s.Log.Debug {
			fmt.Printf("vni %d debug\n", v)
		}
		fmt.Printf("left out %d\n", s.Log.LeftOut)
		return nil
	}}
	t.flags(c)
	return c
}

func newLogLevel() *cobra.Command {
	var t target
	levels := []string{"debug", "info", "warn", "error"}
	c := &cobra.Command{Use: "level debug | info | warn | error", Short: "Set the level of the log", ValidArgs: levels, RunE: func(c *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains(levels, args[0]) {
			return usageError{fmt.Errorf("log level: which one? (%s)", strings.Join(levels, ", "))}
		}
		return change(c, &t, "log", control.LogChange{Level: args[0]})
	}}
	verbFlags(c, &t)
	return c
}

func newLogVNI() *cobra.Command {
	var t target
	c := &cobra.Command{Use: "vni VNI debug | info", Short: "Have what happens in one VNI told, or no longer", RunE: func(c *cobra.Command, args []string) error {
		if len(args) != 2 || args[1] != "debug" && args[1] != "info" {
			return usageError{fmt.Errorf("log vni: give a VNI, and debug or info")}
		}
		vni, err := strconv.ParseUint(args[0], 10, 32)
		if err == nil {
			err = checkVNI(uint32(vni))
		}
		if err != nil {
			return usageError{fmt.Errorf("log vni: %s is no VNI (give 1-16777215)", args[0])}
		}
		return change(c, &t, "log", control.LogChange{VNI: uint32(vni), Debug: args[1] == "debug"})
	}}
	verbFlags(c, &t)
	return c
}
