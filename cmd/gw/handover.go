package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
	"vxgw/handover"
	"vxgw/netdev"
)

// From one gateway to the next, without a link that goes down:
//
//	systemctl restart    ExecStop= runs gw handover: systemd keeps what it hands over until the next one starts
//	gw --takeover        the next one asks by itself, and keeps it

// errHandedOver ends a gateway that another one follows, with a status of its own: gw@.service cleans up after any other.
var errHandedOver = errors.New("handed over")

// closeGateway closes a gateway that ends with err.
func closeGateway(g *gateway.Gateway, err error) error {
	if err = errors.Join(err, g.Close()); err == nil && g.HandedOver() {
		return errHandedOver
	}
	return err
}

// newHandOver makes the command that has a gateway end for another one.
func newHandOver() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   "handover",
		Short: "Have the gateway end and leave everything to the next one that systemd starts",
		Long: `The gateway ends, but interfaces keep their XDP programs, devices stay as they are, and what the tables know is kept: by
systemd, for the next start of the unit, which has to follow. gw@.service does so by itself at systemctl restart.
Without systemd start the next gateway with --takeover instead.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := t.client()
			if err != nil {
				return err
			}
			return client.HandOver(c.Context(), control.HandOver{})
		},
	}
	c.Flags().StringVar(&t.iface, "iface", "", "underlay interface of the gateway (default: the only one that runs here)")
	c.Flags().StringVar(&t.path, "control", "", "path of its API socket")
	return c
}

// askTimeout is how long a running gateway may take to answer that it hands over.
const askTimeout = 10 * time.Second

// predecessor returns what brings what another gateway hands over, nil if there is none: what systemd has kept, or with
// ask what the one that runs is asked for.
func predecessor(ctx context.Context, cfg *config.Config, log *slog.Logger, kept *handover.Bag, ask bool) (func() (*handover.Bag, error), error) {
	if kept != nil {
		return func() (*handover.Bag, error) { return kept, nil }, nil
	}
	if !ask {
		return nil, nil
	}
	if err := presentIn(cfg); err != nil { // while the one before still runs
		return nil, err
	}
	if err := gateway.CheckPrivilege(); err != nil {
		return nil, err
	}
	paths := netdev.PathsFor(cfg.Underlay.Iface)
	client := control.NewClient(cfg.Control.Path)
	if cfg.Control.Path == "" {
		client = control.NewClient(paths.Socket)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if _, err := client.Status(ctx); errors.Is(err, control.ErrNotRunning) {
		log.Info("there is no gateway to take over from", "iface", cfg.Underlay.Iface)
		return nil, nil
	}
	l, err := handover.Listen(paths.Handover)
	if err != nil {
		return nil, err
	}
	if err := client.HandOver(ctx, control.HandOver{Store: paths.Handover}); err != nil {
		l.Collect() // nothing
		return nil, fmt.Errorf("take over: %w", err)
	}
	return l.Collect, nil
}

// presentIn says which of the interfaces that a configuration names is not there.
func presentIn(cfg *config.Config) error {
	names := []string{cfg.Underlay.Iface}
	for i := range cfg.VNIs {
		for _, p := range cfg.VNIs[i].Ports {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		if _, err := netdev.Lookup(name); err != nil {
			return &config.Error{Problem: err.Error()}
		}
	}
	return nil
}

// takeOver starts a gateway with what collect brings. What it does not get as far as collecting is put back, too.
func takeOver(ctx context.Context, cfg *config.Config, log *slog.Logger, collect func() (*handover.Bag, error)) (*gateway.Gateway, error) {
	if collect == nil {
		return gateway.Start(ctx, cfg, log)
	}
	collected := false
	g, err := gateway.TakeOver(ctx, cfg, log, func() (*handover.Bag, error) {
		collected = true
		return collect()
	})
	if !collected {
		b, _ := collect() // err says more
		abandon(b)
	}
	return g, err
}

// abandon puts back what was handed over to a gateway that does not get as far as its start.
func abandon(b *handover.Bag) {
	if b != nil {
		gateway.Abandon(b, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
}
