package bench

import (
	"math/rand/v2"

	"vxgw/vxlan"
)

// traffic is a number of prepared packets, one every stride bytes.
type traffic struct {
	bytes   []byte
	count   int
	length  int      // of a packet
	stride  int      //
	ports   []uint32 // where each is received, if there are several ports
	sources []uint32 // numbers of the stations that send, where something has to be undone
}

// newTraffic prepares packets of random stations of a random domain.
func (s *site) newTraffic(seed uint64) (traffic, error) {
	c := s.config
	t := traffic{count: min(max(c.MACs, 4096), packetMost), length: innerLen, stride: innerLen}
	at := 0
	if c.Direction == Decap {
		at = vxlan.Overhead
		t.length += at
		t.stride = 128
	}
	tags := c.Trunk && c.Direction == Encap
	if tags {
		t.length += tagLen
		t.stride = 128
	}
	t.count -= t.count % len(spoils[c.Direction])
	t.bytes = make([]byte, t.count*t.stride)
	if c.Direction == Encap && c.VNIs > 1 && !c.Trunk {
		t.ports = make([]uint32, t.count)
	}
	if c.Mix == Learn || c.Mix == Move {
		t.sources = make([]uint32, t.count)
	}
	random := rand.New(rand.NewPCG(1+seed, uint64(c.MACs)))
	from, to := c.sides()
	vnis, each := uint32(c.VNIs), c.half()/uint32(c.VNIs)
	outer := outerHeaders{}
	for i := range t.count {
		domain := random.Uint32N(vnis)
		src, dst := domain+vnis*random.Uint32N(each), to.mac(domain+vnis*random.Uint32N(each))
		switch c.Mix {
		case Learn: // none twice
			src = domain + vnis*uint32(i)
		case Move:
			src = uint32(i % wandering)
			domain = s.domain(src)
			dst = to.mac(domain + vnis*random.Uint32N(each))
		case Flood:
			dst = broadcast
		}
		p := t.bytes[i*t.stride:][:t.length]
		putInner(p[at:], dst, from.mac(src), uint16(random.Uint32()))
		if tags {
			copy(p, tagged(p[:innerLen], domain))
		}
		if c.Direction == Decap {
			if err := outer.put(p, s.remote(src), vni+domain); err != nil {
				return t, err
			}
		}
		if c.Mix == Drop {
			all := spoils[c.Direction]
			all[i%len(all)].apply(p, from)
		}
		if t.ports != nil {
			t.ports[i] = domain * uint32(s.owned)
		}
		if t.sources != nil {
			t.sources[i] = src
		}
	}
	return t, nil
}

// outerHeaders makes the outer headers of remotes, which it keeps.
type outerHeaders map[uint32]*vxlan.Template

// put writes the outer headers of a remote in front of an inner frame, with the source port of that flow and without UDP
// checksum, as gw sends them.
func (o outerHeaders) put(p []byte, remote, vni uint32) error {
	t := o[remote]
	if t == nil {
		made, err := vxlan.NewTemplate(vxlan.TemplateConfig{
			SrcMAC: macBytes(remoteMAC), DstMAC: macBytes(underlayMAC),
			Src: remoteAddrOf(remote), Dst: underlayAddr, DstPort: vxlan.Port, SrcPorts: [2]uint16{49152, 65535}, TTL: 64,
		})
		if err != nil {
			return err
		}
		t = &made
		o[remote] = t
	}
	var in vxlan.Inner
	vxlan.ParseInner(p[vxlan.Overhead:], &in) // of our own making
	t.Put((*[vxlan.Overhead]byte)(p), len(p)-vxlan.Overhead, vni, in.Flow(), 1)
	return nil
}
