package gateway

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/internal/lab"
)

// endUnderlay takes the underlay away, at which the steward ends. Workers go on until
// Close.
func (b *bed) endUnderlay() {
	b.t.Helper()
	must(b.t, b.host.DeleteLink("ens18"))
	b.await("the underlay is seen gone", func() bool { return b.g.mirror.Link().Gone })
}

// numbered fails when a port's number is free twice, or although the port is open.
func (b *bed) numbered(open ...*port) {
	b.t.Helper()
	free := slices.Sorted(slices.Values(b.g.portNumbers.free))
	if len(slices.Compact(slices.Clone(free))) != len(free) {
		b.t.Errorf("numbers %v are free", free)
	}
	for _, p := range open {
		if slices.Contains(free, p.number) {
			b.t.Errorf("number %d of %s is free while workers may have its sockets", p.number, p.label())
		}
		for _, q := range p.queues {
			if q.Socket.FD() < 0 {
				b.t.Errorf("a socket of %s is closed while workers may have it", p.label())
			}
		}
	}
}

// The steward ends in the middle of a change. What workers may have stays open until they
// have stopped, and Close takes it back with all its frames.
func TestStewardEndsWithinTurn(t *testing.T) {
	b := newBed(t)
	_, err := b.host.BridgePort("p0", "box", "172.20.0.2/24", lab.VethOptions{})
	must(t, err)
	var port *port
	err = b.g.rebuild(func() error {
		next := b.g.running()
		v := next.NewVNI(200)
		v.Ports = []config.Port{{Name: "p0"}}
		turn := &turn{g: b.g}
		must(t, turn.plan(config.Changes{Add: []*config.VNI{&v}}))
		must(t, turn.acquire())
		must(t, turn.move())
		must(t, turn.swap())
		port = turn.opened[0]
		b.endUnderlay()
		<-b.g.steward.ended
		return errors.Join(turn.fill(), turn.back())
	})
	if !errors.Is(err, errStopping) {
		t.Errorf("the change ended with %v", err)
	}
	b.numbered(port)
	b.close() // counts the frames
	b.numbered()
	if !port.closed {
		t.Errorf("%s is not closed", port.label())
	}
}

// The steward ends between taking a port out and the snapshot without it.
func TestStewardEndsBeforeSnapshot(t *testing.T) {
	b := newBed(t)
	p := b.more("p0")
	err := b.g.rebuild(func() error {
		return b.g.close([]*port{p}, nil, func() {
			b.g.steward.built, b.g.steward.gap = time.Now(), time.Hour
			b.endUnderlay()
		})
	})
	if !errors.Is(err, errStopping) {
		t.Fatalf("the port was closed with %v", err)
	}
	b.numbered(p)
	b.close()
	b.numbered()
	if !p.closed {
		t.Error("p0 is not closed")
	}
}

// A second closing changes nothing.
func TestClosePortTwice(t *testing.T) {
	b := newBed(t)
	p := b.more("p0")
	must(t, b.g.rebuild(func() error {
		if err := b.g.close([]*port{p}, nil, nil); err != nil {
			return err
		}
		return b.g.closePort(p)
	}))
	b.numbered()
}
