// Package gateway owns a running gateway: it builds one from a configuration, keeps
// it in step with the kernel, shows its state, and takes everything back at the end.
//
// Start goes through these steps, each of which puts what it undoes on a stack:
//
//	lock and journal    one gateway per underlay interface; undo what a killed one left
//	underlay            address, link, memory, XDP program, sockets
//	domains             groups joined, devices made, programs attached, sockets bound,
//	                    remotes numbered, static FDB entries
//	workers             first snapshot, then frames flow
//	leftovers           what XDP leaves to the kernel although it is ours comes back
//
// After that one goroutine, the steward, turns what changes in the kernel and what
// workers find out into new snapshots. Another one, the builder, opens and closes domains
// and ports as the configuration or an operator wants, by the same way as the start does.
package gateway

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/btf"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/handover"
	"vxgw/neigh"
	"vxgw/netdev"
	"vxgw/ring"
	"vxgw/underlay"
)

// Gateway is a running VTEP. Its methods may be called from any goroutine.
type Gateway struct {
	cfg     *config.Config
	log     *slog.Logger
	paths   netdev.Paths
	started time.Time
	zero    time.Time // second 0 of the clock for entries: before started where some were handed over
	// interrupt is closed when the gateway is to stop; nil is never.
	interrupt <-chan struct{}

	plane   *dataplane.Plane
	journal *netdev.Journal
	mirror  *underlay.Mirror
	left    []*underlay.Leftovers // over IPv4, and over IPv6 where the kernel has it
	groups  *underlay.Memberships
	steer   *bpf.Underlay
	link    netdev.Info      // the underlay, as it was at the start
	wire    *iface           // its queues: of the interface below it where it is a VLAN
	sources underlay.Sources // outer sources; the steward's once it runs, others read the snapshot
	domains []*domain        // by bridge domain index, nil where unused; see asking
	ports   []*port          // by port index, the same
	// liveTrunks are those whose ports workers have, the same.
	liveTrunks []*trunk
	tunnels    []tunnel // by set; the steward's
	given      given
	history    history
	workers    int
	serving    bool // workers run: what opens now comes later
	builder    builder

	// Of the builder, and of Start before there is one.
	domainNumbers, portNumbers numbers
	accountNumbers             numbers            // of interfaces that are ports
	trunks                     map[string]*trunk  // open ones, by name
	opened                     []*port            // and not closed, whether workers have them or not
	held                       map[netip.Addr]int // how many VNIs have a group
	frames                     frames
	frameSize                  int            // bytes, of all frames
	base                       *config.Config // what the configuration in force says beside VNIs; changed under asking

	complaints struct{ believed, ignored atomic.Uint64 } // see heed

	kernelTypes btf.Cache // shared by the programs of ports

	neighBudget *neigh.Budget // bounds what all neighbour tables learn

	explaining sync.Mutex // one frame at a time, see Explain
	telling    telling

	listeners atomic.Int32 // of WatchFDB
	captures  captures

	// asking is held by who looks at the parts below from outside, and at domains,
	// ports and what is in them. The steward alone changes those, and holds it then:
	// see alter.
	asking  sync.RWMutex
	ended   bool            // under asking: Close has begun, the parts go away
	trouble string          // under asking: why the last reload was refused, "" if it was not
	reloads control.Reloads // under asking
	// unsteered is why XDP lets more VTEPs through than may send, "" if it does not; under asking.
	unsteered string
	undo      []func() error // what Close does, last first
	failed    chan error     // a worker or the steward could not go on
	stop      chan struct{}
	steward   steward
	// unfollow ends the subscription to what happens to interfaces.
	unfollow chan struct{}

	collect func() (*handover.Bag, error) // see TakeOver; nil in one that follows nobody
	parting parting                       // for whom it leaves what, at its end
	prior   *prior                        // what the gateway before has left; nil, or until the start is over
}

// domain is a bridge domain: its configuration and the numbers that stand for it.
type domain struct {
	cfg    *config.VNI       // replaced, never changed
	index  uint16            // of the domain, as the table and the snapshot have it
	plane  *dataplane.Domain // replaced, never changed once workers have it; the steward's, others read the snapshot
	flood  *floodList        // as it is now, which gw fdb may have changed; replaced, never changed
	ports  []*port           // open ones; replaced, never changed
	absent []*absence        // the other configured ones; replaced, never changed

	neighbours *neigh.Table // nil where it suppresses nothing
}

// Start makes a gateway of cfg, which passed Validate and is not changed any more.
// When it returns without error, frames flow. The error is a *config.Error when the
// configuration asks for something that is not there.
//
// When ctx ends, a start, a reload or a change that is under way is given up and taken
// back; that of Start is ErrInterrupted then, itself if nothing else went wrong. A
// gateway that runs goes on.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Gateway, error) {
	return start(ctx, newGateway(cfg, log))
}

func start(ctx context.Context, g *Gateway) (*Gateway, error) {
	g.interrupt = ctx.Done()
	for _, step := range append(g.steps(), g.startSteward) {
		err := g.interrupted()
		if err == nil {
			err = step()
		}
		if err != nil {
			return nil, with(err, g.Close())
		}
	}
	return g, nil
}

