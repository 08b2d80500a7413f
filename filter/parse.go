package filter

import "fmt"

// parser goes through the words once. What it knows beside them is what one term leaves to the next ones.
type parser struct {
	words []word
	next  int
	end   int // the place behind the filter

	last   qualifiers // of the term before, for one that is nothing but an address or a port
	begun  bool       // there is such a term
	tags   int        // vlans so far: what stands behind them is about what is behind the tags
	layers int        // vxlans so far, likewise
}

// qualifiers say what an address, network, port or protocol is of.
type qualifiers struct {
	proto string // ether, ip, ip6, arp, rarp, icmp, tcp ...; empty: any that fits
	dir   direction
	kind  string // host, net, port, portrange, proto; empty: host
}

func (p *parser) peek() (word, bool) {
	if p.next == len(p.words) {
		return word{at: p.end}, false
	}
	return p.words[p.next], true
}

// take is peek, and goes on.
func (p *parser) take() (word, bool) {
	w, ok := p.peek()
	if ok {
		p.next++
	}
	return w, ok
}

// accept goes on if the next word is one of some.
func (p *parser) accept(any ...string) bool {
	w, ok := p.peek()
	for _, a := range any {
		if ok && w.text == a {
			p.next++
			return true
		}
	}
	return false
}

func (p *parser) fault(w word, format string, args ...any) error {
	return &Error{w.text, w.at, fmt.Sprintf(format, args...)}
}

// expression is terms with and and or between them, which bind alike, from the left.
func (p *parser) expression() (*node, error) {
	left, err := p.negated()
	for err == nil {
		op := opAnd
		if p.accept("or", "||") {
			op = opOr
		} else if !p.accept("and", "&&") {
			return left, nil
		}
		var right *node
		if right, err = p.negated(); err == nil {
			left = &node{op: op, x: left, y: right}
		}
	}
	return nil, err
}

// negated is a term with any number of nots in front.
func (p *parser) negated() (*node, error) {
	not := false
	for p.accept("not", "!") {
		not = !not
	}
	n, err := p.operand()
	if err == nil && not {
		n = &node{op: opNot, x: n}
	}
	return n, err
}

func (p *parser) operand() (*node, error) {
	switch {
	case p.accept("("):
		n, err := p.expression()
		if err == nil && !p.accept(")") {
			w, _ := p.peek()
			return nil, p.fault(w, "a ) is missing")
		}
		return n, err
	case p.accept("inner"):
		// What stands behind it knows nothing of the tags in front.
		tags, layers := p.tags, p.layers
		p.tags, p.layers = 0, 0
		n, err := p.negated()
		p.tags, p.layers = tags, layers
		return p.layered(&node{op: opInner, x: n}), err
	}
	return p.term()
}

// layered makes a test one of what is behind the vxlans so far.
func (p *parser) layered(n *node) *node {
	for range p.layers {
		n = &node{op: opBehind, x: n}
	}
	return n
}
