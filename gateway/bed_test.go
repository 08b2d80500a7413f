package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

const prefix = "gw-gateway"

func TestMain(m *testing.M) {
	if os.Geteuid() == 0 {
		if _, err := lab.Sweep(prefix); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(m.Run())
}

// bed is a gateway in this process: between a container on a port and a remote on
// the underlay, which is a plain host that speaks no VXLAN.
type bed struct {
	t                       testing.TB
	lab                     *lab.Lab
	host, remote, container *lab.Host
	g                       *Gateway
}

// newBed starts a gateway with VNI 42 on ens18 and the port veth1. The container is
// at the other end of veth1, on its veth0; the remote has 10.0.0.2 on its ens18.
func newBed(t testing.TB) *bed {
	t.Helper()
	return newBedWith(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) })
}

// newBedWith is newBed with the steps that start the gateway.
func newBedWith(t testing.TB, steps func(*Gateway) []func() error) *bed {
	t.Helper()
	return newBedOf(t, steps, func(*bed, *config.Config) {})
}

// newBedOf is newBedWith after prepare has changed the hosts and the configuration.
func newBedOf(t testing.TB, steps func(*Gateway) []func() error, prepare func(*bed, *config.Config)) *bed {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to run this as root")
		}
		t.Skip("needs root, to make network namespaces")
	}
	l, err := lab.New(prefix)
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bed{t: t, lab: l}
	b.host, err = l.Host("host")
	must(t, err)
	b.remote, err = l.Host("remote")
	must(t, err)
	must(t, l.Veth(b.host, "ens18", b.remote, "ens18", lab.VethOptions{}))
	must(t, b.host.AddAddress("ens18", "10.0.0.1/24"))
	must(t, b.remote.AddAddress("ens18", "10.0.0.2/24"))
	b.container, err = b.host.BridgePort("veth1", "container", "172.19.1.2/24", lab.VethOptions{MTU: 1450})
	must(t, err)

	cfg, err := config.FromFlags(config.Flags{
		Iface: "ens18", VNIs: []uint{42}, Remotes: []string{"10.0.0.2"}, Ports: []string{"veth1"},
		DstPort: 4789, Mode: "auto", Poll: "adaptive", LogFormat: "text", LogLevel: "info",
	})
	must(t, err)
	prepare(b, cfg)
	b.g = newGateway(cfg, slog.New(slog.DiscardHandler))
	t.Cleanup(b.close)
	for _, step := range steps(b.g) {
		must(t, b.host.Do(step))
	}
	return b
}

// close stops the gateway; a second call does nothing.
func (b *bed) close() {
	if err := b.host.Do(b.g.Close); err != nil {
		b.t.Error(err)
	}
}

// patience is how long a test waits for what has to come: for ever, as far as a machine that is busy is concerned.
const patience = time.Minute

// await polls until ok says so.
func (b *bed) await(what string, ok func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s: not within %v; verdicts %v", what, patience, b.g.Status().Workers)
		case <-time.After(time.Millisecond):
		}
	}
}

// direct waits until frames to the remote leave by the gateway's own ring.
func (b *bed) direct() {
	b.t.Helper()
	b.await("the way to the remote is direct", func() bool {
		s := b.g.plane.Snapshot()
		return len(s.Paths) > 0 && len(s.Paths[0]) > 0 && s.Paths[0][0].State == dataplane.PathDirect
	})
}

// verdict is how many frames had verdict v.
func (b *bed) verdict(v dataplane.Verdict) uint64 {
	return b.g.plane.Workers()[0].Counters.Verdicts[v].Load()
}

// frame is an Ethernet frame of n bytes with a made-up EtherType.
func frame(dst, src byte, n int) []byte {
	f := make([]byte, n)
	copy(f, []byte{2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5})
	if dst == 0xff {
		copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	return f
}

var remoteAddr = netip.MustParseAddr("10.0.0.2")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
