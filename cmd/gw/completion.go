package main

import (
	"net"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagWords are the values that a shell offers for flags of a name, of whatever command.
var flagWords = map[string][]string{
	"mode":          {"auto", "zerocopy", "copy", "generic"},
	"poll":          {"adaptive", "busy", "interrupt"},
	"log-format":    {"auto", "text", "json"},
	"log-level":     {"debug", "info", "warn", "error"},
	"ttl":           {"auto", "inherit"},
	"tos":           {"inherit"},
	"df":            {"unset", "set", "inherit"},
	"udpcsumrx":     {"verify", "ignore"},
	"reserved-bits": {"ignore", "strict"},
}

// complete has shells offer values for the flags of a command and of those below it, where there are few: words, or interfaces.
func complete(c *cobra.Command) {
	offer := func(name string, words func() []string) {
		// Fails only for a flag that has some already: root and run share theirs.
		_ = c.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if words, ok := flagWords[f.Name]; ok {
			offer(f.Name, func() []string { return words })
		}
		if f.Name == "iface" {
			offer(f.Name, interfaces)
		}
	})
	for _, sub := range c.Commands() {
		complete(sub)
	}
}

// interfaces are those of this network namespace.
func interfaces() (names []string) {
	all, err := net.Interfaces()
	if err != nil { // then the shell has none to offer
		return nil
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}
