package bench

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vxgw/dataplane"
)

// A trunk at a site: one port, of which each domain has the VLAN with its number and firstVLAN.

const (
	tpid   = 0x8100
	tagLen = 4
	tagAt  = 12 // behind both addresses
)

// queuedPorts is how many ports have queues.
func (s *site) queuedPorts() uint32 {
	if s.config.Trunk {
		return 1
	}
	return uint32(s.config.VNIs * s.owned)
}

// trunk is the port, which is port 0.
type trunk struct{ port *dataplane.Port }

func newTrunk() trunk {
	return trunk{&dataplane.Port{Domain: dataplane.NoDomain, MTU: 1500, Up: true, Tagging: &dataplane.Tagging{Rule: dataplane.TagsMapped, TPID: tpid}}}
}

// join makes p the VLAN of its domain.
func (t trunk) join(p *dataplane.Port) {
	id := firstVLAN + int(p.Domain)
	p.Exit = dataplane.TagExit{Member: true, Trunk: t.port.Index, Tag: tpid<<16 | uint32(id)}
	t.port.Tagging.VLAN[id] = dataplane.VLAN{Port: p.Index, Domain: p.Domain, Mapped: true}
}

// tagged is a frame with the tag of a domain.
func tagged(frame []byte, domain uint32) []byte {
	tag := binary.BigEndian.AppendUint32(nil, tpid<<16|uint32(firstVLAN)+domain)
	return slices.Insert(slices.Clone(frame), tagAt, tag...)
}

// checkTag fails unless a frame has the tag of its station's domain, and returns the frame without.
func (s *site) checkTag(b []byte) ([]byte, error) {
	if len(b) != innerLen+tagLen {
		return nil, fmt.Errorf("tagged frame of %d bytes instead of %d", len(b), innerLen+tagLen)
	}
	domain := s.domain(numberOf(macWord(b[6:])))
	if got, want := binary.BigEndian.Uint32(b[tagAt:]), tpid<<16|uint32(firstVLAN)+domain; got != want {
		return nil, fmt.Errorf("tag %#x instead of %#x", got, want)
	}
	return slices.Delete(slices.Clone(b), tagAt, tagAt+tagLen), nil
}
