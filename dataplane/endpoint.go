package dataplane

import (
	"net/netip"

	"vxgw/vxlan"
)

// Endpoint is what a number of Remotes stands for: a VTEP or a group, and what packets to it
// have that is not as usual. A VTEP that speaks is known by its address alone, whatever
// else is said of the way to it.
type Endpoint struct {
	Addr netip.Addr // not mapped, without a zone
	Port uint16     // UDP port that packets go to; 0: the tunnel's
	VNI  uint32     // in their VXLAN header; 0: that of the bridge domain
}

// plain says whether e is nothing but an address.
func (e Endpoint) plain() bool { return e.Port == 0 && e.VNI == 0 }

// FindEndpoint returns the number of e. Any goroutine but a worker.
func (r *Remotes) FindEndpoint(e Endpoint) (uint32, bool) {
	if e.plain() {
		return r.Find(e.Addr)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.special[e]
	return n, ok
}

// AddEndpoint returns the number of e and gives it one when it has none. Any goroutine
// but a worker. The error is ErrRemotesFull.
func (r *Remotes) AddEndpoint(e Endpoint) (uint32, error) {
	if e.plain() {
		return r.Add(e.Addr)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.special[e]; ok {
		return n, nil
	}
	n, err := r.take(remoteSlot{key: vxlan.AddrOf(e.Addr), port: e.Port, vni: e.VNI, live: true})
	if err != nil {
		return 0, err
	}
	r.special[e] = n
	r.tell()
	return n, nil
}

// Endpoint returns what a number stands for, the zero Endpoint if it is not in use. Any
// goroutine.
func (r *Remotes) Endpoint(n uint32) Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int(n) >= r.used || !r.slots[n].live {
		return Endpoint{}
	}
	return r.slots[n].endpoint()
}

// Endpoints returns what each number stands for, the zero Endpoint for those that are not
// in use. Any goroutine.
func (r *Remotes) Endpoints() []Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Endpoint, r.used)
	for n := range out {
		if r.slots[n].live {
			out[n] = r.slots[n].endpoint()
		}
	}
	return out
}

func (s *remoteSlot) endpoint() Endpoint { return Endpoint{s.key.Netip(), s.port, s.vni} }

// plain says whether packets to it have nothing special.
func (s *remoteSlot) plain() bool { return s.port == 0 && s.vni == 0 }

// sameVTEP reports whether two destinations are one VTEP, with other ports or VNIs.
// Workers call it with numbers that they hold.
func (r *Remotes) sameVTEP(a, b uint32) bool {
	return a < uint32(len(r.slots)) && b < uint32(len(r.slots)) && r.slots[a].key == r.slots[b].key
}
