package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newFDBMonitor() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   "monitor [br VNI-NAME] [dev DEV] " + filterWords,
		Short: "Print entries as they come, change and go, like bridge monitor fdb",
		Long: `Print entries as they come, change and go, like bridge monitor fdb, until it is interrupted or the gateway stops.
The gateway looks five times a second, less often at very large tables: what changes twice in between is printed
once. With -j each line is a JSON object.`,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := parseFilter(args)
			if err != nil {
				return usageError{fmt.Errorf("fdb monitor: %w", err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			dstport, err := checkNames(c.Context(), client, &f)
			if err != nil {
				return err
			}
			w, err := client.WatchFDB(c.Context())
			if err != nil {
				return err
			}
			defer w.Close()
			lines := json.NewEncoder(os.Stdout)
			for {
				e, err := w.Next()
				if err != nil {
					return fmt.Errorf("fdb monitor: %w", err)
				}
				switch {
				case !f.Match(&e.FDBEntry, dstport):
				case t.json:
					err = lines.Encode(e)
				default:
					_, err = fmt.Println(e)
				}
				if err != nil {
					return err
				}
			}
		},
	}
	t.flags(c)
	return c
}
