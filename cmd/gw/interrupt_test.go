package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// A start and a reload take some tenths of a second per device, and are given up when gw is asked to stop.

// firstOfMany is the first of the VNIs of manyDevices.
const firstOfMany = 1000

// manyDevices is a file with so many devices that making them takes long.
func manyDevices() string {
	var b strings.Builder
	b.WriteString("underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nvnis:\n  - {vni: 42, device: null}\n")
	for n := range 200 {
		fmt.Fprintf(&b, "  - vni: %d\n", firstOfMany+n)
	}
	return b.String()
}

// awaitFirst waits until the first of many devices is there.
func awaitFirst(t *testing.T, h *lab.Host) {
	t.Helper()
	eventually(t, func() string {
		if _, err := h.Link(fmt.Sprintf("gw%d", firstOfMany)); err != nil {
			return err.Error()
		}
		return ""
	})
}

func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	before := dump(t, h)
	g := launch(t, h, "--config", writeFile(t, manyDevices()))
	awaitFirst(t, h)
	if status := g.end(unix.SIGTERM); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if g.log.grep("stopped before frames could flow") == "" || g.log.grep(`"ready"`) != "" {
		t.Error("the start went on")
	}
	clean(t, before, h)
}

func TestInterruptedReload(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	before := dump(t, h)
	file := writeFile(t, "underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nvnis: [{vni: 42, device: null}]\n")
	g := start(t, h, "--config", file)
	must(t, os.WriteFile(file, []byte(manyDevices()), 0o600))
	must(t, g.cmd.Process.Signal(unix.SIGHUP))
	awaitFirst(t, h)
	if status := g.end(unix.SIGTERM); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if g.log.grep("interrupted: gw is to stop") == "" {
		t.Error("the reload was not given up")
	}
	clean(t, before, h)
}
