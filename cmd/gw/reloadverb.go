package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// newReload makes gw reload, which does what SIGHUP does and says what came of it.
func newReload() *cobra.Command {
	var t target
	var dry bool
	c := &cobra.Command{Use: "reload", Short: "Have a running gateway read its file again, as a whole or not at all", Args: noArgs,
		Long: `Have a running gateway read its file again, with the flags and variables that it was started with. It is carried out as a whole, or
refused with the reason, and then everything stays as it was. kill -HUP does the same and does not wait for the answer.

What changes is printed, a setting or an element of a list a line: - goes, + comes. Also what verbs have changed since goes back
to what the file says. With --dry-run that is all: nothing changes. Interfaces that are to come are looked at, but whether they
can be bound, a group joined or an address given shows only when it is done.

  gw reload --dry-run && gw reload`,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := t.client()
			if err != nil {
				return err
			}
			done, err := client.Reload(c.Context(), dry)
			if err != nil {
				return err
			}
			if t.json {
				return printJSON(os.Stdout, done)
			}
			for _, line := range done.Changes {
				fmt.Println(line)
			}
			if len(done.Changes) == 0 {
				fmt.Println("nothing changes")
			}
			return nil
		}}
	t.flags(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change, or why it would be refused")
	return c
}
