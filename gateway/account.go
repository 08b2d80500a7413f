package gateway

import (
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/underlay"
)

// drops names the verdicts that were counted for an interface.
func drops(d dataplane.Drops) (received, leaving map[string]uint64) {
	return byName(&d.Received), byName(&d.Leaving)
}

// byName leaves out what did not happen.
func byName(counts *[dataplane.VerdictCount]uint64) map[string]uint64 {
	named := map[string]uint64{}
	for v, n := range counts {
		if n > 0 {
			named[dataplane.Verdict(v).String()] = n
		}
	}
	return named
}

// entry is that of a number, zero for one that the workers have not met yet.
func entry[T any](all []T, number int) (e T) {
	if number < len(all) {
		e = all[number]
	}
	return e
}

// forgotten adds up the traffic of remotes that have no address any more.
func (v *view) forgotten() control.Traffic {
	sum := v.ledger.Gone
	for n, t := range v.ledger.Remotes {
		if !v.end(uint32(n)).Addr.IsValid() {
			sum.Add(t)
		}
	}
	return control.Traffic(sum)
}

// histogram copies what was counted.
func histogram(s *dataplane.Sizes) control.Histogram {
	h := control.Histogram{Sum: s.Sum.Load()}
	for i := range s.Counts {
		h.Counts = append(h.Counts, s.Counts[i].Load())
		if i < dataplane.SizeBuckets {
			h.Bounds = append(h.Bounds, 1<<i)
		}
	}
	return h
}

func tableCounts(s fdb.DomainStats) control.FDBDomain {
	return control.FDBDomain{Limit: s.Limit, Moves: s.Moves, Aged: s.Aged,
		RefusedLimit: s.RefusedLimit, RefusedStatic: s.RefusedStatic, RefusedFull: s.RefusedFull}
}

func netlinkCounts(s underlay.Stats) control.Netlink {
	return control.Netlink{Routes: s.Routes, Asks: s.Asks, Overruns: s.Overruns}
}
