package metrics

import (
	"cmp"
	"slices"

	"vxgw/control"
)

// How many remotes have series of their own. Anybody on the underlay can forge 65,000 VTEPs that speak
// first, and a file can name as many.
const (
	NamedStrangers  = 256
	NamedConfigured = 1024
)

// other is the remote of all that have none.
const other = "other"

// naming says which remotes have series of their own: of those that come while there is room, the
// busiest ones, each until it is gone. So no series ends because another remote has become busier. All
// others are one, whose counts never go back nor jump: what one of them had before it was named stays
// with them, and what was told of a remote under its name is not told again when that is gone.
type naming struct {
	named map[string]*owned   // by control.Remote.Name
	crowd map[string]struct{} // known without a name
	told  control.Traffic     // under names that are gone
}

// owned is a remote with series of its own.
type owned struct {
	number int
	before control.Traffic // what it had when it was named, of which the others have told
	last   control.Traffic // what it had when it was looked at last
	seen   bool
}

func newNaming() *naming { return &naming{named: map[string]*owned{}} }

// update takes a status in, and returns the remotes with names, each with what is told of it, and what
// is told of all others. Statuses come in the order in which they were made.
func (n *naming) update(s *control.Status) (own []control.Remote, others control.Traffic) {
	others = s.Forgotten
	var waiting []control.Remote
	room := map[bool]int{true: NamedConfigured, false: NamedStrangers} // by Remote.Configured
	for _, r := range s.Remotes {
		add(&others, r.Traffic)
		known := n.named[r.Name()]
		if known == nil || known.number != r.Number || !covers(r.Traffic, known.last) {
			waiting = append(waiting, r) // one that was known by that name is gone
			continue
		}
		known.seen, known.last = true, r.Traffic
		room[r.Configured]--
		r.Traffic = minus(r.Traffic, known.before)
		own = append(own, r)
	}
	for name, known := range n.named {
		if !known.seen {
			add(&n.told, minus(known.last, known.before))
			delete(n.named, name)
		}
		known.seen = false
	}
	slices.SortStableFunc(waiting, func(a, b control.Remote) int {
		return cmp.Or(cmp.Compare(b.RxBytes+b.TxBytes, a.RxBytes+a.TxBytes), cmp.Compare(a.Number, b.Number))
	})
	crowd := map[string]struct{}{}
	for _, r := range waiting {
		name := r.Name()
		if _, twice := n.named[name]; twice || room[r.Configured] <= 0 {
			crowd[name] = struct{}{}
			continue
		}
		room[r.Configured]--
		known := &owned{number: r.Number, last: r.Traffic}
		if _, was := n.crowd[name]; was {
			known.before = r.Traffic
		}
		n.named[name] = known
		r.Traffic = minus(r.Traffic, known.before)
		own = append(own, r)
	}
	n.crowd = crowd
	others = minus(others, n.told)
	for _, r := range own {
		others = minus(others, r.Traffic)
	}
	return own, others
}

func add(sum *control.Traffic, t control.Traffic) {
	sum.RxPackets += t.RxPackets
	sum.RxBytes += t.RxBytes
	sum.TxPackets += t.TxPackets
	sum.TxBytes += t.TxBytes
}

// minus is what a has more than b.
func minus(a, b control.Traffic) control.Traffic {
	a.RxPackets -= min(a.RxPackets, b.RxPackets)
	a.RxBytes -= min(a.RxBytes, b.RxBytes)
	a.TxPackets -= min(a.TxPackets, b.TxPackets)
	a.TxBytes -= min(a.TxBytes, b.TxBytes)
	return a
}

// covers reports whether a has all that b has.
func covers(a, b control.Traffic) bool {
	return a.RxPackets >= b.RxPackets && a.RxBytes >= b.RxBytes && a.TxPackets >= b.TxPackets && a.TxBytes >= b.TxBytes
}
