package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"vxgw/control"
)

// gateway is gw, run from program, whose worker waits in one of the ways of --poll.
func gateway(program, poll string) starter {
	return func(ctx context.Context, p place) (*running, error) {
		file := p.dir + "/gw.yaml"
		if err := os.WriteFile(file, []byte(gatewayConfig(p, poll)), 0o600); err != nil {
			return nil, err
		}
		cmd := p.host.Command(ctx, program, "--config", file)
		var log strings.Builder
		cmd.Stderr = &log
		cpus := p.cpus
		if poll == "busy" { // its worker leaves nothing of its CPU to the control side
			cpus = append(cpus[:1:1], generatorCPU())
		}
		if err := startOn(cmd, cpus); err != nil {
			return nil, err
		}
		stop := func() error { return end(cmd, &log) }
		client := control.NewClient(p.dir + "/gw.sock")
		s, err := awaitDirect(ctx, client)
		if err == nil && len(s.Workers) != 1 {
			err = fmt.Errorf("gw has %d workers, what it is compared with has one", len(s.Workers))
		}
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		moves := func(ctx context.Context) (uint64, error) {
			s, err := client.Status(ctx)
			return s.FDB.Moves, err
		}
		return &running{process: cmd.Process.Pid, moves: moves, stop: stop}, nil
	}
}

// gatewayConfig is gw's file: one VNI with the port and any number without, or all with
// a VLAN of it; all of them with all remotes.
func gatewayConfig(p place, poll string) string {
	var f strings.Builder
	fmt.Fprintf(&f, "underlay: {iface: %s}\ndataplane: {workers: 1, cpus: '%d', poll: %s}\nmetrics: {listen: ''}\ncontrol: {path: %s/gw.sock}\nremotes:\n", wireLink, p.cpus[0], poll, p.dir)
	for i := range max(p.remotes, 1) {
		fmt.Fprintf(&f, "  - %s\n", remoteOf(i))
	}
	if p.trunk {
		fmt.Fprintf(&f, "vnis:\n  - {vni: %d-%d, ports: [{name: %s, vlan: %d-%d}], device: null}\n", vni, vni+p.vnis-1, portLink, firstVLAN, firstVLAN+p.vnis-1)
		return f.String()
	}
	fmt.Fprintf(&f, "vnis:\n  - {vni: %d, ports: [%s], device: null, maxaddress: %d}\n", vni, portLink, max(100_000, 2*p.macs))
	for i := 1; i < p.vnis; i++ {
		fmt.Fprintf(&f, "  - {vni: %d, device: null}\n", 100_000+i)
	}
	return f.String()
}

// awaitDirect waits until gw runs and the ways to all remotes are open.
func awaitDirect(ctx context.Context, c *control.Client) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		s, err := c.Status(ctx)
		if err == nil && s.Ready && allDirect(s.Remotes) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("gw is not ready to send after a minute: %w", errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func allDirect(remotes []control.Remote) bool {
	for _, r := range remotes {
		if r.State != "direct" {
			return false
		}
	}
	return len(remotes) > 0
}
