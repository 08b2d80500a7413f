package dataplane

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"vxgw/fdb"
)

const group = 0x333300000001

// byClass has an address of each class.
var byClass = [ClassCount]uint64{Broadcast: bcast, UnknownUnicast: 0x02000000ffff, Multicast: group}

// flooding sets what the domain floods; takes effect with publish.
func (r *rig) flooding(f Flooding) {
	d := *r.snap.Domains[0]
	d.Flooding = f
	r.snap.Domains = []*Domain{&d}
}

// isolate makes ports isolated; takes effect with publish.
func (r *rig) isolate(ports ...int) {
	all := append([]*Port(nil), r.snap.Ports...)
	for _, n := range ports {
		p := *all[n]
		p.Isolated = true
		all[n] = &p
	}
	d := *r.snap.Domains[0]
	d.OpenPorts = nil
	for _, n := range d.FloodPorts {
		if !all[n].Isolated {
			d.OpenPorts = append(d.OpenPorts, n)
		}
	}
	r.snap.Ports, r.snap.Domains = all, []*Domain{&d}
}

// cameOut says at which ends something was sent, and how much: the ports' and the
// underlay's last.
func (r *rig) cameOut() string {
	var out []int
	for _, p := range append(r.ports, r.wire) {
		out = append(out, len(r.take(p)))
	}
	return fmt.Sprint(out)
}

// A class that is switched off goes nowhere, whichever side it comes from; others, and
// what is known, go on, and sources are learned all the same.
func TestFloodOff(t *testing.T) {
	for off := range classCount {
		r := newRig(t, 2)
		f := Flooding{}
		f.Off[off] = true
		r.flooding(f)
		r.publish()
		for class, mac := range byClass {
			fromPort, fromTunnel := "[0 1 1]", "[1 1 0]"
			if Class(class) == off {
				fromPort, fromTunnel = "[0 0 0]", "[0 0 0]"
			}
			r.deliver(r.ports[0], ipFrame(mac, hostA, 1, 0))
			r.run()
			if got := r.cameOut(); got != fromPort {
				t.Errorf("class %d off: class %d from a port came out at %s, want %s", off, class, got, fromPort)
			}
			r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(mac, hostR, 1, 0)))
			r.run()
			if got := r.cameOut(); got != fromTunnel {
				t.Errorf("class %d off: class %d from a tunnel came out at %s, want %s", off, class, got, fromTunnel)
			}
		}
		if n, _ := r.verdicts(FloodOff); n != 2 {
			t.Errorf("class %d off: %d frames flood_off, want one of each side: %v", off, n, r.nonzero())
		}
		r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, 0))
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 1, 0)))
		r.run()
		if got := r.cameOut(); got != "[1 0 1]" {
			t.Errorf("class %d off: what is known came out at %s", off, got)
		}
		checkBalance(t, r)
		r.account()
	}
}

// Each class has its limit, from ports and from tunnels, anew each second, whatever
// snapshots come meanwhile.
func TestStormLimit(t *testing.T) {
	r := newRig(t, 2)
	f := Flooding{Limit: [ClassCount]uint32{Broadcast: 2, UnknownUnicast: 3}, Storm: new(Storm)}
	r.flooding(f)
	r.publish()
	var want [3]uint64 // frames flooded, over the limit, and delivered
	offer := func(n int, second uint32) {
		t.Helper()
		r.plane.Tick(second)
		for class, mac := range byClass {
			for range n {
				r.deliver(r.ports[0], ipFrame(mac, hostA, 1, 0))
				r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(mac, hostR, 1, 0)))
				r.run()
				r.cameOut()
			}
			pass := n
			if limit := int(f.Limit[class]); limit > 0 {
				pass = min(n, limit)
			}
			want[0] += 2 * uint64(pass)
			want[1] += 2 * uint64(n-pass)
		}
		flooded, _ := r.verdicts(Flooded)
		limited, _ := r.verdicts(StormLimit)
		if flooded != want[0] || limited != want[1] {
			t.Errorf("in second %d after %d of each: %d flooded, %d over the limit, want %d and %d", second, n, flooded, limited, want[0], want[1])
		}
	}
	offer(5, 1)
	offer(2, 2)
	r.publish() // an older second does not begin anew
	before, _ := r.verdicts(StormLimit)
	r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
	r.run()
	r.cameOut()
	if after, _ := r.verdicts(StormLimit); after != before+1 {
		t.Error("a new snapshot has given the limit anew")
	}
	want[1]++
	offer(4, 3)
	f.Limit = [ClassCount]uint32{} // no limits any more
	r.flooding(f)
	r.publish()
	offer(9, 3)
	checkBalance(t, r)
	r.account()
}

