package gateway

import (
	"time"

	"vxgw/underlay"
)

// The builder is the one goroutine that opens and closes domains and ports while the
// gateway runs. That may take seconds, in which the steward goes on; what workers work
// with it has the steward change.

type builder struct {
	jobs  chan job
	wake  chan struct{} // capacity 1: ports have gone or may be back
	stop  chan struct{}
	ended chan struct{}
}

// job is something that only the builder may do, at another goroutine's wish.
type job struct {
	do   func() error
	done chan error // capacity 1
}

func newBuilder() builder {
	return builder{make(chan job), make(chan struct{}, 1), make(chan struct{}), make(chan struct{})}
}

// startBuilder lets domains and ports be changed from now on, in the network namespace of the
// calling thread.
func (g *Gateway) startBuilder() error {
	home, err := underlay.OpenNamespace()
	if err != nil {
		return err
	}
	ended := g.run("builder", func() error {
		defer close(g.builder.ended)
		if err := underlay.SettleIn(home); err != nil {
			return err
		}
		g.build()
		return nil
	})
	g.onClose(func() error {
		close(g.builder.stop)
		<-ended
		return home.Close()
	})
	return nil
}

// build is the builder's life.
func (g *Gateway) build() {
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	pause, last := shortPause, time.Time{}
	for {
		select {
		case <-g.builder.stop:
			return
		case j := <-g.builder.jobs:
			j.done <- j.do()
		case <-g.builder.wake:
			due.Reset(max(0, pause-time.Since(last)))
		case <-due.C:
			if g.mend() {
				pause = shortPause
			} else {
				pause = min(2*pause, longPause)
			}
			last = time.Now()
		}
	}
}

// rouse has the builder look after the ports.
func (b *builder) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// rebuild has the builder do something and waits until it is done.
func (g *Gateway) rebuild(do func() error) error {
	j := job{do, make(chan error, 1)}
	return hand(g.builder.jobs, j, j.done, g.builder.ended)
}
