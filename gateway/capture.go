package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pcapng "vxgw/capture"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/filter"
	"vxgw/vxlan"
)

// A capture is a tap and a goroutine that reads it, that of the request: it looks for records, and the longer there are none, the less
// often. A client that reads slowly makes it wait, and the tap's rings full; workers never wait.

// captures are those that run.
type captures struct {
	mu   sync.Mutex
	last uint64
	stop map[uint64]chan struct{} // by number
}

func (c *captures) enter() (id uint64, stop <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		c.stop = map[uint64]chan struct{}{}
	}
	c.last++
	ended := make(chan struct{})
	c.stop[c.last] = ended
	return c.last, ended
}

// leave ends one, and reports whether there was one.
func (c *captures) leave(id uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended, ok := c.stop[id]
	if ok {
		close(ended)
		delete(c.stop, id)
	}
	return ok
}

// StopCapture ends a capture, whose client then gets the rest.
func (g *Gateway) StopCapture(id uint64) error {
	if !g.captures.leave(id) {
		return control.Missing(fmt.Sprintf("capture stop: capture %d does not run", id))
	}
	return nil
}

// Capture writes frames as pcapng, until it is stopped, its count is reached or ctx ends. begin gives where to; an error that comes
// without it says why there is no capture.
func (g *Gateway) Capture(ctx context.Context, s control.CaptureSpec, begin func(id uint64) control.FlushWriter) (n control.CaptureCounts, err error) {
	c, err := g.newCapture(&s)
	if err != nil {
		return n, fmt.Errorf("capture: %w", err)
	}
	id, stop := g.captures.enter()
	defer g.captures.leave(id)
	defer c.remove()
	if err := c.begin(begin(id)); err != nil {
		return n, err
	}
	err = c.follow(ctx, stop)
	return control.CaptureCounts{Captured: c.written, Lost: c.tap.Lost()}, err
}

// running is a capture that runs. It belongs to one goroutine.
type running struct {
	g       *Gateway
	spec    *control.CaptureSpec
	tap     *dataplane.Tap
	removed bool
	seen    *dataplane.Snapshot // whose names the file has
	out     control.FlushWriter
	file    *pcapng.Writer
	written uint64
}

func (g *Gateway) newCapture(s *control.CaptureSpec) (*running, error) {
	p, err := filter.Parse(s.Filter)
	if err != nil {
		return nil, control.Invalid{Err: err}
	}
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return nil, errStopping
	}
	s.Port = g.deviceOf(s.Port)
	c := &running{g: g, spec: s}
	if s.Port != "" && c.port(g.plane.Snapshot()) == dataplane.NoPort {
		return nil, control.Missing(fmt.Sprintf("%s is neither the underlay nor a port of this gateway (gw port show lists them)", s.Port))
	}
	if s.VNI != nil {
		if err := g.capturable(*s.VNI); err != nil {
			return nil, err
		}
	}
	cfg := dataplane.TapConfig{
		Received: s.Dir == "" || s.Dir == "rx", Sent: s.Dir == "" || s.Dir == "tx", Dropped: s.Dir == "" || s.Dir == "drop",
		VNI: dataplane.NoVNI, Remote: vxlan.AddrOf(s.Remote), Snaplen: s.Snaplen, Filter: p}
	if s.VNI != nil {
		cfg.VNI = *s.VNI
	}
	if c.tap, err = g.plane.AddTap(cfg); errors.Is(err, dataplane.ErrTapsFull) {
		err = fmt.Errorf("as many captures run as may (%d: end one of them)", dataplane.MostTaps)
	}
	return c, err
}

// deviceOf is the device whose far end is called so, which is how gw port show has it, and any other name itself.
func (g *Gateway) deviceOf(name string) string {
	for _, p := range g.ports {
		if p != nil && p.pair != nil && p.info.Name == name {
			return p.label()
		}
	}
	return name
}

// remove ends the tap, once.
func (c *running) remove() {
	if !c.removed {
		c.removed = true
		c.g.plane.RemoveTap(c.tap)
	}
}

// port is the index of the interface that the spec names, or Underlay, AnyPort or NoPort.
func (c *running) port(s *dataplane.Snapshot) uint32 {
	switch c.spec.Port {
	case "":
		return dataplane.AnyPort
	case c.g.link.Name:
		return dataplane.Underlay
	}
	for _, p := range s.Ports {
		if p != nil && !p.Exit.Member && p.Name == c.spec.Port {
			return p.Index
		}
	}
	return dataplane.NoPort
}

// begin writes the file's head.
func (c *running) begin(out control.FlushWriter) (err error) {
	c.out = out
	c.file, err = pcapng.NewWriter(out, pcapng.Config{
		Application: "gw " + Version, Underlay: c.g.link.Name, Snaplen: c.spec.Snaplen, Filter: c.spec.Filter})
	if err != nil {
		return err
	}
	if err := c.look(); err != nil {
		return err
	}
	return c.flush()
}

func (c *running) flush() error {
	if err := c.file.Flush(); err != nil {
		return err
	}
	return c.out.Flush()
}

// look takes note of the ports there are.
func (c *running) look() error {
	s := c.g.plane.Snapshot()
	if s == c.seen {
		return nil
	}
	c.seen = s
	c.tap.SetPort(c.port(s))
	for _, p := range s.Ports {
		if p != nil {
			if err := c.file.Name(p.Index, p.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pauses between two looks for records: at first, and at last.
const (
	capturePause     = time.Millisecond
	capturePauseMost = 16 * time.Millisecond
)

// follow writes what comes until the capture ends.
func (c *running) follow(ctx context.Context, stop <-chan struct{}) error {
	pause := capturePause
	for {
		n, err := c.read()
		if err != nil {
			return err
		}
		if c.full() {
			break
		}
		if pause = min(2*pause, capturePauseMost); n > 0 {
			pause = capturePause
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return c.end()
		case <-time.After(pause):
		}
	}
	return c.end()
}

func (c *running) full() bool { return c.spec.Count > 0 && c.written >= c.spec.Count }

// end writes what there is left, and the file's end.
func (c *running) end() error {
	c.remove()
	for n := 1; n > 0 && !c.full(); {
		var err error
		if n, err = c.read(); err != nil {
			return err
		}
	}
	if err := c.file.Close(c.tap.Lost()); err != nil {
		return err
	}
	return c.out.Flush()
}

// read writes what is there now, and returns how many records that were.
func (c *running) read() (n int, err error) {
	if err := c.look(); err != nil {
		return 0, err
	}
	n = c.tap.Read(func(h *dataplane.Record, frame []byte) bool {
		if c.full() {
			return false
		}
		err = c.file.Write(h, frame)
		c.written++
		return err == nil
	})
	if n > 0 && err == nil {
		err = c.flush()
	}
	return n, err
}
