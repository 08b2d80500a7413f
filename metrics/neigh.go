package metrics

import "vxgw/control"

// neighbours sends what a VNI did about questions for neighbours; nothing of one that leaves them alone.
func (e emitter) neighbours(n *control.NeighStats, vni string) {
	if n == nil {
		return
	}
	e.put(neighEntries, float64(n.Entries), vni)
	e.count(neighQuieted, n.Answered, vni, "answered")
	e.count(neighQuieted, n.Suppressed, vni, "suppressed")
	e.count(neighLearned, n.Learned, vni, "entered")
	e.count(neighLearned, n.Moved, vni, "moved")
	e.count(neighLearned, n.Aged, vni, "aged")
	for reason, count := range n.Refused {
		e.count(neighDistrust, count, vni, reason)
	}
}