// ErrInterrupted is why something that takes long was given up.
var ErrInterrupted = errors.New("interrupted: gw is to stop")

// interrupted returns ErrInterrupted when whoever started the gateway wants it to stop.
func (g *Gateway) interrupted() error {
	select {
	case <-g.interrupt:
		return ErrInterrupted
	default:
		return nil
	}
}

// with is err itself, unless taking back what came before it failed too.
func with(err, back error) error {
	if back == nil {
		return err
	}
	return errors.Join(err, back)
}

func newGateway(cfg *config.Config, log *slog.Logger) *Gateway {
	now := time.Now()
	return &Gateway{
		cfg: cfg, log: log, started: now, zero: now, parting: newParting(), reloads: control.Reloads{LastApplied: unixSeconds(now)},
		failed: make(chan error, 8), stop: make(chan struct{}), unfollow: make(chan struct{}), steward: newSteward(), given: newGiven(), builder: newBuilder(),
		domainNumbers: newNumbers("VNIs", maxDomains), portNumbers: newNumbers("ports", maxPorts),
		accountNumbers: newNumbers("interfaces", maxPorts), trunks: map[string]*trunk{},
		held: map[netip.Addr]int{}, base: cfg, history: history{tracks: map[track]*list.Element{}},
		neighBudget: neigh.NewBudget(maxNeighbours),
	}
}

// steps is the way up to where frames flow.
func (g *Gateway) steps() []func() error {
	return []func() error{
		CheckPrivilege,
		g.claim,
		g.openUnderlay,
		g.openDomains,
		g.restoreTables,
		g.startWorkers,
		g.takeOver,
		g.takeLeftovers,
		g.heedComplaints,
		g.settle,
	}
}

// Failed delivers the error of a part that could not go on. The gateway is then
// to be closed.
func (g *Gateway) Failed() <-chan error { return g.failed }

// Paths says where the gateway's files are.
func (g *Gateway) Paths() netdev.Paths { return g.paths }

// Close stops the gateway and takes back everything it made or changed. What
// could not be taken back is in the error. A second call does nothing.
func (g *Gateway) Close() error {
	g.asking.Lock()
	g.ended = true
	g.asking.Unlock()
	g.beginLeaving()
	var errs []error
	for len(g.undo) > 0 {
		last := g.undo[len(g.undo)-1]
		g.undo = g.undo[:len(g.undo)-1]
		if err := last(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// onClose puts f on the stack of what Close does.
func (g *Gateway) onClose(f func() error) { g.undo = append(g.undo, f) }

// claim makes this the only gateway on the underlay interface and undoes what one
// that was killed has left.
func (g *Gateway) claim() error {
	name := g.cfg.Underlay.Iface
	info, err := netdev.Lookup(name)
	if err != nil {
		return notThere(err)
	}
	g.paths = netdev.PathsFor(name)
	lock, err := g.acquire(g.paths.Lock)
	if err != nil {
		return fmt.Errorf("start on %s: %w", name, err)
	}
	g.onClose(lock.Close)
	state, err := g.claimLower(info)
	if err != nil {
		return err
	}
	g.inherit()
	g.journal, err = openJournal(state, g.log, g.prior != nil)
	if err != nil {
		return err
	}
	g.onClose(g.deliver)
	if g.prior != nil {
		g.onClose(func() error { return errors.Join(g.journal.Undo()...) })
	}
	return nil
}

// notThere makes a configuration error of one that says that an interface that the
// configuration names does not exist, and leaves others as they are.
func notThere(err error) error {
	if errors.As(err, new(*netdev.NotFoundError)) {
		return &config.Error{Problem: err.Error()}
	}
	return err
}

// sizes of the tables.
const (
	maxRemotes = 1 << 16
	maxEntries = 16 << 20 // of the FDB; its memory grows with what is in it
)

// newPlane makes the frame memory for the underlay and the ports there are at first, and
// the tables.
func (g *Gateway) newPlane(wire demand, ports []demand) error {
	var err error
	if g.workers, err = g.countWorkers(wire.queues); err != nil {
		return err
	}
	g.frames = planFrames(g.workers, wire, ports, int(g.cfg.Dataplane.Frames), g.frameSize)
	mem, err := ring.NewMemory(g.frames.total, g.frameSize)
	if err != nil {
		return err
	}
	g.onClose(func() error { return errors.Join(g.allFrames(mem), mem.Close()) })
	table, err := fdb.New(fdb.Config{MaxEntries: maxEntries})
	if err != nil {
		return err
	}
	g.onClose(table.Close)
	g.plane = dataplane.NewPlane(mem, table, dataplane.NewRemotes(maxRemotes))
	g.plane.Poll = polls[g.cfg.Dataplane.Poll]
	return nil
}

// allFrames makes sure that every frame has come back. All sockets and workers are
// closed.
func (g *Gateway) allFrames(mem *ring.Memory) error {
	if g.plane == nil {
		return nil
	}
	if have, all := g.plane.Depot.Len(), mem.Frames(); have != all {
		return fmt.Errorf("close the frame memory: %d of %d frames are lost (a bug: please report it with the status from before)", all-have, all)
	}
	return nil
}
