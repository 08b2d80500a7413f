package dataplane

import (
	"errors"
	"slices"

	"vxgw/fdb"
	"vxgw/neigh"
	"vxgw/vxlan"
)

// Fate is what would become of a frame, and why.
type Fate struct {
	Frame   []byte // as it came
	Verdict Verdict

	// Port is the one that it came in by, the VLAN's where that is a trunk; or Underlay.
	Port     uint32
	Domain   *Domain  // its bridge domain; nil if it was dropped before that was known
	From     fdb.Dest // where its source is then, if anything was looked up
	Stranger bool     // that is a VTEP which spoke for the first time
	Nobody   bool     // and got no number, so that nothing is learned of it

	// What follows is there if the frame was worth a look-up: Source is not zero then.

	Inner          []byte // without outer headers, and without the tag that says which VLAN of the port it is of
	Source, Target fdb.Key
	Was, Is        fdb.Value   // the source's entry: now, and with what would be learned
	Learn          fdb.Outcome // what learning would do
	To             fdb.Value   // the destination's entry, zero if there is none
	Flood          bool        // there is none, and its class is one that is flooded
	PortsOnly      bool        // but not into tunnels, since neighbours are suppressed
	Class          Class       // of a frame whose destination has no entry
	Spent          uint32      // frames of the class that were flooded in this second, where that is limited
	Neigh          *NeighFate  // of what ARP and ND messages say, where they are suppressed

	Copies []Copy // where it would go: one, or those of flooding
	More   int    // copies that were not tried
	Answer []byte // what would go back to its sender: that it is too big, or who it asked for
}

// Copy is a frame on its way to one destination.
type Copy struct {
	To      fdb.Dest
	Verdict Verdict
	// Packet is what leaves: at the underlay with outer headers, of which the IPv4 ID is a counter's. What the kernel is left to send
	// (ToKernel) begins with the outer IP header.
	Packet []byte
}

// NeighFate is what a message about neighbours would do.
type NeighFate struct {
	vxlan.Neigh
	Asked    neigh.Entry // who is asked for
	Known    bool        // by the table
	AskedAt  fdb.Value   // where that MAC address is
	Learned  bool        // the claim is a new entry
	Moved    bool        // or takes one to another MAC address
	Refused  string      // or is refused: static, limit, forged
	Answered bool
}

// mostCopies is how many copies a trial tries; what it costs is some microseconds each.
const mostCopies = 1024

// judge works on a frame of which is known what it is about, with excerpts of what it would meet.
func (t *Trial) judge(f *Fate, frame []byte) error {
	live := f.Domain
	d := *live
	if live.Flooding.Storm != nil {
		d.Flooding.Storm = live.Flooding.Storm.copy()
	}
	var err error
	keys := []fdb.Key{f.Source, f.Target}
	if live.Neighbours != nil {
		keys = append(keys, t.excerptNeighbours(f, &d))
	}
	if t.plane.FDB, err = t.live.FDB.Excerpt(keys...); err != nil {
		return err
	}
	t.plane.Remotes.follow(t.live.Remotes) // which may have got some that entries name
	table := t.plane.FDB
	f.Was, f.To = table.Lookup(f.Source), table.Lookup(f.Target)
	f.Class = classOf(f.Target.MAC())
	if s := d.Flooding.Storm; s != nil {
		i := int(f.Class)
		if f.From.IsRemote() {
			i += ClassCount
		}
		f.Spent = s.spent(i, t.plane.Now())
	}
	d.FloodPorts, d.OpenPorts, d.FloodRemotes = nil, nil, nil
	got, err := t.run(t.with(&d), frame)
	if err != nil {
		return err
	}
	f.Verdict, f.Answer = got.verdict, got.back
	f.learned(table, &d)
	if b := &t.worker.batch; b.verdict[0] == undecided && b.target[0] >= answeredAlone {
		f.Flood, f.PortsOnly = b.target[0] != answeredAlone, b.target[0] != flood
	}
	if f.Flood {
		return t.flood(f, live, &d, frame)
	}
	// A frame that was worth a look-up has this verdict at its way out.
	if v := got.verdict; f.To.Found() && (!v.Drop() || v == InnerVLAN || v >= TooBig) {
		f.Copies = []Copy{{To: f.To.Dest(), Verdict: v, Packet: got.left(f.To.Dest())}}
	}
	return nil
}

// left is what left towards a destination.
func (o *outcome) left(to fdb.Dest) []byte {
	switch {
	case to.IsRemote() && o.verdictOf() == ToKernel:
		return o.kernel
	case to.IsRemote():
		return o.wire
	}
	return o.out
}

func (o *outcome) verdictOf() Verdict {
	if o.copy != undecided {
		return o.copy
	}
	return o.verdict
}

