package gateway

import (
	"vxgw/control"
	"vxgw/dataplane"
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
