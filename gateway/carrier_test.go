package gateway

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"vxgw/config"
)

const noCarrierNow = "underlay ens18 is down: it has no carrier (look at the cable and the other end)"

// A link whose carrier goes when XDP comes is waited for, and then workers send to it; not
// for ever, and not if somebody wants to stop.
func TestAwaitCarrier(t *testing.T) {
	t.Parallel()
	var log logBook
	b := newBedWith(t, func(g *Gateway) []func() error {
		g.log = slog.New(slog.NewTextHandler(&log, nil))
		return append(g.steps(), g.startSteward)
	})
	b.await("workers know the links", func() bool { return b.g.sees(b.g.wire) && b.g.sees(b.g.ports[0].iface) })
	if err := b.host.Do(func() error { b.g.AwaitCarrier(t.Context()); return nil }); err != nil || log.line("carrier") != "" {
		t.Errorf("links that are up: %v, %s", err, log.line("carrier"))
	}
	must(t, b.remote.SetDown("ens18"))
	returned := make(chan struct{})
	wait := func(ctx context.Context) {
		defer close(returned)
		if err := b.host.Do(func() error { b.g.AwaitCarrier(ctx); return nil }); err != nil {
			t.Error(err)
		}
	}
	go wait(t.Context())
	b.await("it says that it waits", func() bool { return log.line("INFO", "waiting for the carrier", "iface=ens18", "driver=veth") != "" })
	if line := log.line("waiting", "veth1"); line != "" {
		t.Errorf("a port that has its carrier: %s", line)
	}
	b.await("the status says what is wrong", func() bool { return slices.Contains(b.g.Status().Problems, noCarrierNow) })
	select {
	case <-returned:
		t.Fatal("it did not wait")
	default:
	}
	must(t, b.remote.SetUp("ens18"))
	<-returned
	if s := b.g.Status(); !s.Underlay.Up || len(s.Problems) > 0 {
		t.Errorf("the wait is over and the underlay up %t, problems %q", s.Underlay.Up, s.Problems)
	}

	must(t, b.remote.SetDown("ens18"))
	const short = 200 * time.Millisecond
	must(t, b.host.Do(func() error { b.g.awaitCarrier(nil, []*iface{b.g.wire, b.g.ports[0].iface}, short); return nil }))
	if log.line("WARN", "no carrier since XDP was attached", "iface=ens18", "ethtool ens18") == "" {
		t.Error("it is not told that the carrier stays away")
	}
	returned = make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go wait(ctx)
	stop()
	<-returned
}

// A link that had no carrier before costs no time.
func TestNoCarrierBefore(t *testing.T) {
	t.Parallel()
	var log logBook
	b := newBedOf(t, func(g *Gateway) []func() error {
		g.log = slog.New(slog.NewTextHandler(&log, nil))
		return append(g.steps(), g.startSteward)
	}, func(b *bed, _ *config.Config) {
		must(t, b.remote.SetDown("ens18"))
		must(t, b.container.SetDown("veth0"))
	})
	must(t, b.host.Do(func() error { b.g.AwaitCarrier(t.Context()); return nil }))
	if line := log.line("carrier"); line != "" {
		t.Error(line)
	}
	b.await("the status says so", func() bool {
		p := b.g.Status().Problems
		return slices.Contains(p, noCarrierNow) && slices.Contains(p, "port veth1 of vni 42 is down: it has no carrier (look at the cable and the other end)")
	})
}
