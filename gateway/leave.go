package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/fdb"
	"vxgw/handover"
	"vxgw/neigh"
	"vxgw/netdev"
)

// A gateway that another one follows does not put everything back at its end. Close does this then:
//
//	beginLeaving   from now on interfaces stay as they are, the journal with them
//	holdOff        XDP drops what comes for our VNIs, until the next one has its program run
//	picture        what tables know; no worker runs any more
//	leaveProgram   an interface keeps its program, whose sockets go
//	deliver        whoever keeps them for the next one gets descriptors and tables; then the lock goes
//
// What cannot be delivered is put back, as at any other end.

// parting is what a gateway leaves, and for whom.
type parting struct {
	wanted chan struct{} // closed when Close is to leave things
	to     string        // where descriptors are kept; under asking, set once
	begun  bool          // by Close, which alone looks at the rest
	done   bool          // all is delivered
	bag    handover.Bag
	links  []*bpf.Link // of the bag
}

func newParting() parting { return parting{wanted: make(chan struct{})} }

// HandOver prepares the gateway to leave to another one what h has a place for. After begin, to be called once, Leaving
// tells whoever runs it to call Close.
func (g *Gateway) HandOver(h control.HandOver) (begin func(), err error) {
	to := h.Store
	if to == "" {
		to = os.Getenv("NOTIFY_SOCKET")
	}
	if to == "" {
		return nil, errors.New("handover: nobody would keep what is handed over: gw is not run by systemd (start the next one with --takeover)")
	}
	if err := handover.Reachable(to); err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	g.asking.Lock()
	defer g.asking.Unlock()
	if g.ended || g.parting.to != "" {
		return nil, fmt.Errorf("handover: %w", errStopping)
	}
	g.parting.to = to
	return func() { close(g.parting.wanted) }, nil
}

// Leaving is closed when the gateway is to be closed and another one follows.
func (g *Gateway) Leaving() <-chan struct{} { return g.parting.wanted }

// beginLeaving has what Close undoes stay that is for the next one.
func (g *Gateway) beginLeaving() {
	g.asking.RLock()
	defer g.asking.RUnlock()
	select {
	case <-g.parting.wanted:
	default:
		return // or wanted too late
	}
	if g.journal != nil && !g.parting.begun {
		g.parting.begun = true
		g.journal.Leave()
	}
}

// HandedOver reports whether Close has left things to another gateway.
func (g *Gateway) HandedOver() bool { return g.parting.done }

// holdOff drops what comes for our VNIs. Left to the kernel, which has no socket for it, it would be answered with ICMP
// port unreachable, or a kernel vxlan device that takes any VNI would have it.
func (g *Gateway) holdOff() error {
	if !g.parting.begun {
		return nil
	}
	nobody := map[uint32][]netip.Prefix{}
	for _, d := range g.domains {
		if d != nil {
			nobody[d.cfg.VNI] = []netip.Prefix{} // not nil, which is anyone
		}
	}
	return g.steer.Allow(nobody)
}

// leaveProgram keeps the program on an interface that is about to be closed.
func (g *Gateway) leaveProgram(f *iface) {
	if !g.parting.begun {
		return
	}
	l := f.program.Release()
	if l == nil {
		return
	}
	at := len(g.parting.links)
	if f == g.wire {
		at = 0 // a NIC that others depend on; ports are veths mostly
	}
	g.parting.links = slices.Insert(g.parting.links, at, l)
	g.parting.bag.Links = slices.Insert(g.parting.bag.Links, at, handover.Link{FD: l.FD(), Generic: l.Generic()})
}

// picture takes down what the tables know, and keeps the groups joined.
func (g *Gateway) picture() error {
	if !g.parting.begun {
		return nil
	}
	s := &handover.State{Program: Version, Iface: g.cfg.Underlay.Iface}
	var err error
	if s.Origin, err = netdev.Origin(); err != nil {
		return err
	}
	g.drawDevices(s)
	g.drawTables(s)
	g.parting.bag.State, err = s.Encode()
	for _, fd := range g.groups.Sockets() {
		if held, dupErr := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); dupErr == nil {
			g.parting.bag.Held = append(g.parting.bag.Held, held)
		}
	}
	return err
}

func (g *Gateway) drawDevices(s *handover.State) {
	for _, p := range g.ports {
		if p == nil || p.pair == nil || p.domain.cfg.Device == nil {
			continue
		}
		s.Devices = append(s.Devices, handover.Device{Name: p.pair.Name, MTU: p.set, Addresses: p.domain.cfg.Device.Addresses})
	}
}

