package bench

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vxgw/dataplane"
)

// Tags of the bench's frames.
const (
	tpid   = 0x8100
	tagLen = 4
	tagAt  = 12 // behind both addresses
)

// A trunk at a site: one port, of which each domain has the VLAN with its number and firstVLAN.

// queuedPorts is how many ports have queues.
func (s *site) queuedPorts() uint32 {
	if s.config.Trunk {
		return 1
	}
	return uint32(s.config.VNIs * s.owned)
}

// tagOf is the tag of a domain's VLAN.
func tagOf(domain uint32) uint32 { return tpid<<16 | (uint32(firstVLAN) + domain) }

// trunk is the port, which is port 0.
type trunk struct{ port *dataplane.Port }

func newTrunk() trunk {
	return trunk{&dataplane.Port{Domain: dataplane.NoDomain, MTU: 1500, Up: true, Tagging: &dataplane.Tagging{Rule: dataplane.TagsMapped, TPID: tpid}}}
}

// join makes p the VLAN of its domain.
func (t trunk) join(p *dataplane.Port) {
	p.Exit = dataplane.TagExit{Member: true, Trunk: t.port.Index, Tag: tagOf(uint32(p.Domain))}
	t.port.Tagging.VLAN[firstVLAN+int(p.Domain)] = dataplane.VLAN{Port: p.Index, Domain: p.Domain, Mapped: true}
}

// tagged is a frame with the tag of a domain.
func tagged(frame []byte, domain uint32) []byte {
	tag := binary.BigEndian.AppendUint32(nil, tagOf(domain))
	return slices.Insert(slices.Clone(frame), tagAt, tag...)
}

// checkTag fails unless a frame has the tag of its station's domain, and returns the frame without.
func (s *site) checkTag(b []byte) ([]byte, error) {
	if len(b) != innerLen+tagLen {
		return nil, fmt.Errorf("tagged frame of %d bytes instead of %d", len(b), innerLen+tagLen)
	}
	if got, want := binary.BigEndian.Uint32(b[tagAt:]), tagOf(s.domain(numberOf(macWord(b[6:])))); got != want {
		return nil, fmt.Errorf("tag %#x instead of %#x", got, want)
	}
	return slices.Delete(slices.Clone(b), tagAt, tagAt+tagLen), nil
}
