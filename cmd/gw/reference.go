package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vxgw/config"
	"vxgw/dataplane"
)

//go:generate go run . reference ../../docs/reference.md

// newReference makes the command by which docs/reference.md is made. It is for whoever
// changes gw, and not listed.
func newReference() *cobra.Command {
	return &cobra.Command{Use: "reference FILE", Short: "Write the reference", Hidden: true, Args: oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			return os.WriteFile(args[0], []byte(reference(c.Root())), 0o644)
		}}
}

// reference is all that may stand in a file, all commands, and all verdicts.
func reference(root *cobra.Command) string {
	var out strings.Builder
	out.WriteString(`# Reference

Made from the code by ` + "`make generate`" + `: do not edit. Every setting of a file, every command with its flags, and everything that
may become of a frame.

- [Settings](#settings)
- [Environment](#environment)
- [Commands](#commands)
- [Verdicts](#verdicts)

## Settings

A file is YAML or JSON, read by ` + "`gw --config FILE`" + ` and again on SIGHUP; ` + "`gw config check FILE`" + ` says whether it is right, ` + "`gw config schema`" + `
prints its JSON Schema. ` + "`[]`" + ` stands for each element of a list. Those of ` + "`vnis`, `tunnel` and `remotes`" + ` and ` + "`log.level`" + ` may change while ` + "`gw`" + ` runs, the others
take effect at a start. The last column says what has the same effect with the kernel's devices.

`)
	writeSettings(&out)
	writeVariables(&out, root)
	out.WriteString("\n## Commands\n")
	writeCommand(&out, root)
	out.WriteString("\n## Verdicts\n\nEach frame received has exactly one. Those with a mark mean that it went on.\n\n| verdict | | meaning |\n|---|---|---|\n")
	for v := range dataplane.Verdict(dataplane.VerdictCount) {
		mark := "✓"
		if v.Drop() {
			mark = ""
		}
		if v > 0 { // the first is for frames that are still worked on
			fmt.Fprintf(&out, "| `%s` | %s | %s |\n", v, mark, v.Sentence())
		}
	}
	return out.String()
}

// writeVariables lists the variables of the flags of the gateway.
func writeVariables(out io.Writer, root *cobra.Command) {
	fmt.Fprint(out, `
## Environment

Each flag of `+"`gw`"+` itself has a variable. A flag wins over its variable, that over the file, that over the default; `+"`gw config show`"+` says what it came to.
Elements of a list have commas between them. Those marked go with a file, too (`+"`--config`, `GW_CONFIG`"+`), and win over what stands there, as their flags do.
An error names the variable. One that is set and empty is an error, but for `+"`GW_METRICS`"+`, which then means no metrics. Commands that ask a running gateway
take `+"`GW_CONTROL` and `GW_IFACE`"+`. In Kubernetes a service called `+"`gw`"+` makes a `+"`GW_PORT`"+` of another meaning: set `+"`enableServiceLinks: false`"+`.

| variable | flag | setting | with a file |
|---|---|---|---|
`)
	root.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == takeoverFlag || f.Name == versionFlag {
			return
		}
		path, beside := config.FlagPath(f.Name)
		mark := ""
		if f.Name == "config" {
			path, mark = "", "✓"
		} else {
			path = "`" + path + "`"
		}
		if beside {
			mark = "✓"
		}
		fmt.Fprintf(out, "| `%s` | `--%s` | %s | %s |\n", variable(f.Name), f.Name, path, mark)
	})
}

func writeSettings(out io.Writer) {
	fmt.Fprintf(out, "| key | value | default | meaning | kernel |\n|---|---|---|---|---|\n")
	for _, s := range config.Settings() {
		def := s.Default
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", s.Key, cell(s.Value), def, cell(s.Doc), s.Kernel)
	}
}

// cell is text for a table of Markdown, in which <x> is no tag.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(s)
}

// writeCommand describes a command, then those below it.
func writeCommand(out io.Writer, c *cobra.Command) {
	fmt.Fprintf(out, "\n### %s\n\n", c.CommandPath())
	what := c.Long
	if what == "" {
		what = c.Short + "."
	}
	fmt.Fprintf(out, "    %s\n\n%s\n", c.UseLine(), paragraphs(what))
	first := true
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			fmt.Fprintf(out, "\n| flag | meaning | default |\n|---|---|---|\n")
			first = false
		}
		name, def := "--"+f.Name, f.DefValue
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if def != "" && def != "[]" && def != "0" && def != "false" {
			def = "`" + def + "`"
		} else {
			def = ""
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, cell(f.Usage), def)
	})
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			writeCommand(out, sub)
		}
	}
}

// paragraphs makes help text Markdown: lines that stand further in are examples there.
func paragraphs(help string) string {
	lines := strings.Split(help, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "    " + strings.TrimPrefix(line, "  ")
			continue
		}
		lines[i] = cell(line)
	}
	return strings.Join(lines, "\n")
}
