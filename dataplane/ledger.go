package dataplane

import (
	"vxgw/fdb"
	"vxgw/vxlan"
)

// Where frames went: by remote, by bridge domain, and what was dropped by interface.
//
// A worker keeps its ledger in memory of its own, with plain additions, since there are
// too many numbers to publish them as Counters are. It copies them out when it is asked
// (census.go), at the start of a round.

// Traffic counts inner frames, and their bytes from the Ethernet header on.
type Traffic struct {
	RxPackets, RxBytes uint64 // taken out of a tunnel; of a remote's, once it is known whose they are
	TxPackets, TxBytes uint64 // put into a tunnel, or handed to the kernel, which does that
}

// Add adds what u has.
func (t *Traffic) Add(u Traffic) {
	t.RxPackets += u.RxPackets
	t.RxBytes += u.RxBytes
	t.TxPackets += u.TxPackets
	t.TxBytes += u.TxBytes
}

// DomainDrops counts the received frames of a bridge domain that were dropped: from its ports, and from tunnels once the VNI was
// known. They stand apart from the domain's Traffic, which has to stay in few cache lines where there are thousands of VNIs.
type DomainDrops struct {
	Frames  uint64
	Reasons [VerdictCount]uint64 // the same by verdict
}

// drop counts a received frame.
func (d *DomainDrops) drop(v Verdict) {
	d.Frames++
	d.Reasons[v]++
}

// Drops counts the dropped frames of one interface by verdict.
type Drops struct {
	// Received frames. One that another worker was to send is not among them.
	Received [VerdictCount]uint64
	// Leaving is frames, and copies of them, that could not leave by the interface.
	Leaving [VerdictCount]uint64
}

func (d *Drops) add(e *Drops) {
	for v := range d.Received {
		d.Received[v] += e.Received[v]
		d.Leaving[v] += e.Leaving[v]
	}
}

// Ledger is what workers have counted since their start.
type Ledger struct {
	Remotes  []Traffic     // by number
	Domains  []Traffic     // by bridge domain index: what it exchanged with tunnels
	Dropped  []DomainDrops // likewise
	Ports    []Drops       // by Port.Account
	Underlay Drops
	Gone     Traffic // of remotes that were forgotten
}

// add adds what e has.
func (d *DomainDrops) add(e *DomainDrops) {
	if e.Frames == 0 {
		return
	}
	d.Frames += e.Frames
	for v, n := range e.Reasons {
		d.Reasons[v] += n
	}
}

// add adds what m has.
func (l *Ledger) add(m *Ledger) {
	l.Remotes = atLeast(l.Remotes, len(m.Remotes))
	for i := range m.Remotes {
		l.Remotes[i].Add(m.Remotes[i])
	}
	l.Domains = atLeast(l.Domains, len(m.Domains))
	for i := range m.Domains {
		l.Domains[i].Add(m.Domains[i])
	}
	l.Dropped = atLeast(l.Dropped, len(m.Dropped))
	for i := range m.Dropped {
		l.Dropped[i].add(&m.Dropped[i])
	}
	l.Ports = atLeast(l.Ports, len(m.Ports))
	for i := range m.Ports {
		l.Ports[i].add(&m.Ports[i])
	}
	l.Underlay.add(&m.Underlay)
}

func atLeast[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// fold enters what was heard of a VTEP since the last time.
func (w *Worker) fold(m *meeting) {
	if m.packets == 0 {
		return
	}
	heard := Traffic{RxPackets: m.packets, RxBytes: m.bytes}
	w.ledger.Remotes[m.from.Index()].Add(heard)
	w.ledger.Domains[m.domain.Domain()].Add(heard)
	m.packets, m.bytes = 0, 0
}

// heard counts a frame of a VTEP that the quick path did not take.
func (w *Worker) heard(src vxlan.Addr, d *Domain, bytes int) {
	if m := w.meetingOf(src, d.VNI); m.of(src, d.VNI) {
		m.packets++
		m.bytes += uint64(bytes)
		return
	}
	w.ledger.Domains[d.Index].Add(Traffic{RxPackets: 1, RxBytes: uint64(bytes)})
}

// encapped counts the frames of a batch from a port of d that the quick path sent,
// sent of n; all n have bytes.
func (w *Worker) encapped(d *Domain, sent, n int, bytes uint64) {
	if b := &w.batch; sent < n {
		bytes = 0
		for i := range n {
			if b.verdict[i] == gone {
				bytes += uint64(b.desc[i].Len)
			}
		}
	}
	w.ledger.Domains[d.Index].Add(Traffic{TxPackets: uint64(sent), TxBytes: bytes})
}

// forwarded counts row i's frame, or a copy of it, that went to a remote.
func (w *Worker) forwarded(i int, number uint32, bytes uint32) {
	t := Traffic{TxPackets: 1, TxBytes: uint64(bytes)}
	w.ledger.Remotes[number].Add(t)
	w.ledger.Domains[w.batch.keys[i].Domain()].Add(t)
}

// lost counts row i's frame as dropped where it was received. Those that were dropped
// before they had a key are of the port's domain; open has counted those of tunnels.
func (w *Worker) lost(i int, v Verdict) {
	drops, domain := &w.ledger.Underlay, NoDomain
	if k := w.batch.keys[i]; k != 0 {
		domain = k.Domain()
	}
	if w.from != Underlay {
		p := w.snap.Ports[w.from]
		drops = &w.ledger.Ports[p.Account]
		if domain == NoDomain {
			domain = w.domainOf(i, p)
		}
	}
	if domain != NoDomain {
		w.ledger.Dropped[domain].drop(v)
	}
	drops.Received[v]++
}

// stuck counts a frame, or a copy, as dropped where it should have left: at a port, or
// at the underlay (underlayCrossing). Of a port that was never known there is no account.
func (w *Worker) stuck(port uint32, v Verdict) {
	if port == underlayCrossing {
		w.ledger.Underlay.Leaving[v]++
	} else if p := w.snap.port(port); p != nil {
		w.ledger.Ports[p.Account].Leaving[v]++
	}
}

// leavesBy is the port that frames to a destination leave by, or underlayCrossing.
func leavesBy(to fdb.Dest) uint32 {
	if to.IsRemote() {
		return underlayCrossing
	}
	return to.Index()
}

// foldAll makes the ledger complete.
func (w *Worker) foldAll() {
	w.eachMeeting(w.fold)
}

// copyTo writes the ledger down, remotes up to the number known. into is what was written down the last time: reasons
// of a domain that has dropped nothing since stand there.
func (l *Ledger) copyTo(into *Ledger, known int) {
	into.Remotes = append(into.Remotes[:0], l.Remotes[:min(known, len(l.Remotes))]...)
	into.Domains = append(into.Domains[:0], l.Domains...)
	into.Dropped = atLeast(into.Dropped, len(l.Dropped))
	for i := range l.Dropped {
		if to, d := &into.Dropped[i], &l.Dropped[i]; to.Frames != d.Frames {
			*to = *d
		}
	}
	into.Ports = append(into.Ports[:0], l.Ports...)
	into.Underlay = l.Underlay
}

// grow makes room for what a snapshot has.
func (l *Ledger) grow(s *Snapshot) {
	l.Domains, l.Dropped = atLeast(l.Domains, len(s.Domains)), atLeast(l.Dropped, len(s.Domains))
	accounts := len(l.Ports)
	for _, p := range s.Ports {
		if p != nil {
			accounts = max(accounts, int(p.Account)+1)
		}
	}
	l.Ports = atLeast(l.Ports, accounts)
}
