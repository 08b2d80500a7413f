package dataplane

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vxgw/fdb"
	"vxgw/neigh"
)

// Settings of several subjects at once, on a trunk and on as many ports: whatever they are, the frames that leave are the same
// but for the tags of their VLANs.

// everywhere changes each domain, and remakes the ways with what they then have; takes effect with publish.
func (r *rig) everywhere(change func(d *Domain)) {
	r.t.Helper()
	for i, d := range r.snap.Domains {
		next := *d
		change(&next)
		r.snap.Domains[i] = &next
	}
	for n := range r.snap.Paths[0] {
		r.path(uint32(n), r.snap.Paths[0][n].State)
	}
}

// options gives every domain other tunnel options.
func (r *rig) options(change func(t *Tunnel)) {
	tunnel := *r.snap.Domains[0].Tunnel
	change(&tunnel)
	r.everywhere(func(d *Domain) { d.Tunnel = &tunnel })
}

// suppressing has every domain answer for hostR, and flood the rest of what is about neighbours to ports only.
func (r *rig) suppressing() {
	r.everywhere(func(d *Domain) {
		d.Neighbours = neigh.New(neigh.NewBudget(1<<16), 0, 300)
		for _, ip := range []string{ipR, llR} {
			must(r.t, d.Neighbours.Set(neighOf(ip, 0), neigh.Entry{MAC: hostR, Kind: neigh.Static, Sure: true}, false))
		}
		must(r.t, r.plane.FDB.Replace(fdb.MakeKey(d.Index, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	})
}

func TestTrunkIsPortsWithSettings(t *testing.T) {
	six := func(r *rig) {
		n, err := r.plane.Remotes.Add(remote6)
		must(r.t, err)
		r.path(n, PathDirect)
		r.everywhere(func(d *Domain) { d.FloodRemotes = append(d.FloodRemotes[:1:1], n) })
		must(r.t, r.plane.FDB.Replace(fdb.MakeKey(1, hostR), fdb.RemoteDest(n), fdb.Static, 1))
	}
	for name, set := range map[string]func(r *rig){
		"ttl inherit":  func(r *rig) { r.options(func(t *Tunnel) { t.InheritTTL = true }) },
		"df inherit":   func(r *rig) { r.options(func(t *Tunnel) { t.InheritDF = true }) },
		"udpcsum":      func(r *rig) { r.options(func(t *Tunnel) { t.UDPChecksum = true }) },
		"VLAN below":   func(r *rig) { r.options(func(t *Tunnel) { t.Outer.Tag = 0x81000007 }) },
		"IPv6":         six,
		"suppression":  (*rig).suppressing,
		"storm limits": func(r *rig) { r.storms(3) },
		"all": func(r *rig) {
			r.options(func(t *Tunnel) { t.InheritTTL, t.InheritDF, t.Outer.Tag = true, true, 0x81000007 })
			r.suppressing()
			six(r)
			r.storms(3)
		},
	} {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				trunk, twin := newTrunkRig(t, workers, 0x8100), newTwinRig(t, workers)
				for _, r := range []*rig{trunk, twin} {
					set(r)
					r.publish()
				}
				compareMixed(t, trunk, twin)
			})
		}
	}
}

// storms lets every domain flood a few frames of each class in a second.
func (r *rig) storms(limit uint32) {
	r.everywhere(func(d *Domain) {
		d.Flooding = Flooding{Limit: [ClassCount]uint32{limit, limit, limit}, Storm: new(Storm)}
	})
}

// compareMixed sends the same through a trunk and through ports.
func compareMixed(t *testing.T, trunk, twin *rig) {
	rnd := rand.New(rand.NewPCG(11, 12))
	macs := []uint64{bcast, hostA, hostB, hostR, 0x020000000031, 0x01005e000001}
	for step := range 2500 {
		if step%50 == 0 {
			for _, r := range []*rig{trunk, twin} {
				r.plane.Tick(uint32(step/50) + 1)
			}
		}
		in := ipFrame(macs[rnd.IntN(len(macs))], macs[1+rnd.IntN(4)], uint16(rnd.Uint32()), []int{1, 18, 200, 1470, 1500}[rnd.IntN(5)])
		in[22] = byte(rnd.IntN(3)) * 90 // TTL
		switch i := rnd.IntN(len(vlans)); rnd.IntN(4) {
		case 0:
			trunk.deliver(trunk.ports[0], in)
			twin.deliver(twin.ports[0], in)
		case 1:
			in = askFor([]string{ipR, llR, ipB, "fe80::200", ipA}[rnd.IntN(5)])
			fallthrough
		case 2:
			twin.deliver(twin.ports[1+i], in)
			if vlans[i] != 0 || rnd.IntN(2) == 0 {
				in = tagged(in, 0x8100, vlans[i])
			}
			trunk.deliver(trunk.ports[1], in)
		case 3:
			out := tunnelled(t, remote, 42+uint32(i), uint8(rnd.IntN(4)), in)
			trunk.deliver(trunk.wire, out)
			twin.deliver(twin.wire, out)
		}
		trunk.run()
		twin.run()
		compareTrunk(t, step, 0x8100, trunk, twin)
		if t.Failed() {
			return
		}
	}
	for _, r := range []*rig{trunk, twin} {
		r.run()
		checkBalance(t, r)
		r.account()
	}
	for v := Verdict(1); v < verdictCount; v++ {
		a, b := trunk.verdicts(v)
		c, d := twin.verdicts(v)
		if a != c || b != d {
			t.Errorf("%v: %d frames and %d copies through the trunk, %d and %d through ports", v, a, b, c, d)
		}
	}
}
