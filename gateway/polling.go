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

// polled makes the sockets of an interface receive when their worker asks, where workers
// are to, and its interrupts wait meanwhile.
func (g *Gateway) polled(info netdev.Info, c *ring.DeviceConfig) {
	if g.plane.Poll != dataplane.PollBusy {
		return
	}
	c.BusyPoll, c.BusyPollBudget = busyPoll, dataplane.BatchSize
	if err := netdev.DeferInterrupts(g.journal, info); err != nil {
		g.log.Warn("interrupts come beside busy polling", "iface", info.Name, "err", err)
	}
}