// drawTables takes down entries but for those that come from the configuration or a device: the next gateway has its own.
func (g *Gateway) drawTables(s *handover.State) {
	v, now := g.view(), g.plane.Now()
	own := g.configuredEntries()
	vnis, ports, remotes := map[uint16]uint16{}, map[uint32]uint32{}, map[uint32]uint32{}
	for i, d := range g.domains {
		if d == nil {
			continue
		}
		vnis[uint16(i)] = uint16(len(s.VNIs))
		s.VNIs = append(s.VNIs, d.cfg.VNI)
		if d.neighbours != nil {
			g.drawNeighbours(s, d, now)
		}
	}
	g.plane.FDB.Range(func(k fdb.Key, value fdb.Value) bool {
		if !v.knows(k, value.Dest()) || own(k, value) {
			return true
		}
		e := handover.Entry{VNI: vnis[k.Domain()], Kind: uint8(value.Kind()), Stays: uint8(g.given.state(k, value.Kind())), MAC: k.MAC()}
		if value.Kind() == fdb.Learned {
			e.Age = now - min(value.Seen(), now)
		}
		n := value.Dest().Index()
		if e.Remote = value.Dest().IsRemote(); e.Remote {
			to := v.end(n)
			if !to.Addr.IsValid() {
				return true
			}
			e.Dest = placed(remotes, n, func() int {
				s.Remotes = append(s.Remotes, handover.Remote{Addr: to.Addr, Port: to.Port, VNI: to.VNI, Followed: g.steward.watched[n]})
				return len(s.Remotes) - 1
			})
		} else {
			p := g.ports[n]
			e.Dest = placed(ports, n, func() int {
				s.Ports = append(s.Ports, handover.Port{Name: p.label(), Trunk: p.trunk != nil, VLAN: p.vlanOf()})
				return len(s.Ports) - 1
			})
		}
		s.Entries = append(s.Entries, e)
		return true
	})
}

// placed is where number n has its place in a list, to which add adds it the first time.
func placed(places map[uint32]uint32, n uint32, add func() int) uint32 {
	at, ok := places[n]
	if !ok {
		at = uint32(add())
		places[n] = at
	}
	return at
}

// configuredEntries returns what says whether an entry is one of the configuration's, or the address of a device.
func (g *Gateway) configuredEntries() func(fdb.Key, fdb.Value) bool {
	own := map[fdb.Key]*config.Static{}
	for _, d := range g.domains {
		if d == nil {
			continue
		}
		for i := range d.cfg.FDB {
			s := &d.cfg.FDB[i]
			own[fdb.MakeKey(d.index, macInt(s.MAC[:]))] = s
		}
	}
	return func(k fdb.Key, v fdb.Value) bool {
		s, n := own[k], v.Dest().Index()
		switch {
		case v.Kind() != fdb.Static:
			return false
		case s == nil:
			return k.MAC() == g.domains[k.Domain()].plane.DeviceMAC
		case v.Dest().IsRemote():
			return s.Dst.IsValid() && g.plane.Remotes.Endpoint(n) == endpoint(s.Remote())
		}
		return s.Port == g.ports[n].label()
	}
}

// drawNeighbours does the same with the neighbours of d, whose VNI is the last in s.
func (g *Gateway) drawNeighbours(s *handover.State, d *domain, now uint32) {
	own := map[neigh.Key]neigh.Entry{}
	for i := range d.cfg.Neigh {
		k, e := neighbour(&d.cfg.Neigh[i])
		own[k] = e
	}
	d.neighbours.Range(now, func(k neigh.Key, e neigh.Entry) {
		seen := e.Seen
		if e.Seen = 0; own[k] == e {
			return
		}
		n := handover.Neighbour{VNI: uint16(len(s.VNIs) - 1), VLAN: k.VLAN, Kind: uint8(e.Kind), Router: e.Router, Sure: e.Sure, Hi: k.Hi, Lo: k.Lo, MAC: e.MAC}
		if e.Kind == neigh.Learned {
			n.Age = now - min(seen, now)
		}
		s.Neighbours = append(s.Neighbours, n)
	})
}

// deliver gives all of it to whoever keeps it. The lock is still held.
func (g *Gateway) deliver() error {
	if !g.parting.begun {
		return nil
	}
	l := &g.parting
	err := l.bag.Send(l.to)
	entries := len(l.bag.State)
	l.bag.Links = nil // whose descriptors are those of links
	l.bag.Close()
	errs := []error{err}
	for _, one := range l.links {
		if err != nil {
			errs = append(errs, one.Detach()) // of which somebody may have a copy
		} else {
			errs = append(errs, one.Close())
		}
	}
	if err != nil {
		g.journal.Stay()
		errs = append(errs, g.journal.Undo()...)
		return errors.Join(errs...)
	}
	l.done = true
	g.log.Info("handed over: the next gateway finds interfaces, programs and tables as they were", "links", len(l.links), "bytes", entries)
	return errors.Join(errs...)
}
