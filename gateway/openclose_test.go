package gateway

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// more takes one more interface as a port of VNI 42 and returns it.
func (b *bed) more(name string) *port {
	b.t.Helper()
	_, err := b.host.BridgePort(name, "box"+name, "172.20.0.2/24", lab.VethOptions{})
	must(b.t, err)
	must(b.t, b.g.AddPort(control.PortChange{VNI: 42, Name: name}))
	b.g.asking.RLock()
	defer b.g.asking.RUnlock()
	for _, p := range b.g.ports {
		if p != nil && p.label() == name {
			return p
		}
	}
	b.t.Fatalf("%s is no port", name)
	return nil
}

// What an entry still sends to a port that was taken out is not counted for the port
// that gets its number.
func TestNumberComesBackWithoutCounts(t *testing.T) {
	b := newBed(t)
	p := b.more("p0")
	must(t, b.g.ChangeFDB("add", control.FDBChange{MAC: "02:00:00:00:00:09", Dev: "p0", Master: true}))
	from := packetSocket(t, b.container, "veth0", 0)
	const lost = 100
	sent := make(chan error, 1)
	also := func() {
		b.g.steward.built, b.g.steward.gap = time.Now(), time.Hour // the next order publishes
		go func() {
			sent <- b.g.order(func() (bool, error) { // and keeps the steward until so many are lost
				b.await("frames to the port are lost", func() bool {
					send(t, from, frame(9, 7, 60))
					return b.verdict(dataplane.PortDown) >= lost
				})
				return false, nil
			})
		}()
	}
	must(t, b.g.rebuild(func() error { return b.g.close([]*port{p}, nil, also) }))
	must(t, <-sent)
	if have := b.g.plane.Ledger().Ports[p.number]; have != (dataplane.Drops{}) {
		t.Errorf("the next port begins with %d frames that could not leave", have.Leaving[dataplane.PortDown])
	}
}

// The builder looks at domains and ports while the steward changes them. What this finds,
// the race detector tells.
func TestBuilderBesideSteward(t *testing.T) {
	b := newBed(t)
	var changing sync.WaitGroup
	stop := make(chan struct{})
	changing.Go(func() {
		for k := 0; ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, verb := range []string{"append", "del"} {
				if err := b.change(verb, control.ZeroMAC, fmt.Sprintf("10.0.0.%d", 20+k%4)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 20 {
		must(t, b.g.rebuild(func() error { b.g.mend(); return nil }))
		must(t, b.g.AddVNI([]byte(`{"vni": 200, "remotes": ["10.0.0.9"], "device": null}`)))
		must(t, b.g.DeleteVNI(200))
	}
	close(stop)
	changing.Wait()
}
