package main

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"vxgw/gateway"
)

// newMan makes the command that writes the manual pages, one per command. It is for who
// installs gw, and not listed.
func newMan() *cobra.Command {
	return &cobra.Command{Use: "man DIR", Short: "Write the manual pages into a folder", Hidden: true, Args: oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			root.DisableAutoGenTag = true // which has the day of the build
			when := buildTime()
			return doc.GenManTree(root, &doc.GenManHeader{
				Title: "GW", Section: "8", Source: "gw " + gateway.Version, Manual: "System administration", Date: &when,
			}, args[0])
		}}
}

// buildTime is what SOURCE_DATE_EPOCH says (reproducible-builds.org), or the epoch.
func buildTime() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return time.Unix(seconds, 0).UTC()
}
