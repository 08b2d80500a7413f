// Package demo shows gw at work: it builds the article's three scenarios out of network namespaces and veth pairs, runs
// gw in them as a user would, pings, and tells what happened. It needs root and no program beside gw.
//
//	demo.go       what the machine must have; one scenario after the other; the verdict
//	scenario.go   the three scenarios: who is where, and what is done
//	stage.go      a scenario while it stands: build, run, end
//	vtep.go       a gw or a kernel device in a namespace, end.go who is on the overlay there
//	ping.go       pings, packets.go what the underlay saw of them, decode.go in tcpdump's words
//	state.go      what gw says of itself: how it is bound, its tables, its counters
//	screen.go     how it is written, picture.go the topology
//	remove.go     what a killed demo, or one with Keep, has left
//
// The same networks can be had without the show, to stay: up.go builds and removes them, standing.go finds them again,
// labstatus.go looks at them.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// prefix starts the names of all labs of the demo, those of tests excepted.
const prefix = "gw-demo"

// Options say how to run.
type Options struct {
	Program string    // path of the gw that is shown
	Out     io.Writer // what is shown; written by one goroutine
	Colour  bool
	Keep    bool // leave everything standing; Remove takes it away

	prefix string // of the labs; empty: prefix
}

// check is something that the demo claims, and why it is not so.
type check struct {
	what string
	err  error
}

// Run plays all scenarios and removes them, whatever happens, when ctx ends too. First it removes what an earlier demo
// left. The error names the checks that failed, or what the machine lacks with the cure.
func Run(ctx context.Context, o Options) error {
	o.prefix = cmp.Or(o.prefix, prefix)
	if err := checkMachine(true); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if _, err := remove(o.prefix); err != nil {
		return err
	}
	s := &screen{w: o.Out, colour: o.Colour}
	start := time.Now()
	all, err := playAll(ctx, o, s)
	switch {
	case ctx.Err() != nil && err == nil:
		return errors.New("demo: interrupted, everything is removed")
	case ctx.Err() != nil:
		return fmt.Errorf("demo: interrupted: %w", err)
	case err != nil:
		return fmt.Errorf("demo: %w", advise(err))
	}
	return sum(s, all, time.Since(start))
}

// playAll plays one scenario after the other and returns all checks. When ctx ends it stops there, with an error only
// if something could not be removed.
func playAll(ctx context.Context, o Options, s *screen) (all []check, err error) {
	var standing []*stage
	defer func() {
		if err != nil || ctx.Err() != nil || !o.Keep {
			for _, st := range standing {
				err = errors.Join(err, st.close())
			}
		}
	}()
	for _, sc := range scenarios() {
		l, err := lab.New(o.prefix)
		if err != nil {
			return nil, err
		}
		st := &stage{screen: s, opts: o, quiet: true, lab: l}
		standing = append(standing, st)
		if err := st.play(ctx, sc); err != nil || ctx.Err() != nil {
			return nil, err
		}
		all = append(all, st.checks...)
		if !o.Keep {
			standing = nil
			if err := st.close(); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// sum prints the last lines and makes the error of the checks that failed.
func sum(s *screen, all []check, took time.Duration) error {
	var failed []string
	for _, c := range all {
		if c.err != nil {
			failed = append(failed, c.what)
		}
	}
	s.section("Result")
	if len(failed) == 0 {
		s.line("%s, in %.1f s", s.paint(green, fmt.Sprintf("all %d checks passed", len(all))), took.Seconds())
		return nil
	}
	s.line("%s", s.paint(red, fmt.Sprintf("%d of %d checks FAILED", len(failed), len(all))))
	return fmt.Errorf("demo: %d of %d checks failed: %s", len(failed), len(all), strings.Join(failed, "; "))
}

// checkMachine says in one line what is missing and how to get it.
func checkMachine(xdp bool) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root (run it with sudo)")
	}
	if !xdp {
		return nil
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open an AF_XDP socket: %w", adviseXDP(err))
	}
	return unix.Close(fd)
}

// adviseXDP adds the cure to an error of socket(AF_XDP).
func adviseXDP(err error) error {
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%w (this kernel lacks it: use one with CONFIG_XDP_SOCKETS=y)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (gw needs CAP_NET_RAW: run it with sudo, a container with --privileged)", err)
	}
	return err
}

// advise adds the cure to an error of building a scenario.
func advise(err error) error {
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w (this kernel lacks that kind of link: modprobe veth bridge vxlan, or use one with CONFIG_VETH, CONFIG_BRIDGE and CONFIG_VXLAN)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (namespaces are made and mounted: run it with sudo, a container with --privileged)", err)
	}
	return err
}
