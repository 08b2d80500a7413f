package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// readRuleset asks the kernel for its chains, rules and sets (net/netfilter/nf_tables_api.c), which takes
// CAP_NET_ADMIN. It is nil where the kernel has no nftables.
func readRuleset() (*ruleset, error) {
	s := &ruleset{sets: map[setName][]element{}}
	chains, err := dump(unix.NFT_MSG_GETCHAIN, unix.AF_UNSPEC)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the chains of nftables: %w", err)
	}
	for _, m := range chains {
		s.chains = append(s.chains, parseChain(m))
	}
	if len(s.chains) == 0 {
		return s, nil
	}
	rules, err := dump(unix.NFT_MSG_GETRULE, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list the rules of nftables: %w", err)
	}
	for _, m := range rules {
		s.addRule(m)
	}
	sets, err := dump(unix.NFT_MSG_GETSET, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list the sets of nftables: %w", err)
	}
	for _, m := range sets {
		name := setName{m.family, text(m.attrs[unix.NFTA_SET_TABLE]), text(m.attrs[unix.NFTA_SET_NAME])}
		if be32(m.attrs[unix.NFTA_SET_FLAGS])&(unix.NFT_SET_MAP|unix.NFT_SET_EVAL) != 0 {
			continue // not looked into
		}
		if s.sets[name], err = readElements(name); err != nil {
			return nil, fmt.Errorf("list the set %s of nftables: %w", name.name, err)
		}
	}
	return s, nil
}

// message is an answer: the family that it is of, and its attributes.
type message struct {
	family byte
	attrs  map[uint16][]byte
}

// dump asks for all of something; attrs narrow it down.
func dump(what int, family byte, attrs ...*nl.RtAttr) (all []message, err error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|what, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	for _, a := range attrs {
		req.AddData(a)
	}
	answers, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil && !errors.Is(err, nl.ErrDumpInterrupted) {
		return nil, err
	}
	for _, a := range answers {
		if len(a) < nl.SizeofNfgenmsg {
			continue
		}
		all = append(all, message{a[0], nested(a[nl.SizeofNfgenmsg:])})
	}
	return all, nil
}

// attributes calls each with every attribute of a list, its number without flags; what is cut off ends it.
func attributes(b []byte, each func(number uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			return
		}
		each(binary.NativeEndian.Uint16(b[2:])&nl.NLA_TYPE_MASK, b[unix.SizeofNlAttr:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// nested reads attributes by their number.
func nested(b []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	attributes(b, func(number uint16, value []byte) { all[number] = value })
	return all
}

// listed reads those of a list, which all have one number.
func listed(b []byte) (all [][]byte) {
	attributes(b, func(_ uint16, value []byte) { all = append(all, value) })
	return all
}

func be32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// data is the value of a NFTA_DATA_VALUE.
func data(b []byte) []byte { return nested(b)[unix.NFTA_DATA_VALUE] }

// word is a number of an expression.
func (e expression) word(attr uint16) uint32 { return be32(e.attrs[attr]) }

func parseChain(m message) *chain {
	c := &chain{family: m.family, table: text(m.attrs[unix.NFTA_CHAIN_TABLE]), name: text(m.attrs[unix.NFTA_CHAIN_NAME]), kind: text(m.attrs[unix.NFTA_CHAIN_TYPE])}
	at, base := m.attrs[unix.NFTA_CHAIN_HOOK]
	if !base {
		return c
	}
	h := nested(at)
	c.base, c.hook, c.priority = true, be32(h[unix.NFTA_HOOK_HOOKNUM]), int32(be32(h[unix.NFTA_HOOK_PRIORITY]))
	if policy, ok := m.attrs[unix.NFTA_CHAIN_POLICY]; ok {
		c.drops = be32(policy) == codeDrop
	}
	if dev, ok := h[unix.NFTA_HOOK_DEV]; ok {
		c.devices = append(c.devices, text(dev))
	}
	const hookDevices = 4 // NFTA_HOOK_DEVS
	for _, dev := range listed(h[hookDevices]) {
		c.devices = append(c.devices, text(dev))
	}
	return c
}

func (s *ruleset) addRule(m message) {
	table, name := text(m.attrs[unix.NFTA_RULE_TABLE]), text(m.attrs[unix.NFTA_RULE_CHAIN])
	var r rule
	for _, e := range listed(m.attrs[unix.NFTA_RULE_EXPRESSIONS]) {
		attrs := nested(e)
		r = append(r, expression{text(attrs[unix.NFTA_EXPR_NAME]), nested(attrs[unix.NFTA_EXPR_DATA])})
	}
	for _, c := range s.chains {
		if c.family == m.family && c.table == table && c.name == name {
			c.rules = append(c.rules, r)
		}
	}
}

// readElements lists those of a set.
func readElements(name setName) (all []element, err error) {
	answers, err := dump(unix.NFT_MSG_GETSETELEM, name.family,
		nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(name.table)), nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(name.name)))
	if err != nil {
		return nil, err
	}
	for _, m := range answers {
		for _, e := range listed(m.attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS]) {
			attrs := nested(e)
			if _, concatenated := attrs[10]; concatenated { // NFTA_SET_ELEM_KEY_END: ranges of several fields, not looked into
				return nil, nil
			}
			all = append(all, element{data(attrs[unix.NFTA_SET_ELEM_KEY]), be32(attrs[unix.NFTA_SET_ELEM_FLAGS])&unix.NFT_SET_ELEM_INTERVAL_END != 0})
		}
	}
	return all, nil
}
