package doctor

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Verdicts of rules (linux/netfilter.h, linux/netfilter/nf_tables.h).
const (
	codeDrop   = 0
	codeAccept = 1
	codeJump   = -3
	codeGoto   = -4
	codeReturn = -5
)

// match is whether an expression lets a packet on to the next one of its rule.
type match int

const (
	yes match = iota
	no
	perhaps
)

// rule says what a rule does with the packet, and whether it is certain that it does: v is goesOn for one that
// does not match. With jump it leads to another chain, from which packets come back if stay.
func (w *walker) rule(c *chain, r rule) (v verdict, sure bool, jump *chain, stay bool) {
	var regs partly // the registers, from NFT_REG32_00 on
	sure = true
	for _, e := range r {
		if e.name == oldRule {
			return w.oldRule(c, text(e.attrs[0]))
		}
		if e.name == "immediate" && int32(e.word(unix.NFTA_IMMEDIATE_DREG)) == 0 {
			v, jump, stay = w.verdict(c, e)
			return v, sure, jump, stay
		}
		if v := ends(e); v != goesOn {
			return v, sure, nil, false
		}
		switch w.step(c, e, &regs) {
		case no:
			return goesOn, true, nil, false
		case perhaps:
			sure = false
		}
	}
	return goesOn, sure, nil, false
}

// verdict reads one that is given without a condition.
func (w *walker) verdict(c *chain, e expression) (verdict, *chain, bool) {
	data := nested(nested(e.attrs[unix.NFTA_IMMEDIATE_DATA])[unix.NFTA_DATA_VERDICT])
	switch code := int32(be32(data[unix.NFTA_VERDICT_CODE])); code {
	case codeDrop:
		return drops, nil, false
	case codeAccept:
		return accepts, nil, false
	case codeJump, codeGoto:
		return goesOn, w.set.find(c, text(data[unix.NFTA_VERDICT_CHAIN])), code == codeJump
	case codeReturn:
		return returns, nil, false
	}
	return goesOn, nil, false
}

// ends says what an expression does that a rule ends with.
func ends(e expression) verdict {
	switch e.name {
	case "reject":
		return drops
	case "nat", "masq", "redir", "queue", "tproxy":
		return accepts
	case "target": // of iptables
		switch text(e.attrs[unix.NFTA_TARGET_NAME]) {
		case "DROP", "REJECT":
			return drops
		case "ACCEPT":
			return accepts
		}
	}
	return goesOn
}

// step carries out one expression.
func (w *walker) step(c *chain, e expression, regs *partly) match {
	switch e.name {
	case "counter", "log", "notrack", "objref", "immediate", "last", "target":
		return yes
	case "meta":
		w.load(regs, e.word(unix.NFTA_META_DREG), w.meta(e.word(unix.NFTA_META_KEY)))
	case "ct":
		w.load(regs, e.word(unix.NFTA_CT_DREG), w.connection(e.word(unix.NFTA_CT_KEY)))
	case "payload":
		from := &w.packet.network
		switch e.word(unix.NFTA_PAYLOAD_BASE) {
		case unix.NFT_PAYLOAD_NETWORK_HEADER:
		case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
			from = &w.packet.transport
		default:
			from = &partly{}
		}
		copyKnown(regs, register(e.word(unix.NFTA_PAYLOAD_DREG)), from, int(e.word(unix.NFTA_PAYLOAD_OFFSET)), int(e.word(unix.NFTA_PAYLOAD_LEN)))
	case "bitwise":
		bitwise(regs, e)
	case "cmp":
		return compare(regs, e)
	case "range":
		return within(regs, e)
	case "lookup":
		return w.lookup(c, regs, e)
	case "match":
		return w.packet.matches(text(e.attrs[unix.NFTA_MATCH_NAME]), e.attrs[unix.NFTA_MATCH_INFO])
	default:
		for _, dreg := range []uint16{1} { // where most that load something say to which register
			if at := register(e.word(dreg)); at >= 0 {
				forget(regs, at, 16)
			}
		}
		return perhaps
	}
	return yes
}

// register is where a register begins, in bytes (nft_parse_register in net/netfilter/nf_tables_api.c).
func register(n uint32) int {
	switch {
	case n >= unix.NFT_REG_1 && n <= unix.NFT_REG_4:
		return int(n-unix.NFT_REG_1) * 16
	case n >= unix.NFT_REG32_00 && n <= unix.NFT_REG32_15:
		return int(n-unix.NFT_REG32_00) * 4
	}
	return -1
}

func forget(regs *partly, at, n int) {
	for i := at; i < min(at+n, len(regs.known)); i++ {
		regs.known[i] = false
	}
}

// load puts a value into a register; nil is one that is not known.
func (w *walker) load(regs *partly, reg uint32, value []byte) {
	at := register(reg)
	if at < 0 {
		return
	}
	forget(regs, at, 16)
	if value != nil && at+len(value) <= len(regs.bytes) {
		regs.set(at, value...)
	}
}

func copyKnown(regs *partly, at int, from *partly, offset, n int) {
	if at < 0 {
		return
	}
	forget(regs, at, n)
	for i := range min(n, len(regs.known)) {
		if offset+i >= len(from.known) || at+i >= len(regs.known) || !from.known[offset+i] {
			continue
		}
		regs.set(at+i, from.bytes[offset+i])
	}
}

