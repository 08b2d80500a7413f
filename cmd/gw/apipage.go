package main

import (
	"os"

	"github.com/spf13/cobra"

	"vxgw/control"
)

//go:generate go run . api-page ../../docs/api.md

// newAPIPage makes the command by which docs/api.md is made. It is for whoever changes gw, and
// not listed.
func newAPIPage() *cobra.Command {
	return &cobra.Command{Use: "api-page FILE", Short: "Write the description of the API", Hidden: true, Args: oneFile,
		RunE: func(_ *cobra.Command, args []string) error {
			return os.WriteFile(args[0], []byte(control.Page()), 0o644)
		}}
}
