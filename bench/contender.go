package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// Peer is one contender, as the report tells of it.
type Peer struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	Version string `json:"version,omitempty"`
	Missing string `json:"missing,omitempty"` // why it was not measured, or where not
}

// contender is one device under test.
type contender struct {
	Peer
	tunnel bool // or it forwards as it is
	start  starter
}

// starter puts a contender in its place. It may be called again when what it returned
// was stopped.
type starter func(ctx context.Context, p place) (*running, error)

// place is where a contender runs, and what it has to be ready for.
type place struct {
	host    *lab.Host
	dir     string // for files, of its own
	cpus    []int  // that its threads may use
	way     way
	macs    int // that it will learn
	vnis    int // that it has, of which one has the port, or each a VLAN of it
	trunk   bool
	remotes int // how many there are
}

// running is a contender that runs.
type running struct {
	process int                                       // 0: none
	moves   func(ctx context.Context) (uint64, error) // of addresses so far; nil where nobody tells
	stop    func() error
}

// way is the direction of a measurement, or both.
type way string

const (
	encapOnly way = "encap"
	decapOnly way = "decap"
	bothWays  way = "both"
)

// directions are those in which frames flow.
func (w way) directions() []Direction {
	switch w {
	case encapOnly:
		return []Direction{Encap}
	case decapOnly:
		return []Direction{Decap}
	}
	return []Direction{Encap, Decap}
}

// has tells whether frames flow in a direction.
func (w way) has(d Direction) bool {
	for _, of := range w.directions() {
		if of == d {
			return true
		}
	}
	return false
}

// contenders returns all, in the order of their turns. Those that are compared with
// each other are neighbours, as far as that goes.
func contenders(program string) []contender {
	return []contender{
		{Peer{Name: "kernel", What: "the kernel's vxlan device with a bridge", Version: release()}, true, kernelVTEP},
		{Peer{Name: "gw", What: "this program"}, true, gateway(program, "adaptive")},
		{Peer{Name: "gw-busy", What: "this program with --poll busy"}, true, gateway(program, "busy")},
		{Peer{Name: "null", What: "forwarding without tunnel on gw's rings"}, false, forwarding(program, "own")},
		{Peer{Name: "asavie", What: "forwarding without tunnel on github.com/asavie/xdp", Version: moduleVersion("github.com/asavie/xdp")}, false, forwarding(program, "asavie")},
		{Peer{Name: "ovs", What: "Open vSwitch's userspace datapath with VXLAN"}, true, openVSwitch},
	}
}

// exitOffset is where the frame begins in what comes through in a direction.
func exitOffset(d Direction, tunnel bool) int {
	if (d == Encap) == tunnel {
		return vxlan.Overhead
	}
	return 0
}

// check fails unless b is what has to come through in a direction.
func (c contender) check(f lab.Frame, d Direction, m Traffic, mark uint32) error {
	if exitOffset(d, c.tunnel) > 0 {
		return checkTunnelled(f.Data, d, m, mark)
	}
	from, to := d.sides()
	if err := checkSent(f.Data, from, to, mark); err != nil {
		return err
	}
	if m.VNIs == 0 {
		return nil
	}
	if want := m.vlanOf(numberOf(macWord(f.Data[6:]))); !f.Tagged || f.VLAN != want {
		return fmt.Errorf("VLAN %d instead of %d", f.VLAN, want)
	}
	return nil
}

// startOn starts a program whose threads may use those CPUs only.
func startOn(cmd *lab.Cmd, cpus []int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to CPUs %v: %w", cpus, err)
	}
	err := cmd.Start() // what it starts has the affinity of this thread
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// end stops a program, of which log is the standard error.
func end(cmd *lab.Cmd, log *strings.Builder) error {
	err := cmd.Process.Signal(unix.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil // its status tells why
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, lastLines(log.String(), 3))
	}
	return nil
}
