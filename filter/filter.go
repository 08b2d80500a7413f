// Package filter has tcpdump's language for choosing packets (pcap-filter(7)), as far as it is about addresses, networks, ports,
// protocols, VLANs and lengths, and what VXLAN adds. It knows nothing but bytes.
//
//	lex.go      text -> words, each with its place
//	parse.go    words -> and, or, not, with the qualifiers that one term leaves to the next
//	term.go     one term -> comparisons
//	id.go       addresses, networks, ports and protocols
//	node.go     comparisons -> steps, and what they say of a packet
//
// A filter says what tcpdump would say of the same bytes, in its odd corners too: and and or bind alike, from the left; vlan moves what
// stands behind it in the filter by a tag; a packet that ends before a byte that is asked for is not chosen, whatever not says.
package filter

import "fmt"

// Program is a filter. It never changes; any number of goroutines may use it. The zero value chooses every packet.
type Program struct{ steps []step }

// Error says what is wrong with a filter.
type Error struct {
	Word     string // the word at fault, empty at the end of the filter
	Position int    // of its first byte, counted from 1
	Problem  string
}

// Error names the word and its place.
func (e *Error) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("filter: %s (at its end, character %d)", e.Problem, e.Position)
	}
	return fmt.Sprintf("filter: %q at character %d: %s", e.Word, e.Position, e.Problem)
}

// mostWords bounds a filter's size, and with it the depth of its parentheses and what a packet costs.
const mostWords = 512

// Parse makes a Program of a filter; of an empty one, a Program that chooses every packet. The error is an *Error.
func Parse(text string) (*Program, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return &Program{}, nil
	}
	return &Program{compile(root)}, nil
}

// parse returns the tree of a filter, nil for an empty one.
func parse(text string) (*node, error) {
	words, err := lex(text)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	if len(words) > mostWords {
		w := words[mostWords]
		return nil, &Error{w.text, w.at, fmt.Sprintf("a filter has at most %d words", mostWords)}
	}
	p := parser{words: words, end: len(text) + 1}
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	if w, more := p.peek(); more {
		return nil, p.fault(w, "expected and, or, or the end")
	}
	return root, nil
}

// Match reports whether the filter chooses a frame, which begins with its Ethernet header. Of an underlay's every UDP packet may be
// VXLAN, of others only those to the port 4789. It allocates nothing.
func (p *Program) Match(frame []byte, underlay bool) bool {
	return len(p.steps) == 0 || run(p.steps, frame, underlay) == yes
}

// All reports whether the filter chooses every packet.
func (p *Program) All() bool { return len(p.steps) == 0 }
