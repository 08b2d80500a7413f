package doctor

import (
	"cmp"
	"slices"
)

// ruleset is what nftables has, as far as packets of ours may meet it.
type ruleset struct {
	chains []*chain
	sets   map[setName][]element
}

type setName struct {
	family byte
	table  string
	name   string
}

// element is one of a set; with ends it begins a range or ends one.
type element struct {
	key []byte
	end bool
}

// chain is one of them; base says that the kernel leads packets there.
type chain struct {
	family   byte
	table    string
	name     string
	base     bool
	hook     uint32
	priority int32
	drops    bool   // its policy
	kind     string // filter, nat, route
	devices  []string
	rules    []rule
}

type rule []expression

// expression is one of a rule: its attributes by number (linux/netfilter/nf_tables.h).
type expression struct {
	name  string
	attrs map[uint16][]byte
}

// Families of nftables (linux/netfilter.h).
const (
	familyInet   = 1
	familyIPv4   = 2
	familyARP    = 3
	familyNetdev = 5
	familyBridge = 7
	familyIPv6   = 10
)

// fate is what rules do with a packet.
type fate int

const (
	passes fate = iota
	unsure      // some rule drops it, depending on what is not known
	dropped
)

// outcome is a fate and where it was met.
type outcome struct {
	fate fate
	at   *chain
	rule int // number, -1: the policy
}

// judge walks p through the chains that it meets.
func (s *ruleset) judge(p *packet) outcome {
	worst := outcome{}
	for _, h := range p.hooks() {
		for _, c := range s.at(h, p) {
			if o := s.walk(c, p, h); o.fate > worst.fate {
				worst = o
			}
		}
	}
	return worst
}

// at lists the base chains of a hook that p meets, in order.
func (s *ruleset) at(h hook, p *packet) []*chain {
	var all []*chain
	for _, c := range s.chains {
		own := byte(familyIPv4)
		if p.six {
			own = familyIPv6
		}
		meets := (c.family == familyInet || c.family == own) && h != ingress && c.hook == uint32(h) ||
			c.family == familyNetdev && h == ingress && c.hook == 0 && slices.Contains(c.devices, p.iface)
		if c.base && meets && c.kind != "nat" { // which drops nothing
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *chain) int { return cmp.Compare(a.priority, b.priority) })
	return all
}

// walk is the way through a base chain to its end.
func (s *ruleset) walk(c *chain, p *packet, h hook) outcome {
	left := mostRules
	w := walker{set: s, packet: p, hook: h, left: &left}
	switch v := w.chain(c, 0); {
	case v == goesOn && c.drops && !w.mayPass:
		return outcome{dropped, c, -1}
	case v == goesOn && c.drops:
		return w.doubt(outcome{unsure, c, -1})
	case v == drops && !w.mayPass:
		return w.last
	case v == drops:
		return w.doubt(outcome{unsure, w.last.at, w.last.rule})
	}
	return w.doubted
}

// find returns the chain of that name beside c, nil if there is none.
func (s *ruleset) find(c *chain, name string) *chain {
	for _, other := range s.chains {
		if other.family == c.family && other.table == c.table && other.name == name {
			return other
		}
	}
	return nil
}

// verdict is what becomes of a packet behind a rule or chain.
type verdict int

const (
	goesOn verdict = iota
	accepts
	drops
	returns
)

// walker is on its way through a base chain.
type walker struct {
	set     *ruleset
	packet  *packet
	hook    hook
	left    *int    // how many rules may still be looked at
	mayPass bool    // a rule that may match would accept it
	doubted outcome // a rule that may match would drop it
	last    outcome
}

func (w *walker) doubt(o outcome) outcome {
	if w.doubted.fate == passes {
		return o
	}
	return w.doubted
}

// mostRules bounds the rules of one way: chains that lead into one another again and again are many ways.
const mostRules = 100_000

// deepest is how far chains lead into one another (NFT_JUMP_STACK_SIZE).
const deepest = 16

// chain walks through one, and those that it leads to.
func (w *walker) chain(c *chain, depth int) verdict {
	if depth > deepest {
		return goesOn
	}
	for i, r := range c.rules {
		if *w.left--; *w.left < 0 {
			w.mayPass = true // for all that is known
			return goesOn
		}
		v, sure, jump, stay := w.rule(c, r)
		switch {
		case jump != nil && !sure:
			w.maybe(jump, depth)
		case jump != nil:
			if v := w.chain(jump, depth+1); v == accepts || v == drops {
				return v
			}
			if !stay {
				return goesOn
			}
		case v == goesOn:
		case sure:
			if v == drops {
				w.last = outcome{dropped, c, i}
			}
			return v
		case v == drops:
			w.doubted = w.doubt(outcome{unsure, c, i})
		default:
			w.mayPass = true
		}
	}
	return goesOn
}

// maybe walks a chain that packets may be led to.
func (w *walker) maybe(c *chain, depth int) {
	other := walker{set: w.set, packet: w.packet, hook: w.hook, left: w.left}
	v := other.chain(c, depth+1)
	w.mayPass = w.mayPass || v == accepts || other.mayPass
	if v == drops {
		w.doubted = w.doubt(outcome{unsure, other.last.at, other.last.rule})
	} else if other.doubted.fate != passes {
		w.doubted = w.doubt(other.doubted)
	}
}
