package gateway

import (
	"errors"
	"os"

	"vxgw/control"
	"vxgw/underlay"
)

// takeLeftovers brings back what the underlay's XDP program leaves to the kernel
// although it is ours ([bpf.Underlay.FilterLeftovers] says what that is): to the
// worker that has the underlay's first queue.
func (g *Gateway) takeLeftovers() (err error) {
	g.left, err = underlay.OpenLeftovers(g.wire.info.Index, g.wire.info.Name, g.steer.FilterLeftovers)
	if err != nil {
		return err
	}
	inject := g.plane.Workers()[g.workerOf(g.wire, 0)].Inject
	ended := g.run("leftovers", func() error {
		if err := inject.Run(g.left); !errors.Is(err, os.ErrClosed) {
			return err
		}
		return nil
	})
	g.onClose(func() error {
		err := g.left.Close()
		<-ended
		return err
	})
	return nil
}

// injected adds up what workers took by way of the kernel.
func (g *Gateway) injected() (c control.Injected) {
	for _, w := range g.plane.Workers() {
		j := w.Inject
		c.Packets += j.Packets.Load()
		c.Bytes += j.Bytes.Load()
		c.TooLong += j.TooLong.Load()
		c.QueueFull += j.QueueFull.Load()
		c.NoFrame += j.NoFrame.Load()
	}
	if n, err := g.left.Dropped(); err == nil {
		c.SocketFull = uint64(n)
	}
	return c
}
