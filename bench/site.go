package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// site is a gateway without a kernel: a plane with a full FDB, ports and remotes, and workers that share it.
//
// Station number s of either side is in bridge domain s % VNIs; a far one is behind remote s / VNIs % Remotes, with a trunk
// s % Remotes, a near one behind the domain's first port.
type site struct {
	config LoopConfig
	plane  *dataplane.Plane
	now    uint32 // of the plane
	loops  []*Loop
	owned  int // ports of a domain

	numbers []uint32 // of the remotes in the plane
}

// wandering is how many stations move with every frame of Move.
const wandering = 4096

// newSite builds a site with so many workers, each with queues of its own. The caller closes it.
func newSite(c LoopConfig, workers int) (_ *site, err error) {
	c.complete()
	s := &site{config: c, now: 1, owned: 1}
	if c.Direction == Decap {
		s.owned = c.Copies
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	ports := int(s.queuedPorts())
	frames := workers * (5*int(c.RingSize) + 2*ports*int(c.portRing()) + ports*64 + 4096)
	mem, err := ring.NewMemory(frames, 4096)
	if err != nil {
		return nil, err
	}
	table, err := fdb.New(fdb.Config{MaxEntries: max(2*c.MACs, 1<<16) + c.Room, Seed: c.Seed})
	if err != nil {
		return nil, errors.Join(err, mem.Close())
	}
	s.plane = dataplane.NewPlane(mem, table, dataplane.NewRemotes(max(c.Remotes, 16)))
	for i := range workers {
		l, err := newLoop(s, uint64(i))
		if err != nil {
			return nil, err
		}
		s.loops = append(s.loops, l)
	}
	if err := s.fill(); err != nil {
		return nil, err
	}
	return s, s.publish()
}

// close gives the memory back.
func (s *site) close() error {
	if s.plane == nil {
		return nil
	}
	var err error
	pool := s.plane.Depot.NewPool()
	for _, l := range s.loops {
		l.worker.Close()
		for _, q := range l.queues {
			err = errors.Join(err, q.Socket.Close(pool))
		}
	}
	err = errors.Join(err, s.plane.FDB.Close(), s.plane.Memory.Close())
	s.plane = nil
	return err
}

// domain and remote are where station i is, and port where a near one is.
func (s *site) domain(i uint32) uint32 { return i % uint32(s.config.VNIs) }
func (s *site) remote(i uint32) uint32 {
	if s.config.Trunk {
		return i % uint32(s.config.Remotes)
	}
	return i / uint32(s.config.VNIs) % uint32(s.config.Remotes)
}
func (s *site) port(i uint32) uint32 {
	if s.config.Trunk {
		return 1 + s.domain(i)
	}
	return s.domain(i) * uint32(s.owned)
}

func (s *site) key(of side, i uint32) fdb.Key { return fdb.MakeKey(uint16(s.domain(i)), of.mac(i)) }

// dest is where the FDB has station i of a side, home or, for those that wander, away from where their frames come from.
func (s *site) dest(of side, i uint32) fdb.Dest {
	if of == nearSide || of == wanderers && s.config.Direction == Decap {
		return fdb.PortDest(s.port(i))
	}
	return fdb.RemoteDest(s.numbers[s.remote(i)])
}

// addr is the underlay address of a remote.
func remoteAddrOf(i uint32) netip.Addr {
	a := remoteAddr.As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+i)
	return netip.AddrFrom4(a)
}

// fill numbers the remotes and teaches the FDB its stations.
func (s *site) fill() error {
	for i := range uint32(s.config.Remotes) {
		number, err := s.plane.Remotes.Add(remoteAddrOf(i))
		if err != nil {
			return err
		}
		s.numbers = append(s.numbers, number)
	}
	s.plane.Tick(s.now)
	half := s.config.half()
	for i := range half {
		for _, of := range []side{nearSide, farSide} {
			s.plane.FDB.Learn(s.key(of, i), s.dest(of, i), s.now)
		}
	}
	want := 2 * int(half)
	if s.config.Mix == Move {
		want += wandering
		for i := range uint32(wandering) {
			s.plane.FDB.Learn(s.key(wanderers, i), s.dest(wanderers, i), s.now)
		}
	}
	if n := s.plane.FDB.Len(); n != want {
		return fmt.Errorf("fill the FDB: it has %d entries instead of %d", n, want)
	}
	return nil
}

