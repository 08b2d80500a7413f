package metrics

import "vxgw/control"

// neighbours sends what a VNI did about questions for neighbours; nothing of one that leaves them alone.
func (e emitter) neighbours(n *control.NeighStats, vni string) {
	if n == nil {
		return
	}
	e.gauge(neighEntries, float64(n.Entries), vni)
	e.counter(neighQuieted, n.Answered, vni, "answered")
	e.counter(neighQuieted, n.Suppressed, vni, "suppressed")
	e.counter(neighLearned, n.Learned, vni, "entered")
	e.counter(neighLearned, n.Moved, vni, "moved")
	e.counter(neighLearned, n.Aged, vni, "aged")
	for reason, count := range n.Refused {
		e.counter(neighDistrust, count, vni, reason)
	}
}
