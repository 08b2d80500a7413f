package dataplane

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"vxgw/fdb"
)

// Numbers of endpoints against a map: one for each address, port and VNI, and who looks for an
// address alone finds no other.
func TestEndpointNumbers(t *testing.T) {
	r := NewRemotes(64)
	rnd := rand.New(rand.NewPCG(7, 8))
	twin := map[Endpoint]uint32{}
	for range 20_000 {
		e := Endpoint{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + rnd.IntN(6))}), Port: uint16(rnd.IntN(4)), VNI: uint32(rnd.IntN(4))}
		n, known := twin[e]
		if got, ok := r.FindEndpoint(e); ok != known || ok && got != n {
			t.Fatalf("%v is found as %d, %t, want %d, %t", e, got, ok, n, known)
		}
		if plain, ok := r.Find(e.Addr); ok && r.Endpoint(plain) != (Endpoint{Addr: e.Addr}) {
			t.Fatalf("%v alone is %v", e.Addr, r.Endpoint(plain))
		}
		if known && rnd.IntN(2) == 0 {
			r.Retire([]uint32{n})
			if r.Endpoint(n) != (Endpoint{}) {
				t.Fatalf("retired number %d is %v", n, r.Endpoint(n))
			}
			r.Release([]uint32{n})
			delete(twin, e)
			continue
		}
		n, err := r.AddEndpoint(e)
		if err != nil && len(twin) < 64 {
			t.Fatalf("%v with %d of them", err, len(twin))
		}
		if err == nil {
			twin[e] = n
		}
	}
	all := r.Endpoints()
	for e, n := range twin {
		if all[n] != e || r.Addrs()[n] != e.Addr {
			t.Errorf("number %d is %v at %v, want %v", n, all[n], r.Addrs()[n], e)
		}
		all[n] = Endpoint{}
	}
	for n, e := range all {
		if e != (Endpoint{}) {
			t.Errorf("number %d is %v, which was retired", n, e)
		}
	}
}

// Packets to an endpoint have its port and VNI, by the direct way and through the kernel, where
// the number may be newer than the snapshot; all else is as ever.
func TestEndpointPackets(t *testing.T) {
	for _, e := range []Endpoint{{remote, 8472, 0}, {remote, 0, 100}, {remote, 8472, maxTestVNI}} {
		r := newRig(t, 1)
		frame := ipFrame(hostR, hostA, 9, 100)
		send := func() []byte {
			r.deliver(r.ports[0], frame)
			r.run()
			return r.take(r.wire)[0].data
		}
		r.pin(hostR, fdb.RemoteDest(0))
		plain := send()
		n, err := r.plane.Remotes.AddEndpoint(e)
		must(t, err)
		must(t, r.plane.FDB.Replace(fdb.MakeKey(0, hostR), fdb.RemoteDest(n), fdb.Static, 1))
		r.deliver(r.ports[0], frame) // which no snapshot knows yet
		r.run()
		out := &recorder{}
		r.runSlow(out)
		r.pathTo(n, e, PathDirect)
		r.publish()
		direct := send()
		if len(out.packets) != 1 {
			t.Fatalf("%d packets through the kernel", len(out.packets))
		}
		want := bytes.Clone(plain)
		if e.Port != 0 {
			binary.BigEndian.PutUint16(want[36:], e.Port)
		}
		if e.VNI != 0 {
			binary.BigEndian.PutUint32(want[46:], e.VNI<<8)
		}
		for what, got := range map[string][]byte{"directly": direct, "through the kernel": append(want[:14:14], out.packets[0]...)} {
			copy(got[18:20], want[18:20]) // the ID, which differs in every packet
			copy(got[24:26], want[24:26]) // and so does the checksum
			if !bytes.Equal(got, want) {
				t.Errorf("to %v %s:\n%x, want\n%x", e, what, got, want)
			}
		}
		frames, _ := r.verdicts(ToRemote)
		if l := r.ledger(); frames != 2 || l.Remotes[n].TxPackets != 2 || l.Remotes[0].TxPackets != 1 {
			t.Errorf("to %v: %d frames to remotes; %+v and %+v on their accounts", e, frames, l.Remotes[0], l.Remotes[n])
		}
		checkBalance(t, r)
		r.account()
	}
}

const maxTestVNI = 1<<24 - 1

// pathTo is path for an endpoint.
func (r *rig) pathTo(n uint32, e Endpoint, state PathState) {
	r.t.Helper()
	r.path(n, state)
	headers, err := r.snap.Domains[0].Tunnel.HeadersTo(e, macBytes(peerMAC))
	must(r.t, err)
	r.snap.Paths[0][n].Headers = headers
}

// What a VTEP sends is where an entry says, whatever the entry says of port and VNI: it stays, and
// a learned one does not age.
func TestEndpointLearns(t *testing.T) {
	r := newRig(t, 1)
	n, err := r.plane.Remotes.AddEndpoint(Endpoint{remote, 8472, 100})
	must(t, err)
	k := fdb.MakeKey(0, hostR)
	for _, kind := range []fdb.Kind{fdb.Static, fdb.Extern, fdb.Learned} {
		must(t, r.plane.FDB.Replace(k, fdb.RemoteDest(n), kind, 1))
		r.plane.Tick(7)
		r.tunnelled()
		r.run()
		v := r.plane.FDB.Lookup(k)
		if v.Dest() != fdb.RemoteDest(n) || v.Kind() != kind || kind == fdb.Learned && v.Seen() != 7 {
			t.Errorf("%v: the entry is %v %v, seen at %d", kind, v.Dest(), v.Kind(), v.Seen())
		}
		if lost, _ := r.verdicts(StaticConflict); lost != 0 {
			t.Errorf("%v: %d frames static_conflict", kind, lost)
		}
	}
	if s := r.plane.FDB.Stats(); s.Moves != 0 {
		t.Errorf("%d moves", s.Moves)
	}
	other, err := r.plane.Remotes.AddEndpoint(Endpoint{third, 8472, 100})
	must(t, err)
	must(t, r.plane.FDB.Replace(k, fdb.RemoteDest(other), fdb.Static, 1))
	r.tunnelled()
	r.run()
	if lost, _ := r.verdicts(StaticConflict); lost != 1 {
		t.Errorf("%d frames static_conflict of another VTEP, want 1", lost)
	}
}
