package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"vxgw/config"
)

// variable is the environment variable that stands for a flag: GW_LOG_LEVEL for --log-level.
func variable(flag string) string { return "GW_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) }

// takeEnvironment gives flags that the command line does not the values of their variables. It returns what each flag that is given
// is called: --iface or GW_IFACE.
func takeEnvironment(f *pflag.FlagSet) (from map[string]string, err error) {
	from = map[string]string{}
	f.VisitAll(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		text, set := os.LookupEnv(name)
		switch {
		case flag.Name == "help" || flag.Name == takeoverFlag || flag.Name == versionFlag || err != nil: // no settings
		case flag.Changed:
			from[flag.Name] = "--" + flag.Name
		case set && text == "" && flag.Name != "metrics": // empty: none of them
			err = usageError{fmt.Errorf("%s is empty (give a value, or unset it)", name)}
		case set:
			from[flag.Name] = name
			if bad := f.Set(flag.Name, text); bad != nil {
				why := bad.Error()
				why = why[strings.LastIndex(why, ": ")+1:]
				err = usageError{fmt.Errorf("%s: %q:%s", name, text, why)}
			}
		}
	})
	return from, err
}

// namedIn names the variables in an error about flags whose values they gave.
func namedIn(err error, from map[string]string) error {
	var bad *config.Error
	if !errors.As(err, &bad) {
		return err
	}
	var variables []string
	for _, flag := range slices.Sorted(maps.Keys(from)) {
		if name := from[flag]; strings.HasPrefix(name, "GW_") {
			bad.Problem = strings.ReplaceAll(bad.Problem, "--"+flag+":", name+":")
			bad.Problem = strings.ReplaceAll(bad.Problem, "--"+flag+" ", name+" ")
			variables = append(variables, name)
		}
	}
	if len(variables) > 0 {
		bad.Problem += " (from the environment: " + strings.Join(variables, ", ") + ")"
	}
	return bad
}