// with is the stripped domains with d in place of its own.
func (t *Trial) with(d *Domain) []*Domain {
	all := slices.Clone(t.stripped)
	all[d.Index] = d
	return all
}

// learned notes what has been learned in an excerpt.
func (f *Fate) learned(table *fdb.Table, d *Domain) {
	f.Is = table.Lookup(f.Source)
	s := table.Stats()
	switch {
	case f.Verdict == MoveFrozen:
		f.Learn = fdb.RefusedFrozen
	case s.RefusedStatic > 0 || f.Verdict == StaticConflict:
		f.Learn = fdb.RefusedStatic
	case s.RefusedLimit > 0:
		f.Learn = fdb.RefusedLimit
	case s.RefusedFull > 0:
		f.Learn = fdb.RefusedFull
	case f.Was.Found() && f.Is.Dest() != f.Was.Dest():
		f.Learn = fdb.Moved
	case !f.Was.Found() && f.Is.Found():
		f.Learn = fdb.Added
	case f.Was != f.Is:
		f.Learn = fdb.Refreshed
	default:
		f.Learn = fdb.Fresh
	}
	if n := f.Neigh; n != nil {
		c := &d.Neighbours.Counts
		n.Learned, n.Moved, n.Answered = c.Added.Load() > 0, c.Moved.Load() > 0, f.Verdict == Answered
		switch {
		case c.RefusedStatic.Load() > 0:
			n.Refused = "static"
		case c.RefusedLimit.Load() > 0:
			n.Refused = "limit"
		case c.RefusedForged.Load() > 0:
			n.Refused = "forged"
		}
	}
}

// excerptNeighbours gives d a table with what a message in the frame is about, and returns the key of the MAC address that it asks for.
func (t *Trial) excerptNeighbours(f *Fate, d *Domain) (asked fdb.Key) {
	live := d.Neighbours
	var in vxlan.Inner
	var n NeighFate
	if vxlan.ParseInner(f.Inner, &in) != vxlan.OK || !vxlan.ParseNeigh(f.Inner, &in, &n.Neigh) {
		d.Neighbours = live.Excerpt()
		return 0
	}
	d.Neighbours = live.Excerpt(neighKey(n.IP, n.VLAN), neighKey(n.Target, n.VLAN))
	f.Neigh = &n
	if n.Kind == vxlan.NeighAsk {
		n.Asked, n.Known = d.Neighbours.Lookup(neighKey(n.Target, n.VLAN), t.plane.Now())
	}
	if n.Known {
		asked = fdb.MakeKey(d.Index, n.Asked.MAC)
		n.AskedAt = t.live.FDB.Lookup(asked)
	}
	return asked
}

// flood tries the copies of a flooded frame, one by one, as if there were no other.
func (t *Trial) flood(f *Fate, live, d *Domain, frame []byte) error {
	domains := t.with(d)
	for _, p := range live.FloodPorts {
		d.FloodPorts, d.OpenPorts = []uint32{p}, nil
		if slices.Contains(live.OpenPorts, p) {
			d.OpenPorts = d.FloodPorts
		}
		if _, err := t.copy(f, fdb.PortDest(p), live, domains, frame); err != nil {
			return err
		}
	}
	d.FloodPorts, d.OpenPorts = nil, nil
	for _, r := range live.FloodRemotes {
		d.FloodRemotes = []uint32{r}
		if sent, err := t.copy(f, fdb.RemoteDest(r), live, domains, frame); !sent {
			return err // no other remote gets one
		}
	}
	return nil
}

// copy tries the copy to one destination, the only one that domains have, and reports whether it gets one.
func (t *Trial) copy(f *Fate, to fdb.Dest, live *Domain, domains []*Domain, frame []byte) (sent bool, err error) {
	if len(f.Copies) == mostCopies {
		f.More++
		return true, nil
	}
	if s := live.Flooding.Storm; s != nil {
		domains[live.Index].Flooding.Storm = s.copy()
	}
	if f.Source == f.Target && !f.Was.Found() { // what the run before has learned would be found
		if err := t.plane.FDB.Delete(f.Source); err != nil && !errors.Is(err, fdb.ErrNotFound) {
			return false, err
		}
	}
	got, err := t.run(domains, frame)
	if err != nil || got.copy == undecided {
		return false, err
	}
	f.Verdict = got.verdict
	if f.Answer == nil {
		f.Answer = got.back
	}
	f.Copies = append(f.Copies, Copy{To: to, Verdict: got.copy, Packet: got.left(to)})
	return true, nil
}

// Ways is how many of the copies go to ports, and how many to remotes.
func (f *Fate) Ways() (ports, remotes int) {
	for _, c := range f.Copies {
		if c.To.IsRemote() {
			remotes++
		} else {
			ports++
		}
	}
	return ports, remotes
}
