package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/capture"
	"vxgw/control"
	"vxgw/filter"
)

func newCapture() *cobra.Command {
	var t target
	var o captureOptions
	c := &cobra.Command{
		Use:   "capture [-w FILE|-] [--vni N] [--port P] [--remote R] [--dir rx|tx|drop] [-s BYTES] [-c N] [FILTER]",
		Short: "Show or write the frames that it receives, sends and drops, each with its verdict",
		Long: `Show the frames that the gateway receives, sends and drops, one a line, or with -w write them as pcapng, each with its
verdict as a comment: VNI, remote, FDB hit or flooded, or why it was dropped. It sees what tcpdump on the same interface does
not, since AF_XDP goes past the kernel: outer packets on the underlay and frames at every port, in both directions.
It ends with an interrupt, after -c packets, or when the gateway stops, and then tells how many packets there were
and how many found no room in its rings. Where the gateway stops, the exit status is 1.

FILTER is in tcpdump's language, and is about a frame as it is at its interface: on the underlay about the outer packet.
  [src|dst] host|net|port|portrange, [ether|ip|ip6|arp|icmp|icmp6|tcp|udp] ..., ether [src|dst] host MAC, proto,
  broadcast, multicast, vlan [ID], less N, greater N, and, or, not, ( )
  vxlan [VNI]   a VXLAN packet; what stands behind it is about the frame in it
  vni N         a VXLAN packet of that VNI
  inner TEST    of the frame in a VXLAN packet, or of the frame itself where it is none

  gw capture --dir drop                                 what is dropped, and why
  gw capture inner host 172.17.1.3                      one station, at its port and in the tunnel
  gw capture -w - --vni 42 | tcpdump -nr -              as tcpdump has it
  gw capture -w - | tshark -r - -T fields -e frame.interface_name -e frame.comment
  gw capture -w /tmp/42.pcapng -c 1000 vxlan 42 and arp`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := o.spec(args)
			if err != nil {
				return usageError{err}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			return runCapture(c.Context(), client, spec, o.file)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "write", "w", "", "file to write pcapng to, - for standard output (default: print lines)")
	f.Int64Var(&o.vni, "vni", -1, "only frames of this VNI (default: of any)")
	f.StringVarP(&o.port, "port", "i", "", "only frames at this interface: a port, a device or the underlay (default: at any)")
	f.StringVar(&o.remote, "remote", "", "only frames that come from this VTEP, or go to it or this group (default: of any)")
	f.StringVar(&o.dir, "dir", "", "only frames that are received (rx), sent (tx) or dropped (drop) (default: all)")
	f.Uint32VarP(&o.snaplen, "snaplen", "s", 0, "bytes to keep of a frame (default: all)")
	f.Uint64VarP(&o.count, "count", "c", 0, "end after so many packets (default: never)")
	t.which(c)
	return c
}

// captureOptions are the flags.
type captureOptions struct {
	file, port, remote, dir string
	vni                     int64
	snaplen                 uint32
	count                   uint64
}

// spec is what the flags and the filter ask for, as far as it can be judged here.
func (o *captureOptions) spec(args []string) (s control.CaptureSpec, err error) {
	s = control.CaptureSpec{Port: o.port, Dir: o.dir, Snaplen: o.snaplen, Count: o.count, Filter: strings.Join(args, " ")}
	if o.vni != -1 {
		if o.vni < 0 || o.vni > 1<<24-1 {
			return s, fmt.Errorf("capture: --vni %d: a VNI is a number from 0 to %d", o.vni, 1<<24-1)
		}
		vni := uint32(o.vni)
		s.VNI = &vni
	}
	if o.remote != "" {
		if s.Remote, err = netip.ParseAddr(o.remote); err != nil {
			return s, fmt.Errorf("capture: --remote %s is no IP address", o.remote)
		}
		s.Remote = s.Remote.WithZone("")
	}
	if _, err := filter.Parse(s.Filter); err != nil {
		return s, fmt.Errorf("capture: %w", err)
	}
	return s, s.Check()
}

// runCapture writes a capture to a file, or prints it, until it ends.
func runCapture(ctx context.Context, client *control.Client, spec control.CaptureSpec, file string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run, err := client.Capture(ctx, spec)
	if err != nil {
		return err
	}
	defer run.Close()
	out := io.Writer(os.Stdout)
	if file != "" && file != "-" {
		f, err := os.Create(file)
		if err != nil {
			return fmt.Errorf("capture: write to %s: %w", file, errors.Unwrap(err))
		}
		defer func() {
			if e := f.Close(); err == nil && e != nil {
				err = fmt.Errorf("capture: write to %s: %w", file, e)
			}
		}()
		out = f
	}
	stopOnSignal(ctx, run)
	fmt.Fprintln(os.Stderr, "gw: capturing (Ctrl-C ends it)")
	came := &capture.Counter{In: run}
	if file == "" {
		err = capture.Print(came, out)
	} else {
		_, err = io.Copy(out, came)
	}
	switch n := run.Counts(); {
	case err == nil:
		fmt.Fprintf(os.Stderr, "%s captured\n%s dropped by gw\n", packetsWord(n.Captured), packetsWord(n.Lost))
		return nil
	case errors.Is(err, control.ErrEnded):
		fmt.Fprintf(os.Stderr, "%s captured\n", packetsWord(came.Packets))
		if came.Ended {
			fmt.Fprintf(os.Stderr, "%s dropped by gw\n", packetsWord(came.Dropped))
		} else {
			fmt.Fprintln(os.Stderr, "how many packets gw dropped it did not tell")
		}
	}
	return fmt.Errorf("capture: %w", err)
}

// packetsWord is a number of packets in tcpdump's words.
func packetsWord(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}

// stopOnSignal has the capture end at the first interrupt; the next one ends the process.
func stopOnSignal(ctx context.Context, run *control.Capture) {
	interrupted, restore := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
	go func() {
		<-interrupted.Done()
		restore()
		if ctx.Err() == nil {
			run.Stop(ctx) // fails only when it has ended already
		}
	}()
}
