package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
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
		Long: `Show what a running gateway is bound to, whom it can reach and what it did. Of many ports, VNIs or remotes the tables
have fifty, those in trouble first; -j has all.

  gw status
  gw status --iface ens18            of several gateways
  gw status --wait 5s                returns when frames can flow, for scripts; fails after that time
  gw status -j | jq -r '.problems[]?'`,
		Args: noArgs,
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
	for _, p := range s.Problems[:min(len(s.Problems), mostProblems)] {
		fmt.Fprintf(w, "PROBLEM: %s\n", p)
	}
	sayMore(w, len(s.Problems)-mostProblems, "problems")
	if len(s.Problems) > 0 {
		fmt.Fprintln(w, "gw doctor looks for what else of this machine is in the way.")
	}
	fmt.Fprintf(w, "\nINTERFACE\tROLE\tSTATE\tXDP\tMODE\tQUEUES\tMTU\tRX\tTX\n")
	role := "underlay " + endPoints(&s.Underlay)
	if s.Underlay.Below != "" {
		role += fmt.Sprintf(" by VLAN %d of %s", s.Underlay.VLAN, s.Underlay.Below)
	}
	if s.Underlay.VRF != "" {
		role += " in VRF " + s.Underlay.VRF
	}
	printInterface(w, s.Underlay.Interface, role)
	ports, more := urgent(s.Ports, portTrouble)
	for _, p := range ports {
		role = fmt.Sprintf("port of vni %d", p.VNI)
		if p.Device != "" {
			role = fmt.Sprintf("device %s of vni %d", p.Device, p.VNI)
		}
		if n := len(p.VLANs); n == 1 {
			role = fmt.Sprintf("trunk, vlan %s is vni %d", p.VLANs[0].VLAN, p.VLANs[0].VNI)
		} else if n > 1 {
			role = fmt.Sprintf("trunk of %d VLANs", n)
		}
		if p.Gone {
			role += ", gone"
		}
		printInterface(w, p.Interface, role)
	}
	// Behind the table: a line without its columns would break it in two.
	sayMore(w, more, "ports")
	printFallbacks(w, s)
	fmt.Fprintf(w, "\nVNI\tNAME\tPORTS\tFLOODS TO\tFDB\n")
	vnis, more := urgent(s.VNIs, nil)
	for _, v := range vnis {
		to := strings.TrimSpace(fewNames(v.Remotes) + " " + v.Group)
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\n", v.VNI, v.Name, orDash(fewNames(v.Ports)), orDash(to), v.FDB)
	}
	sayMore(w, more, "VNIs")
	printNeighs(w, s.VNIs)
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
		if v == dataplane.RemoteNotAllowed {
			frames += s.Refused()
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

// endPoints are the outer source addresses with the port, each as one writes it.
func endPoints(u *control.Underlay) string {
	text := make([]string, 0, 3)
	for _, local := range u.Locals {
		if a, err := netip.ParseAddr(local); err == nil {
			text = append(text, netip.AddrPortFrom(a, u.DstPort).String())
		}
	}
	if len(text) == 0 {
		return fmt.Sprintf("-:%d", u.DstPort)
	}
	return strings.Join(text, " ")
}
