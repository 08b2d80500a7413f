package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/netdev"
)

// target is how the commands that ask a running gateway find it.
type target struct {
	iface, path string
	json        bool
}

func (t *target) flags(c *cobra.Command) {
	t.which(c)
	c.Flags().BoolVarP(&t.json, "json", "j", false, "print JSON")
}

// which are the flags that name the gateway.
func (t *target) which(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.iface, "iface", "", "underlay interface of the gateway to ask (default: the only one that runs here)")
	f.StringVar(&t.path, "control", "", "path of its API socket")
}

// client returns a client of the gateway that the flags name, or of the only one
// in this network namespace.
func (t *target) client() (*control.Client, error) {
	if t.path+t.iface == "" { // as for the gateway itself
		t.path, t.iface = os.Getenv(variable("control")), os.Getenv(variable("iface"))
	}
	if t.path != "" {
		return control.NewClient(t.path), nil
	}
	if t.iface != "" {
		if err := ifaceName(t.iface); err != nil {
			return nil, err
		}
		return control.NewClient(netdev.PathsFor(startedAs(t.iface)).Socket), nil
	}
	found, err := underlays()
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%w in this network namespace (is it running? --control PATH names its socket)", control.ErrNotRunning)
	case len(found) > 1:
		return nil, usageError{fmt.Errorf("several gateways run here: choose one with --iface %s", strings.Join(found, " or --iface "))}
	}
	return control.NewClient(netdev.PathsFor(found[0]).Socket), nil
}

// ifaceName refuses a name that would lead out of the folder of our files. The
// interface itself may have gone.
func ifaceName(name string) error {
	if strings.Contains(name, "/") {
		return usageError{fmt.Errorf("--iface %s is no interface name (it has a slash)", name)}
	}
	return nil
}

// underlays lists the interfaces of this network namespace that lead to an API
// socket, those of killed gateways left out.
func underlays() ([]string, error) {
	pattern := netdev.PathsFor("*").Socket
	all, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("look for API sockets: %w", err)
	}
	var here []string
	for _, path := range all {
		prefix, suffix, _ := strings.Cut(pattern, "*")
		name := strings.TrimSuffix(strings.TrimPrefix(path, prefix), suffix)
		if netdev.PathsFor(name).Socket != path {
			continue
		}
		if _, err := netdev.Lookup(name); err != nil && foreign.MatchString(name) || stale(path) {
			continue // of another namespace, or of nobody
		}
		here = append(here, name)
	}
	return here, nil
}

// foreign is what the files of other namespaces look like in that of pid 1. Other
// names may be those of interfaces that were renamed.
var foreign = regexp.MustCompile(`^\d+-`)

// startedAs returns the name that the underlay called iface had when its gateway was
// started: files keep it when the interface is renamed.
func startedAs(iface string) string {
	if _, err := os.Stat(netdev.PathsFor(iface).Socket); err == nil {
		return iface
	}
	names, _ := underlays()
	for _, name := range names {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		s, err := control.NewClient(netdev.PathsFor(name).Socket).Status(ctx)
		cancel()
		if err == nil && s.Underlay.Name == iface {
			return name
		}
	}
	return iface
}

// stale says whether nobody listens on a socket any more.
func stale(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
