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

func newDemo() *cobra.Command {
	var keep, remove bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show gw at work between hosts made of namespaces (as root; takes a few seconds)",
		Long: `demo builds three networks out of network namespaces, runs gw in them beside the kernel's vxlan device, pings, and
shows what happened. It touches nothing of the machine's own network and removes everything at the end.
The exit status is 0 only if every check passed.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case keep && remove:
				return usageError{errors.New("demo: --keep and --remove do not go together (give one of them)")}
			case remove:
				return removeDemos()
			}
			return runDemo(keep)
		},
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave everything standing, and say how to look around")
	c.Flags().BoolVar(&remove, "remove", false, "remove what --keep, or a killed demo, has left")
	return c
}

// runDemo shows this very program. A closed terminal or pipe ends it as Ctrl-C does, so that nothing stays.
func runDemo(keep bool) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: find this program: %w", err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	defer cancel()
	_, err = unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS)
	return demo.Run(ctx, demo.Options{
		Program: program,
		Out:     os.Stdout,
		Colour:  err == nil && os.Getenv("NO_COLOR") == "",
		Keep:    keep,
	})
}

func removeDemos() error {
	removed, err := demo.Remove()
	for _, name := range removed {
		fmt.Println("removed", name)
	}
	return err
}
