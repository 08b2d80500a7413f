package vxlan

// Outer headers of any length: over IPv4 or IPv6, with a VLAN tag or without.
//
//	NewHeaders           once per remote and set of tunnel options
//	Headers.Put          per packet
//	Headers.PutInherit   where TTL or DF come from the inner header
//	Headers.PutChecksum  where the tunnel has UDP checksums

import "encoding/binary"

// Headers are the prebuilt outer headers of packets to one remote. Like Template, they are never written to once they are made.
type Headers struct {
	Template Template // over IPv4, without a tag or a VNI of their own: all there is to them, and the quick way to put them
	more     *more    // nil then
}

// more is what else there may be.
type more struct {
	six  *Template6        // over IPv6, else nil
	lead [12 + tagLen]byte // MAC addresses and VLAN tag
	tag  int               // length of the tag, 0 or 4
	from LabelFrom         // over IPv6
	vni  uint32            // in place of the one that Put is told, unless 0
}

// NewHeaders builds outer headers. It refuses addresses that no packet can come from or go to.
func NewHeaders(cfg TemplateConfig) (Headers, error) {
	var h Headers
	tag := cfg.Tag
	cfg.Tag = 0
	if _, dst, err := cfg.check(); err != nil {
		return h, err
	} else if dst.Is6() {
		six, err := NewTemplate6(cfg)
		if err != nil {
			return h, err
		}
		h.more = &more{six: &six, from: cfg.LabelFrom}
	} else if h.Template, err = NewTemplate(cfg); err != nil {
		return h, err
	}
	if h.more == nil && (tag != 0 || cfg.VNI != 0) {
		h.more = new(more)
	}
	if cfg.VNI != 0 {
		h.more.vni = cfg.VNI
	}
	if tag != 0 {
		h.more.tag = tagLen
		copy(h.more.lead[:], cfg.DstMAC[:])
		copy(h.more.lead[6:], cfg.SrcMAC[:])
		binary.BigEndian.PutUint32(h.more.lead[12:], tag)
	}
	return h, nil
}

// Plain reports whether the headers are the Template and nothing else, which puts them the quick way.
func (h *Headers) Plain() bool { return h.more == nil }

// Six reports whether the outer packet is IPv6.
func (h *Headers) Six() bool { return h.more != nil && h.more.six != nil }

// Len is how many bytes are in front of the inner frame.
func (h *Headers) Len() int {
	switch {
	case h.more == nil:
		return Overhead
	case h.more.six == nil:
		return Overhead + h.more.tag
	}
	return Overhead6 + h.more.tag
}

// L3 is where the outer IP header starts.
func (h *Headers) L3() int {
	if h.more == nil {
		return etherLen
	}
	return etherLen + h.more.tag
}

// Taken is what they take of a route's MTU: all from the outer IP header on, in bytes.
func (h *Headers) Taken() int { return h.Len() - h.L3() }

// Put writes the outer headers to the start of pkt, in front of the inner frame that reaches to its end, at most MaxInner bytes. See
// Template.Put for vni, flow and id.
func (h *Headers) Put(pkt []byte, vni uint32, flow Flow, id uint16) {
	if h.more == nil {
		h.Template.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, vni, flow, id)
		return
	}
	if h.more.vni != 0 {
		vni = h.more.vni
	}
	// Behind the tag all is as it would be without, and its MAC addresses are written over.
	body := pkt[h.more.tag:]
	if six := h.more.six; six != nil {
		six.Put((*[Overhead6]byte)(body), len(body)-Overhead6, vni, flow)
		if h.more.from == LabelInner {
			putLabel(body[etherLen:], innerLabel(body[Overhead6:]))
		}
	} else {
		h.Template.Put((*[Overhead]byte)(body), len(body)-Overhead, vni, flow, id)
	}
	if h.more.tag != 0 {
		copy(pkt, h.more.lead[:])
	}
}

// TTL returns the configured TTL or hop limit, for PutInherit where only DF is inherited.
func (h *Headers) TTL() uint8 {
	if h.Six() {
		return h.more.six.hopLimit()
	}
	return h.Template.TTL()
}

// PutInherit changes TTL and DF of the headers that Put wrote to pkt, over IPv6 the hop limit alone. ttl is not 0.
func (h *Headers) PutInherit(pkt []byte, ttl uint8, df bool) {
	switch {
	case h.more == nil:
		PutInherit(pkt, ttl, df)
	case h.more.six != nil:
		pkt[h.L3()+7] = ttl
	default:
		PutInherit(pkt[h.more.tag:], ttl, df)
	}
}

// PutChecksum fills in the UDP checksum of pkt, as the function of that name does it over IPv4.
func (h *Headers) PutChecksum(pkt []byte) {
	switch {
	case h.more == nil:
		PutChecksum(pkt)
	case h.more.six != nil:
		putChecksum(pkt[h.L3()+8:], 32)
	default:
		PutChecksum(pkt[h.more.tag:])
	}
}