// publish gives the workers their snapshot.
func (s *site) publish() error {
	c := s.config
	tunnel := &dataplane.Tunnel{
		Outer:  vxlan.TemplateConfig{SrcPorts: [2]uint16{49152, 65535}, InheritTOS: true, DstPort: vxlan.Port, SrcMAC: macBytes(underlayMAC)},
		Source: func(netip.Addr) netip.Addr { return underlayAddr }}
	paths := make([]dataplane.Path, c.Remotes)
	for i, number := range s.numbers {
		headers, err := tunnel.Headers(remoteAddrOf(uint32(i)), macBytes(remoteMAC))
		if err != nil {
			return err
		}
		paths[number] = dataplane.Path{State: dataplane.PathDirect, MTU: 1550, Headers: headers}
	}
	snap := &dataplane.Snapshot{
		LocalMAC: underlayMAC, Locals: []vxlan.Addr{vxlan.AddrOf(underlayAddr)}, Underlay: true, Paths: [][]dataplane.Path{paths},
	}
	var trunk trunk
	if c.Trunk {
		trunk = newTrunk()
		snap.Ports = append(snap.Ports, trunk.port)
	}
	for d := range uint32(c.VNIs) {
		domain := &dataplane.Domain{Index: uint16(d), VNI: vni + d, Learning: true, Tunnel: tunnel, FloodRemotes: s.numbers[:min(c.Copies, c.Remotes)]}
		domain.Flooding.Off[dataplane.Broadcast] = c.Mix == Drop
		for range s.owned {
			p := &dataplane.Port{Index: uint32(len(snap.Ports)), Domain: uint16(d), MTU: 1500, Up: true}
			if c.Trunk {
				trunk.join(p)
			}
			snap.Ports = append(snap.Ports, p)
			domain.FloodPorts = append(domain.FloodPorts, p.Index)
		}
		snap.Domains = append(snap.Domains, domain)
	}
	snap.VNIs = dataplane.NewVNITable(snap.Domains)
	for _, l := range s.loops {
		snap.Queues = append(snap.Queues, l.queues)
	}
	s.plane.Publish(snap)
	return nil
}

// check fails unless b is a packet that the worker has made of one that the bench delivered.
func (s *site) check(b []byte) error {
	c, frame := s.config, b
	if c.Trunk && c.Direction == Decap {
		var err error
		if frame, err = s.checkTag(b); err != nil {
			return err
		}
	}
	var o vxlan.Outer
	if c.Direction == Encap {
		if f := vxlan.ParseOuter(b, &o); f != vxlan.OK {
			return fmt.Errorf("outer headers: %v", f)
		}
		frame = b[o.HeaderLen:o.Len]
	}
	from, to := c.sides()
	if c.Mix == Flood {
		to = broadcast >> 32
	}
	if err := checkFrame(frame, from, to); err != nil || c.Direction == Decap {
		return err
	}
	dst, src := binary.BigEndian.Uint64(frame)>>16, binary.BigEndian.Uint64(frame[6:])>>16
	if want := vni + s.domain(numberOf(src)); o.VNI != want {
		return fmt.Errorf("VNI %d instead of %d", o.VNI, want)
	}
	if want := remoteAddrOf(s.remote(numberOf(dst))); c.Mix != Flood && c.Beside == 0 && o.Dst.Netip() != want {
		return fmt.Errorf("to %v instead of %v", o.Dst.Netip(), want)
	}
	return nil
}