// The limit is that of the domain and not of each worker.
func TestStormLimitOfTwoWorkers(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	r.flooding(Flooding{Limit: [ClassCount]uint32{Broadcast: 5}, Storm: new(Storm)})
	r.publish()
	for range 4 {
		for _, p := range r.ports {
			r.deliver(p, ipFrame(bcast, hostA, 1, 0))
		}
		r.run()
		r.cameOut()
	}
	flooded, _ := r.verdicts(Flooded)
	limited, _ := r.verdicts(StormLimit)
	if flooded != 5 || limited != 3 {
		t.Errorf("%d frames flooded, %d over the limit, want 5 and 3", flooded, limited)
	}
}

// Workers that count at once let through exactly the limit in each second, also while
// one of them still has an older second.
func TestStormCounts(t *testing.T) {
	const workers, seconds, limit = 4, 50, 97
	var s Storm
	var passed [seconds]atomic.Uint32
	for now := range uint32(seconds) {
		var all sync.WaitGroup
		for id := range uint32(workers) {
			all.Go(func() {
				for range limit {
					mine := now
					if id == 0 && now > 0 {
						mine-- // its clock is behind
					}
					if s.admit(0, limit, mine) {
						passed[now].Add(1)
					}
				}
			})
		}
		all.Wait()
	}
	for now := range passed {
		n := passed[now].Load()
		// What the late one counts before the others have begun is of the second before,
		// which was used up.
		if n != limit {
			t.Errorf("%d frames in second %d, want %d", n, now, limit)
		}
	}
	if s.admit(1, 1, seconds) != true || s.admit(1, 1, seconds) {
		t.Error("another class has not its own count")
	}
}

// Isolated ports reach tunnels and open ports, and are reached from there.
func TestIsolated(t *testing.T) {
	r := newRig(t, 4) // 0 and 1 isolated, 2 and 3 open
	r.isolate(0, 1)
	r.publish()
	hosts := []uint64{hostA, hostB, 0x020000000003, 0x020000000004}
	for i, mac := range hosts {
		r.pin(mac, fdb.PortDest(uint32(i)))
	}
	r.pin(hostR, fdb.RemoteDest(0))
	check := func(name, want string, e end, frame []byte) {
		t.Helper()
		r.deliver(e, frame)
		r.run()
		if got := r.cameOut(); got != want {
			t.Errorf("%s came out at %s, want %s", name, got, want)
		}
	}
	in := func(to uint64) []byte { return tunnelled(t, remote, 42, 0, ipFrame(to, hostR, 1, 0)) }
	for _, c := range []struct {
		port int
		to   uint64
		want string
	}{
		{0, hostB, "[0 0 0 0 0]"},
		{1, hostA, "[0 0 0 0 0]"},
		{0, hosts[2], "[0 0 1 0 0]"},
		{2, hostA, "[1 0 0 0 0]"},
		{2, hosts[3], "[0 0 0 1 0]"},
		{0, hostR, "[0 0 0 0 1]"},
		{0, bcast, "[0 0 1 1 1]"},
		{1, group, "[0 0 1 1 1]"},
		{1, byClass[UnknownUnicast], "[0 0 1 1 1]"},
		{2, bcast, "[1 1 0 1 1]"},
	} {
		check(fmt.Sprintf("port %d to %012x", c.port, c.to), c.want, r.ports[c.port], ipFrame(c.to, hosts[c.port], 1, 0))
	}
	check("remote to an isolated port", "[1 0 0 0 0]", r.wire, in(hostA))
	check("remote to everybody", "[1 1 1 1 0]", r.wire, in(bcast))
	if n, _ := r.verdicts(Isolated); n != 2 {
		t.Errorf("%d frames isolated, want 2: %v", n, r.nonzero())
	}
	r.isolate(2, 3)
	d := *r.snap.Domains[0]
	d.FloodRemotes = nil
	r.snap.Domains = []*Domain{&d}
	r.publish()
	check("an isolated port with nobody to reach", "[0 0 0 0 0]", r.ports[0], ipFrame(bcast, hostA, 1, 0))
	if n, _ := r.verdicts(NoTarget); n != 1 {
		t.Errorf("%d frames no_target, want 1", n)
	}
	checkBalance(t, r)
	r.account()
}

// Nor do these ways allocate.
func TestNoAllocationsWhenCurbed(t *testing.T) {
	r := newRig(t, 2)
	r.isolate(0, 1)
	r.flooding(Flooding{
		Off: [ClassCount]bool{Multicast: true}, Limit: [ClassCount]uint32{Broadcast: 9, UnknownUnicast: 1 << 20}, Storm: new(Storm)})
	r.pin(hostB, fdb.PortDest(1))
	r.publish()
	frames := [][]byte{ipFrame(hostB, hostA, 1, 0)}
	for _, mac := range byClass {
		frames = append(frames, ipFrame(mac, hostA, 1, 0))
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, f := range frames {
			r.ports[0].kernel.Deliver(f)
			r.run()
			r.wire.kernel.Take(func(uint64, []byte) {})
		}
		r.run()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for _, v := range []Verdict{Isolated, FloodOff, StormLimit, Flooded} {
		if n, _ := r.verdicts(v); n == 0 {
			t.Errorf("no frame had the verdict %v", v)
		}
	}
}
