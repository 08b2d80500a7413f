package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"vxgw/config"
	"vxgw/control"
)

// parseChange reads what follows a verb of gw fdb.
func parseChange(verb string, args []string) (control.FDBChange, error) {
	var c control.FDBChange
	w := words{rest: args, seen: map[string]bool{}}
	for word, ok := w.next(); ok; word, ok = w.next() {
		switch word {
		case "to":
			w.text(&c.MAC)
		case "dev", "brport":
			w.text(&c.Dev)
		case "dst":
			w.addr(&c.Dst)
		case "via":
			w.text(&c.Via)
		case "vni":
			c.VNI = number[uint32](&w, config.MaxVNI)
		case "vlan":
			c.VLAN = number[uint16](&w, config.MaxVLAN)
		case "src_vni":
			c.SrcVNI = number[uint32](&w, config.MaxVNI)
		case "port":
			c.Port = number[uint16](&w, 1<<16-1)
		case "self":
			c.Self = true
		case "master":
			c.Master = true
		case "permanent", "local":
			w.state(&c.State, "permanent")
		case "static", "temp":
			w.state(&c.State, "static")
		case "dynamic":
			w.state(&c.State, "dynamic")
		case "extern_learn":
			c.Extern = true
		default:
			if c.MAC != "" || unhonoured[word] != "" {
				w.unknown(word)
			}
			c.MAC = word
		}
	}
	if w.err == nil && c.MAC == "" {
		w.err = errors.New("which address? (MAC dev DEV ...)")
	}
	if w.err == nil {
		w.err = c.Check(verb)
	}
	return c, w.err
}

// parseFilter reads which entries are meant.
func parseFilter(args []string) (control.FDBFilter, error) {
	var f control.FDBFilter
	w := words{rest: args, seen: map[string]bool{}}
	for word, ok := w.next(); ok; word, ok = w.next() {
		if word == "state" { // bridge fdb show state static
			word = w.value()
		}
		not, bare := "", word
		if rest, ok := strings.CutPrefix(word, "no"); ok {
			not, bare = "no", rest
		}
		switch {
		case bare == "permanent", bare == "local":
			w.state(&f.State, not+"permanent")
		case bare == "static", bare == "temp":
			w.state(&f.State, not+"static")
		case bare == "dynamic":
			w.state(&f.State, not+"dynamic")
		case bare == "extern_learn":
			w.state(&f.Extern, word)
		case word == "br":
			w.text(&f.Br)
		case word == "dev":
			w.text(&f.Dev)
		case word == "brport":
			w.text(&f.Brport)
		case word == "dst":
			w.addr(&f.Dst)
		case word == "port":
			f.Port = number[uint16](&w, 1<<16-1)
		case word == "vni":
			f.VNI = number[uint32](&w, config.MaxVNI)
		case word == "vlan":
			f.VLAN = number[uint16](&w, config.MaxVLAN)
		case word == "src_vni":
			f.SrcVNI = number[uint32](&w, config.MaxVNI)
		case word == "via":
			w.text(&f.Via)
		case word == "self":
			f.Self = true
		case word == "master":
			f.Master = true
		case w.err == nil:
			w.unknown(word)
		}
	}
	if w.err == nil {
		w.err = f.Check()
	}
	return f, w.err
}

// unhonoured says of words of bridge(8) why gw has no use for them.
var unhonoured = map[string]string{
	"nhid":          "there are no groups of next hops (give dst ADDRESS)",
	"router":        "nobody is told that an address is a router's (leave it out)",
	"sticky":        "static entries never move (say static)",
	"use":           "entries age by traffic alone (leave it out)",
	"offloaded":     "nothing is offloaded (leave it out)",
	"added_by_user": "static and permanent entries are the user's (say static, permanent or nodynamic)",
}

// words are the arguments of a verb, taken one after another. The first error
// stays.
type words struct {
	rest []string
	last string
	seen map[string]bool
	err  error
}

// next takes a word that says what follows. One that stands there twice is an error.
func (w *words) next() (string, bool) {
	if w.err != nil || len(w.rest) == 0 {
		return "", false
	}
	w.last, w.rest = w.rest[0], w.rest[1:]
	if w.seen[w.last] {
		w.err = fmt.Errorf("%q is given twice", w.last)
		return "", false
	}
	w.seen[w.last] = true
	return w.last, true
}

// value takes what belongs to the last word.
func (w *words) value() string {
	if len(w.rest) == 0 || w.rest[0] == "" {
		w.err = fmt.Errorf("%s needs a value behind it", w.last)
		return ""
	}
	v := w.rest[0]
	w.rest = w.rest[1:]
	return v
}

func (w *words) text(into *string) {
	if *into != "" {
		w.err = fmt.Errorf("%s: %s was given already", w.last, *into)
	} else {
		*into = w.value()
	}
}

func (w *words) state(into *string, s string) {
	if *into != "" {
		w.err = fmt.Errorf("%s does not go with %s", w.last, *into)
	}
	*into = s
}

func (w *words) addr(into *netip.Addr) {
	text := w.value()
	a, err := netip.ParseAddr(text)
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("%s %q is not an IP address (give one like 10.65.132.188)", w.last, text)
	}
	*into = a
}

// number takes a whole number of 1 to most.
func number[T uint16 | uint32](w *words, most uint64) *T {
	text := w.value()
	n, err := strconv.ParseUint(text, 10, 64)
	if w.err == nil && (err != nil || n == 0 || n > most) {
		w.err = fmt.Errorf("%s %q is out of range (1-%d)", w.last, text, most)
	}
	v := T(n)
	return &v
}

func (w *words) unknown(word string) {
	if why := unhonoured[strings.TrimPrefix(word, "no")]; why != "" {
		w.err = fmt.Errorf("%s is not supported: %s", word, why)
		return
	}
	w.err = fmt.Errorf("%q is not a word for it (gw fdb --help lists what there is)", word)
}
