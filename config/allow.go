package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Allow is who may send to a VNI; nil is anyone. In a file one word stands for a list of it.
type Allow []Allowed

// Allowed is a network of VTEPs, or the word remotes: those that the VNI floods to, and those
// that entries of its FDB name which are not learned.
type Allowed struct{ prefix netip.Prefix }

const remotesWord = "remotes"

// ParseAllowed reads an address, an address with its prefix length, or remotes.
func ParseAllowed(s string) (a Allowed, err error) { return a, a.UnmarshalText([]byte(s)) }

// Prefix is the network; false for remotes.
func (a Allowed) Prefix() (netip.Prefix, bool) { return a.prefix, a.prefix.IsValid() }

// String is what ParseAllowed reads.
func (a Allowed) String() string {
	switch p := a.prefix; {
	case !p.IsValid():
		return remotesWord
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return a.prefix.String()
}

// MarshalText writes what String returns.
func (a Allowed) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAllowed does.
func (a *Allowed) UnmarshalText(text []byte) error {
	s := string(text)
	if *a = (Allowed{}); s == remotesWord {
		return nil
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return fmt.Errorf("%s has a zone, which can only be the underlay (give %s)", show(s), addr.WithZone(""))
		}
		addr = addr.Unmap()
		a.prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return fmt.Errorf("%s is neither an address nor a network nor the word remotes (give one like 10.65.132.188 or 10.65.132.0/24)", show(s))
	case p.Addr().Is4In6():
		return fmt.Errorf("%s is IPv4 written as IPv6 (give it as IPv4)", p)
	case p != p.Masked():
		return fmt.Errorf("%s has bits behind its prefix (give %s)", p, p.Masked())
	}
	a.prefix = p
	return nil
}

// Remotes says whether the word is in the list.
func (l Allow) Remotes() bool { return slices.Contains(l, Allowed{}) }

// Covers says whether an address may send by what the list itself says.
func (l Allow) Covers(addr netip.Addr) bool {
	return slices.ContainsFunc(l, func(a Allowed) bool { return a.prefix.Contains(addr) })
}

// String joins the words.
func (l Allow) String() string {
	words := make([]string, len(l))
	for i, a := range l {
		words[i] = a.String()
	}
	return strings.Join(words, " ")
}

var errNobody = errors.New("allow is empty, so nobody could send (list VTEPs, or leave it out for anyone)")

// UnmarshalJSON reads a list or one word.
func (l *Allow) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*l = make(Allow, 1)
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]Allowed)(l))
}

// allow decodes a list or one word.
func (d *decoder) allow(path string, node ast.Node, l *Allow) error {
	switch n := node.(type) {
	case *ast.NullNode: // a list whose elements are all commented out, too
		return d.errorf(node, "%s has no value, so anyone could send (list VTEPs, or leave the key out for anyone)", path)
	case *ast.SequenceNode:
		if len(n.Values) == 0 {
			return d.errorf(node, "%s", errNobody)
		}
		*l = make(Allow, len(n.Values))
		for i, v := range n.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			d.lines[at] = line(v)
			if err := d.text(at, v, &(*l)[i]); err != nil {
				return err
			}
		}
		return nil
	}
	*l = make(Allow, 1)
	return d.text(path, node, &(*l)[0])
}

// allow takes either.
func (r *jsonReader) allow(l *Allow) bool {
	if !r.take('[') {
		*l = make(Allow, 1)
		s, ok := r.quoted()
		return ok && (*l)[0].UnmarshalText(s) == nil
	}
	for {
		s, ok := r.quoted()
		var a Allowed
		if !ok || a.UnmarshalText(s) != nil {
			return false
		}
		if *l = append(*l, a); r.take(']') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

// mostAllow bounds a list; networks say the same in fewer words.
const mostAllow = 1 << 16

// checkAllow checks the list, and that nobody is sent to who may not answer.
func (v *VNI) checkAllow(path string) *problem {
	if v.Allow == nil {
		return nil
	}
	if len(v.Allow) == 0 {
		return wrong(path+".allow", "vni %d: %s", v.VNI, errNobody)
	}
	if len(v.Allow) > mostAllow {
		return wrong(path+".allow", "vni %d: allow has more than %d elements (allow whole networks)", v.VNI, mostAllow)
	}
	first := make(map[Allowed]bool, len(v.Allow))
	for i, a := range v.Allow {
		at := fmt.Sprintf("%s.allow[%d]", path, i)
		if first[a] {
			return wrong(at, "vni %d: allow has %s twice (leave one out)", v.VNI, a)
		}
		first[a] = true
		if why := badSource(a); why != "" {
			return wrong(at, "vni %d: allow: %s %s", v.VNI, a, why)
		}
	}
	if v.Allow.Remotes() {
		return v.checkNamed(path)
	}
	covers := v.Allow.index()
	for i, r := range v.Remotes {
		if !covers(r.Dst) {
			return wrong(fmt.Sprintf("%s.remotes[%d]", path, i), "vni %d: remote %s may not send: allow leaves it out (add it there, or the word remotes)", v.VNI, r.Dst)
		}
	}
	for i, s := range v.FDB {
		if s.Dst.IsValid() && !covers(s.Dst) {
			return wrong(fmt.Sprintf("%s.fdb[%d]", path, i), "vni %d: fdb entry %s: dst %s may not send: allow leaves it out (add it there, or the word remotes)", v.VNI, s.MAC, s.Dst)
		}
	}
	return nil
}

// checkNamed refuses the word remotes where there can be none.
func (v *VNI) checkNamed(path string) *problem {
	if v.AllowsNobody(len(v.Remotes)) {
		return wrong(path+".allow", "vni %d: allow: remotes names nobody where a group is flooded to (list addresses or networks)", v.VNI)
	}
	return nil
}

// AllowsNobody says whether v, which floods to so many remotes, lets only remotes send and names none but a group.
func (v *VNI) AllowsNobody(remotes int) bool {
	named := slices.ContainsFunc(v.FDB, func(s Static) bool { return s.Dst.IsValid() })
	return len(v.Allow) == 1 && v.Allow.Remotes() && v.Group.IsValid() && remotes == 0 && !named
}

// mapped4 is where IPv4 is within IPv6 (RFC 4291 section 2.5.5.2).
var mapped4 = netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff})

// badSource says why no VTEP sends from there.
func badSource(a Allowed) string {
	p, ok := a.Prefix()
	switch {
	case !ok:
		return ""
	case p.Addr().Is6() && netip.PrefixFrom(mapped4, p.Bits()).Masked() == p:
		return "has all of IPv4 in it too, mapped into IPv6 (give networks such as 2000::/3)"
	case p.Addr().IsMulticast():
		return "is multicast, and no VTEP sends from there (give the addresses of VTEPs)"
	case p.IsSingleIP():
		return badVTEP(p.Addr(), "")
	}
	return ""
}

// index is Covers for many questions.
func (l Allow) index() func(netip.Addr) bool {
	all, lengths := make(map[netip.Prefix]bool, len(l)), map[int]bool{}
	for _, a := range l {
		all[a.prefix], lengths[a.prefix.Bits()] = true, true
	}
	return func(addr netip.Addr) bool {
		for bits := range lengths {
			if p, err := addr.Prefix(bits); err == nil && all[p] {
				return true
			}
		}
		return false
	}
}
