package gateway

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/underlay"
)

// takeLeftovers brings back what the underlay's XDP program leaves to the kernel
// although it is ours ([bpf.Underlay.FilterLeftovers] says what that is): to the
// worker that has the underlay's first queue.
func (g *Gateway) takeLeftovers() error {
	w := g.plane.Workers()[g.workerOf(g.wire, 0)]
	for i, inject := range []*dataplane.Inject{w.Inject, w.Inject6} {
		six := i == 1
		left, err := underlay.OpenLeftovers(g.link.Index, g.link.Name, six, func(fd int) error { return g.steer.FilterLeftovers(fd, six) })
		if six && errors.Is(err, unix.EAFNOSUPPORT) {
			return nil
		}
		if err != nil {
			return err
		}
		g.left = append(g.left, left)
		ended := g.run("leftovers", func() error {
			if err := inject.Run(left); !errors.Is(err, os.ErrClosed) {
				return err
			}
			return nil
		})
		g.onClose(func() error {
			err := left.Close()
			<-ended
			return err
		})
	}
	return nil
}

// injected adds up what workers took by way of the kernel.
func (g *Gateway) injected() (c control.Injected) {
	for _, w := range g.plane.Workers() {
		for _, j := range []*dataplane.Inject{w.Inject, w.Inject6} {
			c.Packets += j.Packets.Load()
			c.Bytes += j.Bytes.Load()
			c.TooLong += j.TooLong.Load()
			c.QueueFull += j.QueueFull.Load()
			c.NoFrame += j.NoFrame.Load()
		}
	}
	for _, l := range g.left {
		if n, err := l.Dropped(); err == nil {
			c.SocketFull += uint64(n)
		}
	}
	return c
}