// meta is what the kernel knows of a packet beside its bytes, nil where it is not known here.
func (w *walker) meta(key uint32) []byte {
	p := w.packet
	there := p.in != (w.hook == output || w.hook == postrouting)
	switch key {
	case unix.NFT_META_L4PROTO:
		return []byte{p.proto}
	case unix.NFT_META_NFPROTO:
		if p.six {
			return []byte{familyIPv6}
		}
		return []byte{familyIPv4}
	case unix.NFT_META_PROTOCOL:
		if p.six {
			return []byte{0x86, 0xdd}
		}
		return []byte{8, 0}
	case unix.NFT_META_IIF, unix.NFT_META_OIF:
		if !there || p.in != (key == unix.NFT_META_IIF) {
			return make([]byte, 4)
		}
		return binary.NativeEndian.AppendUint32(nil, uint32(p.ifindex))
	case unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME:
		name := make([]byte, 16)
		if there && p.in == (key == unix.NFT_META_IIFNAME) {
			copy(name, p.iface)
		}
		return name
	}
	return nil
}

// connection is what connection tracking says of the first packet: of source ports there are many, so nearly every
// one is the first of its connection.
func (w *walker) connection(key uint32) []byte {
	const stateNew = 1 << 3 // NF_CT_STATE_BIT(IP_CT_NEW)
	if key == unix.NFT_CT_STATE && w.packet.proto == protoUDP {
		return binary.NativeEndian.AppendUint32(nil, stateNew)
	}
	return nil
}

func bitwise(regs *partly, e expression) {
	from, to, n := register(e.word(unix.NFTA_BITWISE_SREG)), register(e.word(unix.NFTA_BITWISE_DREG)), int(e.word(unix.NFTA_BITWISE_LEN))
	mask, xor := data(e.attrs[unix.NFTA_BITWISE_MASK]), data(e.attrs[unix.NFTA_BITWISE_XOR])
	if from < 0 || to < 0 || n > 16 || from+n > 64 || to+n > 64 {
		return
	}
	if len(mask) < n || len(xor) < n {
		forget(regs, to, n)
		return
	}
	for i := range n {
		regs.bytes[to+i] = regs.bytes[from+i]&mask[i] ^ xor[i]
		if !regs.known[from+i] && mask[i] == 0 {
			regs.bytes[to+i], regs.known[to+i] = xor[i], true
			continue
		}
		regs.known[to+i] = regs.known[from+i]
	}
}

func compare(regs *partly, e expression) match {
	want := data(e.attrs[unix.NFTA_CMP_DATA])
	have, ok := regs.get(register(e.word(unix.NFTA_CMP_SREG)), len(want))
	if !ok {
		return perhaps
	}
	c := bytes.Compare(have, want)
	holds := map[uint32]bool{unix.NFT_CMP_EQ: c == 0, unix.NFT_CMP_NEQ: c != 0, unix.NFT_CMP_LT: c < 0, unix.NFT_CMP_LTE: c <= 0, unix.NFT_CMP_GT: c > 0, unix.NFT_CMP_GTE: c >= 0}
	return is(holds[e.word(unix.NFTA_CMP_OP)])
}

func is(b bool) match {
	if b {
		return yes
	}
	return no
}

func within(regs *partly, e expression) match {
	low, high := data(e.attrs[unix.NFTA_RANGE_FROM_DATA]), data(e.attrs[unix.NFTA_RANGE_TO_DATA])
	have, ok := regs.get(register(e.word(unix.NFTA_RANGE_SREG)), len(low))
	if !ok {
		return perhaps
	}
	inside := bytes.Compare(have, low) >= 0 && bytes.Compare(have, high) <= 0
	return is(inside == (e.word(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_EQ))
}

func (w *walker) lookup(c *chain, regs *partly, e expression) match {
	elements := w.set.sets[setName{c.family, c.table, text(e.attrs[unix.NFTA_LOOKUP_SET])}]
	if _, isMap := e.attrs[unix.NFTA_LOOKUP_DREG]; isMap {
		return perhaps // and where that leads is not followed
	}
	inverted := e.word(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0
	if len(elements) == 0 {
		return perhaps // dynamic ones have other elements in a moment
	}
	have, ok := regs.get(register(e.word(unix.NFTA_LOOKUP_SREG)), len(elements[0].key))
	if !ok {
		return perhaps
	}
	return is(contains(elements, have) != inverted)
}

// contains reports whether a value is in a set: one of its elements, or in one of its ranges, each of which has an
// element where it begins and another behind its end.
func contains(elements []element, value []byte) bool {
	if !slices.ContainsFunc(elements, func(e element) bool { return e.end }) {
		return slices.ContainsFunc(elements, func(e element) bool { return bytes.Equal(e.key, value) })
	}
	sorted := slices.SortedFunc(slices.Values(elements), func(a, b element) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return boolInt(b.end) - boolInt(a.end) // where one ends another may begin
	})
	in := false
	for _, e := range sorted {
		if bytes.Compare(e.key, value) > 0 {
			break
		}
		in = !e.end
	}
	return in
}

// matches is one of iptables' matches, which nftables carries as they are. Those of UDP ports are known
// (struct xt_udp of linux/netfilter/xt_tcpudp.h).
func (p *packet) matches(name string, info []byte) match {
	switch {
	case name == "comment":
		return yes
	case name == "tcp":
		return no
	case name == "udp" && len(info) >= 9:
		if p.proto != protoUDP {
			return no
		}
		at := func(i int) uint16 { return binary.NativeEndian.Uint16(info[2*i:]) }
		const invertSource, invertDestination = 1, 2
		if inside := at(2) <= p.port && p.port <= at(3); inside == (info[8]&invertDestination != 0) {
			return no
		}
		if at(0) == 0 && at(1) == 65535 && info[8]&invertSource == 0 {
			return yes
		}
	}
	return perhaps
}

// text is a string attribute.
func text(b []byte) string { return strings.TrimRight(string(b), "\x00") }
