package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"vxgw/control"
	"vxgw/dataplane"
)

func newStatus() *cobra.Command {
	var t target
	var wait time.Duration
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what a running gateway is bound to, whom it can reach and what it did",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := awaitStatus(c.Context(), &t, wait)
			if err != nil {
				return err
			}
			if t.json {
				return printJSON(os.Stdout, s)
			}
			return printStatus(os.Stdout, s)
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&wait, "wait", 0, "wait so long for the gateway to be ready")
	return c
}

// askEvery is how often status --wait looks again.
const askEvery = 20 * time.Millisecond

// awaitStatus asks until the gateway is there and ready, or wait has passed.
func awaitStatus(ctx context.Context, t *target, wait time.Duration) (control.Status, error) {
	deadline := time.Now().Add(wait)
	for {
		client, err := t.client()
		var s control.Status
		if err == nil {
			if s, err = client.Status(ctx); err == nil && s.Ready {
				return s, nil
			}
		}
		if err != nil && !errors.Is(err, control.ErrNotRunning) {
			return s, err
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = errors.New("the gateway is not ready: it is starting or stopping")
			}
			return s, err
		}
		time.Sleep(askEvery)
	}
}

// printStatus writes the status as tables for people.
func printStatus(out io.Writer, s control.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "gw %s, pid %d, up %s\n", s.Version, s.PID, (time.Duration(s.Uptime) * time.Second).String())
	for _, p := range s.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", p)
	}
	fmt.Fprintf(w, "\nINTERFACE\tROLE\tSTATE\tXDP\tMODE\tQUEUES\tMTU\tRX\tTX\n")
	printInterface(w, s.Underlay.Interface, fmt.Sprintf("underlay %s:%d", orDash(s.Underlay.Local), s.Underlay.DstPort))
	for _, p := range s.Ports {
		role := fmt.Sprintf("port of vni %d", p.VNI)
		if p.Device != "" {
			role = fmt.Sprintf("device %s of vni %d", p.Device, p.VNI)
		}
		if p.Gone {
			role += ", gone"
		}
		printInterface(w, p.Interface, role)
	}
	// Behind the table: a line without its columns would break it in two.
	printFallback(w, s.Underlay.Interface)
	for _, p := range s.Ports {
		printFallback(w, p.Interface)
	}
	fmt.Fprintf(w, "\nVNI\tNAME\tPORTS\tFLOODS TO\tFDB\n")
	for _, v := range s.VNIs {
		to := strings.Join(append(v.Remotes, v.Group), " ")
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\n", v.VNI, v.Name, strings.Join(v.Ports, " "), orDash(strings.TrimSpace(to)), v.FDB)
	}
	printRemotes(w, s.Remotes)
	printVerdicts(w, s)
	if s.Hint != "" {
		fmt.Fprintf(w, "\n%s\n", s.Hint)
	}
	return w.Flush()
}

func printInterface(w io.Writer, i control.Interface, role string) {
	state := "up"
	if !i.Up {
		state = "down"
	}
	var rx, tx uint64
	for _, q := range i.Queues {
		rx, tx = rx+q.RxPackets, tx+q.TxPackets
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", i.Name, role, state, i.XDP, modes(i.Queues), len(i.Queues), i.MTU, rx, tx)
}

// printFallback says why an interface is not bound in the best mode.
func printFallback(w io.Writer, i control.Interface) {
	if i.Fallback != "" {
		fmt.Fprintf(w, "%s: %s\n", i.Name, i.Fallback)
	}
}

// mostLearned is how many VTEPs that spoke first the text shows: anybody on the
// underlay can forge 65,000 of them.
const mostLearned = 100

func printRemotes(w io.Writer, remotes []control.Remote) {
	if len(remotes) > 0 {
		fmt.Fprintf(w, "\nREMOTE\tSTATE\tNEXT HOP\tMAC\tMTU\tKNOWN BY\tREASON\n")
	}
	learned := 0
	for _, r := range remotes {
		by := "configuration"
		if !r.Configured {
			by = "its traffic"
			if learned++; learned > mostLearned {
				continue
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Address, r.State, orDash(r.NextHop), orDash(r.MAC), r.MTU, by, r.Reason)
	}
	if more := learned - mostLearned; more > 0 {
		fmt.Fprintf(w, "and %d more known by their traffic (gw status -j has them)\n", more)
	}
}

// printVerdicts adds up the workers' verdicts, in the order of the one list, and
// their answers.
func printVerdicts(w io.Writer, s control.Status) {
	fmt.Fprintf(w, "\nFRAMES\tRECEIVED\tFLOOD COPIES\tMEANING\n")
	for v := range dataplane.VerdictCount {
		v := dataplane.Verdict(v)
		var frames, copies uint64
		for _, worker := range s.Workers {
			frames += worker.Verdicts[v.String()]
			copies += worker.Copies[v.String()]
		}
		if frames+copies > 0 {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", v, frames, copies, v.Sentence())
		}
	}
	printInjected(w, s.Underlay.Injected)
	var answers uint64
	for _, worker := range s.Workers {
		answers += worker.Answers
	}
	if answers > 0 { // behind the table: they were not received
		fmt.Fprintf(w, "Senders told by ICMP that a frame was too big: %d (icmp_too_big_sent)\n", answers)
	}
}

// printInjected says what came by way of the kernel, and what of it was dropped before
// it got a verdict.
func printInjected(w io.Writer, i control.Injected) {
	lost := i.TooLong + i.QueueFull + i.NoFrame + i.SocketFull
	if i.Packets+lost == 0 {
		return
	}
	fmt.Fprintf(w, "Received by way of the kernel (fragments, IP options): %d", i.Packets)
	if lost > 0 {
		fmt.Fprintf(w, "; lost there: too_long %d, queue_full %d, no_frame %d, socket_full at most %d", i.TooLong, i.QueueFull, i.NoFrame, i.SocketFull)
	}
	fmt.Fprintln(w)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
