package gateway

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// The steward is the one goroutine that changes what workers work with. It wakes
// for news from the kernel and from the workers, and builds at most one snapshot per
// minGap, however much flaps, and fewer where building takes long.

const (
	minGap = 10 * time.Millisecond
	// buildShare bounds what building snapshots takes of a CPU to 1/(1+buildShare):
	// ten thousand remotes take three milliseconds.
	buildShare = 4
	// tickEvery is the resolution of nothing but housekeeping: the FDB's clock has
	// seconds, ageing is a scan in small steps.
	tickEvery = 200 * time.Millisecond
	// ageSteps is in how many ticks ageing goes once over the whole table.
	ageSteps = 50
)

// steward is the state of that goroutine, and the one word that others leave it.
type steward struct {
	watched  map[uint32]bool           // remotes whose way is followed
	followed map[netip.Addr]int        // how many of them have an address
	unused   map[uint32]bool           // remotes that no FDB entry named when evict last looked
	evicted  time.Time                 // when that was
	unnamed  numberSet                 // remotes that a change took out of a flood list or an entry
	dismiss  time.Time                 // when these may be looked for
	built    time.Time                 // of the last snapshot
	gap      time.Duration             // to leave before the next one
	allow    map[uint32]*domain        // VNIs whose list may be another, see reallow
	untaken  map[uint32][]netip.Prefix // lists that XDP did not take, for the next time
	allowed  map[uint32][]netip.Prefix // who may send to those that have a list, as XDP has it
	draining bool                      // a path of the last snapshot waits for the slow path to run dry
	redrawn  bool                      // a domain is not what the last snapshot has
	requeued bool                      // nor are the queues
	repath   bool                      // nor, perhaps, the ways to remotes
	vnis     []renumbering             // VNIs that have another index than in the last snapshot
	refit    bool                      // an MTU, or what a tunnel takes of it, is not what the last snapshot had, and the builder is to know
	wireMTU  int                       // the underlay's, as last seen
	links    map[int]linkState
	lists    map[string]*floodList // by their numbers
	lastList *floodList
	begun    bool         // set before the steward runs
	waiting  []chan error // of orders that the next snapshot carries out
	orders   chan order
	ended    chan struct{} // closed when the steward is no more
	ports    chan netlink.LinkUpdate

	mu     sync.Mutex
	wanted []uint32            // remotes that a frame went to by the slow path
	asked  map[uint32]struct{} // those already passed on
	wake   chan struct{}       // capacity 1
}

func newSteward() steward {
	return steward{redrawn: true, requeued: true, repath: true, links: map[int]linkState{}, lists: map[string]*floodList{},
		watched: map[uint32]bool{}, followed: map[netip.Addr]int{}, allow: map[uint32]*domain{}, allowed: map[uint32][]netip.Prefix{}, evicted: time.Now(), orders: make(chan order), ended: make(chan struct{}), asked: map[uint32]struct{}{}, wake: make(chan struct{}, 1)}
}

// startSteward publishes changes from now on, and lets the builder make some.
func (g *Gateway) startSteward() error {
	g.steward.begun = true
	ended := g.run("steward", func() error { g.keep(); return nil })
	g.onClose(func() error {
		close(g.stop)
		<-ended
		return nil
	})
	return g.startBuilder()
}

// keep is the steward's life.
func (g *Gateway) keep() {
	defer close(g.steward.ended)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	pending := false
	for {
		select {
		case <-g.stop:
			return
		case <-tick.C:
			g.housekeep()
		case <-g.mirror.Changes():
			if g.mirror.Link().Gone {
				// Its sockets are dead for good, whatever gets its name next.
				g.fail(fmt.Errorf("underlay %s is gone: it was removed, or moved to another network namespace (start gw again when it is back)", g.cfg.Underlay.Iface))
				return
			}
			pending, g.steward.repath = true, true
			if mtu := g.mirror.Link().MTU; mtu != g.steward.wireMTU {
				g.steward.wireMTU, g.steward.refit = mtu, true
			}
		case <-g.plane.Remotes.Fresh():
			pending, g.steward.repath = true, true
		case u, ok := <-g.steward.ports:
			if !ok {
				g.refollow()
				continue
			}
			pending = g.portChanged(u) || pending
			pending = g.deviceChanged(u) || pending
		case <-g.steward.wake:
			if g.watchWanted() {
				pending, g.steward.repath = true, true
			}
		case o := <-g.steward.orders:
			pending = g.carryOut(o) || pending
		case <-due.C:
			pending = true
		}
		if !pending {
			continue
		}
		if wait := g.steward.gap - time.Since(g.steward.built); wait > 0 {
			due.Reset(wait)
			pending = false // due brings it back
			continue
		}
		g.publish()
		g.dismiss()
		g.answer()
		if g.steward.refit {
			g.steward.refit = false
			g.builder.rouse()
		}
		pending = false
		if g.steward.draining {
			g.steward.repath = true
			due.Reset(minGap)
		}
	}
}

// housekeep keeps the clock and lets entries age.
func (g *Gateway) housekeep() {
	now := g.now()
	g.plane.Tick(now)
	g.age(now)
	g.noteMoves()
	g.tendNeighbours(now)
	g.deferInterrupts()
	if time.Since(g.steward.evicted) >= evictEvery {
		g.evict()
		g.steward.evicted = time.Now()
	}
	g.dismiss()
}

// now is the time for FDB entries: seconds since the start, from 1 on.
func (g *Gateway) now() uint32 { return uint32(time.Since(g.zero)/time.Second) + 1 }

// want is called by the slow path with each remote that it sends to.
func (g *Gateway) want(remote uint32) {
	s := &g.steward
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.asked[remote]; ok {
		return
	}
	s.asked[remote] = struct{}{}
	s.wanted = append(s.wanted, remote)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wantNoMore has the next frame to a number told again: it stands for nobody now.
func (s *steward) wantNoMore(remote uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asked, remote)
}

// watchWanted has the ways to new remotes followed once somebody sends to them: a
// stranger that only sends to us costs the kernel nothing.
func (g *Gateway) watchWanted() bool {
	s := &g.steward
	s.mu.Lock()
	wanted := s.wanted
	s.wanted = nil
	s.mu.Unlock()
	addrs := g.plane.Remotes.Addrs()
	for _, n := range wanted {
		if int(n) >= len(addrs) || !addrs[n].IsValid() {
			s.wantNoMore(n)
			continue
		}
		if err := g.follow(n, addrs[n]); err != nil {
			g.log.Warn("cannot follow the way to a remote", "remote", addrs[n], "err", err)
		}
	}
	return len(wanted) > 0
}
