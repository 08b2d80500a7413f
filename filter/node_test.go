package filter

// eval says what a node says of a frame: what its steps have to say, written down again.
func (n *node) eval(f []byte, underlay bool) answer {
	switch n.op {
	case opAnd:
		if a := n.x.eval(f, underlay); a != yes {
			return a
		}
		return n.y.eval(f, underlay)
	case opOr:
		if a := n.x.eval(f, underlay); a != no {
			return a
		}
		return n.y.eval(f, underlay)
	case opNot:
		if a := n.x.eval(f, underlay); a != cut {
			return yes - a
		}
		return cut
	case opIf:
		switch n.x.eval(f, underlay) {
		case yes:
			return n.y.eval(f, underlay)
		case no:
			return n.z.eval(f, underlay)
		}
		return cut
	case opEqual:
		v, ok := load(f, n.at, n.size)
		if !ok {
			return cut
		}
		return answerOf(v&n.mask == n.lo)
	case opWithin:
		return n.within(f, n.at)
	case opPort:
		if n.at >= len(f) {
			return cut
		}
		return n.within(f, n.at+int(f[n.at]&0x0f)*4+int(n.mask))
	case opLength:
		return answerOf(len(f) >= int(n.lo) && len(f) <= int(n.hi))
	case opVXLAN:
		vni, _, ok := open(f, underlay)
		return answerOf(ok && vni >= n.lo && vni <= n.hi)
	}
	_, inner, ok := open(f, underlay)
	switch {
	case ok:
		return n.x.eval(inner, false)
	case n.op == opInner:
		return n.x.eval(f, underlay)
	}
	return no
}

func (n *node) within(f []byte, at int) answer {
	v, ok := load(f, at, n.size)
	if !ok {
		return cut
	}
	return answerOf(v >= n.lo && v <= n.hi)
}
