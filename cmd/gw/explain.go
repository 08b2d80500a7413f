package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"vxgw/control"
)

// explaining is what gw explain is asked.
type explaining struct {
	t                            target
	port, remote                 string
	underlay                     bool
	vni                          uint32
	frame, pcap, flow            string
	count                        uint
	hex                          bool
	changedFrame, changedCapture bool
}

func newExplain() *cobra.Command {
	var e explaining
	c := &cobra.Command{
		Use:   "explain --port PORT | --remote VTEP | --underlay  --flow FLOW | --frame HEX | --pcap FILE",
		Short: "Say what would become of a frame, and why, without sending it",
		Long: `Say what would become of a frame, and why, without sending it. The gateway's own code decides with the tables that are in force:
each decision is a line, and what would leave is shown byte by byte, or the reason why the frame would be dropped, and the cure.
Nothing is sent, learned or counted.

The frame comes in by a port (the device of a VNI is one too), or out of a tunnel: as an inner frame that a VTEP sends, or as a packet on
the underlay's wire.

  gw explain --port veth1 --flow 02:00:00:00:00:01,02:00:00:00:00:02,172.17.1.2,172.17.1.3,tcp,40000,443
  gw explain --port veth1 --flow 02:00:00:00:00:01,broadcast,arp,172.17.1.2,172.17.1.3
  gw explain --remote 10.65.132.188 --vni 42 --flow src=02:00:00:00:00:09,dst=02:00:00:00:00:01,vlan=10,size=1400
  gw explain --port veth1 --frame 'ffffffffffff 020000000001 0806 ...'
  ip netns exec container1 tcpdump -i eth0 -c 1 -xx -t arp | tail -n +2 | gw explain --port veth1 --frame -
  gw explain --underlay --pcap outer.pcap --count 3

FLOW is words with commas between them. Each says what it is by its place: source and destination MAC address (or broadcast), VLAN, source
and destination IP address, protocol (tcp, udp, icmp, sctp, arp, or a number), source and destination port; or by its name: src, dst,
vlan, ethertype, ip_src, ip_dst, proto, sport, dport, ttl, tos, df, size (of the whole frame in bytes, 60 by default).`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e.changedFrame, e.changedCapture = c.Flags().Changed("frame"), c.Flags().Changed("count")
			return e.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&e.port, "port", "", "port, or device of a VNI, that the frame comes in by")
	f.StringVar(&e.remote, "remote", "", "VTEP that the frame comes from; it is the inner one")
	f.Uint32Var(&e.vni, "vni", 0, "VNI that the VTEP sends it in (default: the only one there is)")
	f.BoolVar(&e.underlay, "underlay", false, "the frame comes in by the underlay, with its outer headers")
	f.StringVar(&e.flow, "flow", "", "what the frame says, in words")
	f.StringVar(&e.frame, "frame", "", "the frame in hexadecimal or as a dump (tcpdump -xx), from the destination MAC address on; - is standard input")
	f.StringVar(&e.pcap, "pcap", "", "file of tcpdump or Wireshark (pcap or pcapng, - is standard input), of which each frame is explained")
	f.UintVar(&e.count, "count", 10, "how many frames of the file")
	f.BoolVarP(&e.hex, "hex", "x", false, "print every copy of a flooded frame, and the bytes of each packet that would leave, not the first ones only")
	e.t.flags(c)
	return c
}

// request is what is the same of all frames.
func (e *explaining) request() (r control.ExplainRequest, err error) {
	r = control.ExplainRequest{Port: e.port, Underlay: e.underlay, VNI: e.vni, Frame: "00"}
	if e.remote != "" {
		if r.Remote, err = netip.ParseAddr(e.remote); err != nil {
			return r, fmt.Errorf("--remote %s is no address (give one like 10.65.132.188)", e.remote)
		}
	}
	if err := r.Check(); err != nil {
		return r, err
	}
	given := 0
	for _, text := range []string{e.flow, e.frame, e.pcap} {
		if text != "" {
			given++
		}
	}
	switch {
	case given == 0 && e.changedFrame:
		return r, errors.New("the frame is empty (give its bytes in hexadecimal, from the destination MAC address on)")
	case given != 1:
		return r, errors.New("which frame? (give one of --flow, --frame and --pcap)")
	case e.changedCapture && e.pcap == "":
		return r, errors.New("--count goes with --pcap")
	case e.count == 0:
		return r, errors.New("--count 0 explains nothing (give 1 or more)")
	case e.flow != "" && e.underlay:
		return r, errors.New("--flow describes an inner frame (give --remote VTEP instead of --underlay, or the bytes with --frame)")
	}
	return r, nil
}

// each gives every frame that is to be explained to do.
func (e *explaining) each(do func(c captured) error) error {
	switch {
	case e.flow != "":
		f, err := parseFlow(e.flow)
		if err != nil {
			return usageError{fmt.Errorf("explain: --flow: %w", err)}
		}
		frame, err := f.frame()
		if err != nil {
			return usageError{fmt.Errorf("explain: --flow: %w", err)}
		}
		return do(captured{frame: frame, full: len(frame)})
	case e.frame != "":
		text, err := e.frame, error(nil)
		if text == "-" {
			text, err = readDump(os.Stdin)
		}
		if err != nil {
			return err
		}
		frame, err := control.ParseHex(text)
		if err != nil {
			return usageError{fmt.Errorf("explain: --frame: %w", err)}
		}
		return do(captured{frame: frame, full: len(frame)})
	}
	return eachCaptured(e.pcap, e.count, do)
}

func (e *explaining) run(ctx context.Context) error {
	r, err := e.request()
	if err != nil {
		return usageError{fmt.Errorf("explain: %w", err)}
	}
	var client *control.Client
	all := []control.Explanation{}
	err = e.each(func(c captured) error {
		if client == nil {
			if client, err = e.t.client(); err != nil {
				return err
			}
		}
		r.Frame = hex.EncodeToString(c.frame)
		x, err := client.Explain(ctx, r)
		switch {
		case err != nil && c.number > 0:
			return fmt.Errorf("packet %d: %w", c.number, err)
		case err != nil:
			return err
		case e.t.json:
			all = append(all, x)
			return nil
		}
		if c.number > 0 {
			fmt.Printf("%sframe %d%s\n", separator(c.number), c.number, c.cut())
		}
		printExplanation(os.Stdout, &x, e.hex)
		return nil
	})
	if e.t.json && (err == nil || len(all) > 0) { // those in front of a damaged one
		return cmp.Or(err, printJSON(os.Stdout, all))
	}
	return err
}

// readDump reads a frame in text, of which there may be more than an argument can hold.
func readDump(in io.Reader) (string, error) {
	const most = 1 << 20 // of a frame of 64 KiB with offsets and characters it is a third
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("explain: read the frame from standard input: %w", err)
	case len(text) > most:
		return "", usageError{fmt.Errorf("explain: standard input has more than one frame in hexadecimal (captures are read by --pcap -)")}
	}
	return string(text), nil
}

// separator stands between the explanations of two frames.
func separator(number int) string {
	if number > 1 {
		return "\n"
	}
	return ""
}
