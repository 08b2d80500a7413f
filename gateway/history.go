package gateway

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"sync"
	"time"

	"vxgw/config"
	"vxgw/control"
	"vxgw/fdb"
)

// How addresses moved: the table notes moves down, and the gateway fetches the notes while
// it still knows what their numbers stand for.

const (
	// mostTracked is how many addresses are remembered, those that moved last, and mostMoves
	// how many moves of each: some 4 MB in all.
	mostTracked = 2048
	mostMoves   = 16
	// logLines is how many frozen addresses are logged in a logSpan at most.
	logLines = 10
	logSpan  = time.Minute
)

// history is what is remembered of moves.
type history struct {
	mu      sync.Mutex // also of who fetches; taken before asking
	tracks  map[track]*list.Element
	recent  list.List // of *tracked, the one that moved last in front
	span    time.Time // since when lines are counted
	lines   int
	omitted int
}

// track is an address of a VNI.
type track struct {
	vni uint32
	mac uint64
}

// moveLimit is what a configuration says of moves.
func moveLimit(v *config.VNI) fdb.MoveLimit {
	return fdb.MoveLimit{Moves: v.Moves.Limit, Within: v.Moves.Within.Seconds(), Freeze: v.Moves.Freeze.Seconds()}
}

// noteMoves fetches the moves since the last time. Any goroutine, but for one that holds
// asking.
func (g *Gateway) noteMoves() {
	h := &g.history
	h.mu.Lock()
	defer h.mu.Unlock()
	g.asking.RLock()
	defer g.asking.RUnlock()
	g.plane.FDB.Moved(func(m fdb.Move) {
		if n := int(m.Key.Domain()); n < len(g.domains) && g.domains[n] != nil {
			g.noteMove(g.domains[n], m)
		}
	})
	g.logOmitted()
}

func (g *Gateway) noteMove(d *domain, m fdb.Move) {
	h, k := &g.history, track{d.cfg.VNI, m.Key.MAC()}
	e := h.tracks[k]
	if e == nil {
		if len(h.tracks) == mostTracked {
			last := h.recent.Remove(h.recent.Back()).(*tracked)
			delete(h.tracks, last.track)
		}
		e = h.recent.PushFront(&tracked{track: k})
		h.tracks[k] = e
	}
	h.recent.MoveToFront(e)
	t := e.Value.(*tracked)
	t.moves++
	if len(t.last) == mostMoves {
		t.last = slices.Delete(t.last, 0, 1)
	}
	one := control.FDBMove{
		Time: g.zero.Add(time.Duration(m.At-1) * time.Second).Round(0), From: g.placeOf(d, m.From), To: g.placeOf(d, m.To), Frozen: m.Frozen}
	t.last = append(t.last, one)
	if m.Frozen && !t.logged {
		t.logged = true
		g.logFrozen(t, one)
	}
}

// tracked is what is remembered of one address.
type tracked struct {
	track
	moves  uint64
	last   []control.FDBMove // oldest first
	logged bool
}

// placeOf says what a destination stands for now.
func (g *Gateway) placeOf(d *domain, dest fdb.Dest) control.FDBPlace {
	p := control.FDBPlace{Ifname: d.cfg.DomainName()}
	if n := int(dest.Index()); dest.IsRemote() {
		p.Dst = "unknown" // it has been forgotten
		if to := g.plane.Remotes.Endpoint(uint32(n)); to.Addr.IsValid() {
			p.Dst = remoteOf(to).String()
		}
	} else if n < len(g.ports) && g.ports[n] != nil {
		p.Ifname, p.VLAN = g.ports[n].label(), g.ports[n].vlanOf()
	} else {
		p.Ifname = "unknown" // it has been taken away
	}
	return p
}

// logFrozen logs that an address is frozen, unless much of that was logged lately.
func (g *Gateway) logFrozen(t *tracked, m control.FDBMove) {
	h := &g.history
	if now := time.Now(); now.Sub(h.span) >= logSpan {
		h.span, h.lines = now, 0
	}
	if h.lines == logLines {
		h.omitted++
		return
	}
	h.lines++
	g.log.Warn("an address has moved too often and stays where it is", "mac", macText(t.mac), "vni", t.vni,
		"at", m.To.String(), "from", m.From.String(), "cure", fmt.Sprintf("gw fdb history %s shows who claims it; gw fdb del %s lets it move again", macText(t.mac), macText(t.mac)))
}

// logOmitted sums up what was not logged.
func (g *Gateway) logOmitted() {
	h := &g.history
	if h.omitted > 0 && time.Since(h.span) >= logSpan {
		g.log.Warn("more addresses have moved too often and stay where they are (gw fdb show -j has all)", "count", h.omitted)
		h.omitted = 0
	}
}

// FDBHistory tells how an address moved, in one VNI or, if vni is 0, in each.
func (g *Gateway) FDBHistory(mac string, vni uint32) ([]control.FDBHistory, error) {
	var m config.MAC
	if err := m.UnmarshalText([]byte(mac)); err != nil {
		return nil, control.Invalid{Err: fmt.Errorf("fdb history: %w", err)}
	}
	if g.stopping() {
		return nil, errStopping
	}
	g.noteMoves()
	found := []control.FDBHistory{}
	h := &g.history
	h.mu.Lock()
	for k, e := range h.tracks {
		if k.mac == macInt(m[:]) && (vni == 0 || k.vni == vni) {
			t := e.Value.(*tracked)
			found = append(found, control.FDBHistory{MAC: mac, VNI: k.vni, Moves: t.moves, Last: slices.Clone(t.last)})
		}
	}
	h.mu.Unlock()
	if len(found) == 0 {
		return nil, control.Missing(fmt.Sprintf("fdb history: no move of %s is remembered", mac))
	}
	slices.SortFunc(found, func(a, b control.FDBHistory) int { return cmp.Compare(a.VNI, b.VNI) })
	g.asking.RLock()
	defer g.asking.RUnlock()
	for i := range found {
		for _, d := range g.domains {
			if d != nil && d.cfg.VNI == found[i].VNI {
				found[i].Frozen = g.plane.FDB.Frozen(fdb.MakeKey(d.index, macInt(m[:])), g.plane.Now())
			}
		}
	}
	return found, nil
}

// stopping says whether Close has begun.
func (g *Gateway) stopping() bool {
	g.asking.RLock()
	defer g.asking.RUnlock()
	return g.ended
}
