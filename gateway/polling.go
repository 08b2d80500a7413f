package gateway

import (
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/ring"
)

var polls = map[config.Poll]dataplane.Poll{
	config.PollAdaptive:  dataplane.PollAdaptive,
	config.PollBusy:      dataplane.PollBusy,
	config.PollInterrupt: dataplane.PollInterrupt,
}

// busyPoll is how long the kernel may look for packets in one call; a worker asks again at
// once.
const busyPoll = 20 * time.Microsecond

// polled makes the sockets of an interface receive when their worker asks, where workers are to.
func (g *Gateway) polled(c *ring.DeviceConfig) {
	if g.plane.Poll == dataplane.PollBusy {
		c.BusyPoll, c.BusyPollBudget = busyPoll, dataplane.BatchSize
	}
}

// undrivenTicks is how many ticks after its first frame an interface that no worker can poll is told of.
const undrivenTicks = 5

// polling is what became of an interface that workers are to poll.
type polling struct {
	settled bool // its interrupts wait, or it was told why not
	ticks   int  // since it received frames
}

// deferInterrupts has the interrupts of each interface wait once its workers receive by themselves. Before that nobody would receive
// meanwhile: with no poll, what comes less than gro_flush_timeout after another packet waits for that to end. The steward calls it, who also
// takes ports out before they are closed and have their settings put back.
func (g *Gateway) deferInterrupts() {
	if g.plane.Poll != dataplane.PollBusy {
		return
	}
	for _, f := range append(ifaces(g.ports), g.wire) {
		if !f.polling.settled {
			g.deferOf(f)
		}
	}
}

func (g *Gateway) deferOf(f *iface) {
	driven, received := f.driven()
	switch {
	case driven:
		f.polling.settled = true
		if err := netdev.DeferInterrupts(g.journal, f.info); err != nil {
			g.log.Warn("interrupts come beside busy polling", "iface", f.info.Name, "err", err)
		}
	case received:
		if f.polling.ticks++; f.polling.ticks == undrivenTicks {
			f.polling.settled = true
			g.log.Warn("workers cannot receive by themselves here: they spin, and interrupts receive as ever", "iface", f.info.Name,
				"reason", "since Linux 6.13 the kernel polls sockets in zero-copy mode only", "cure", "--poll adaptive, or a NIC whose driver has zero-copy")
		}
	}
}

// driven tells whether some worker receives by itself, and whether frames have come at all.
func (f *iface) driven() (driven, received bool) {
	for _, q := range f.queues {
		driven = driven || q.Socket.Driven()
		received = received || q.Stats.RxPackets.Load() > 0
	}
	return driven, received
}
