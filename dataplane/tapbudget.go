package dataplane

import "time"

// tapBudget keeps a worker from giving taps more than a quarter of its time: what comes while it is overdrawn is lost to
// them, and counted. Forwarding keeps half of its rate at least so, since taps cost it cache lines, too.
type tapBudget struct {
	credit int64 // ns that taps may take
	since  int64 // when it last earned some
	most   int64 // credit that there may be
}

// tapCredit is the most of it for workers. A burst as long as that is captured whole.
const tapCredit = int64(100 * time.Millisecond)

// earn adds a quarter of the time that has passed.
func (b *tapBudget) earn(now int64) {
	if b.since == 0 {
		b.credit = b.most
	}
	b.credit = min(b.credit+max(now-b.since, 0)/4, b.most)
	b.since = now
}

// spend takes away the time since from.
func (b *tapBudget) spend(from int64) { b.credit -= max(time.Now().UnixNano()-from, 0) }

func (b *tapBudget) overdrawn() bool { return b.credit < 0 }
