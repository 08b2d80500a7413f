package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"vxgw/control"
)

// parseNeighChange reads what follows a verb of gw neigh.
func parseNeighChange(verb string, args []string) (control.NeighChange, error) {
	var c control.NeighChange
	w := words{rest: args, seen: map[string]bool{}}
	for word, ok := w.next(); ok; word, ok = w.next() {
		switch word {
		case "to":
			w.addr(&c.Dst)
		case "dev":
			w.text(&c.Dev)
		case "lladdr":
			w.text(&c.LLAddr)
		case "vlan":
			c.VLAN = *number[uint16](&w, 4094)
		case "nud":
			w.nud(&c.State)
		case "router":
			c.Router = true
		case "extern_learn":
			c.Extern = true
		default:
			if c.Dst.IsValid() || neighUnhonoured[word] != "" {
				w.neighUnknown(word)
				continue
			}
			w.last, w.rest = "address", append([]string{word}, w.rest...)
			w.addr(&c.Dst)
		}
	}
	if w.err == nil {
		w.err = c.Check(verb)
	}
	return c, w.err
}

// parseNeighFilter reads which entries are meant.
func parseNeighFilter(args []string) (control.NeighFilter, error) {
	var f control.NeighFilter
	w := words{rest: args, seen: map[string]bool{}}
	for word, ok := w.next(); ok; word, ok = w.next() {
		switch word {
		case "to":
			w.prefix(&f.To)
		case "dev":
			w.text(&f.Dev)
		case "lladdr":
			w.text(&f.LLAddr)
			f.LLAddr = strings.ToLower(f.LLAddr)
		case "vlan":
			f.VLAN = *number[uint16](&w, 4094)
		case "nud":
			w.nud(&f.State)
		default:
			if f.To.IsValid() || neighUnhonoured[word] != "" {
				w.neighUnknown(word)
				continue
			}
			w.last, w.rest = "address", append([]string{word}, w.rest...)
			w.prefix(&f.To)
		}
	}
	return f, w.err
}

// neighUnhonoured says of words of ip-neighbour(8) why gw has no use for them.
var neighUnhonoured = map[string]string{
	"proxy":        "whoever is entered is answered for (leave it out)",
	"use":          "nobody is asked (leave it out)",
	"managed":      "nobody is asked (leave it out)",
	"extern_valid": "nobody is asked (leave it out)",
	"protocol":     "nobody keeps who has entered it (leave it out)",
	"nomaster":     "every VNI is a bridge (leave it out)",
	"vrf":          "VNIs are in none (say dev DEV)",
	"unused":       "nobody counts who uses one (leave it out)",
}

func (w *words) neighUnknown(word string) {
	if why := neighUnhonoured[word]; why != "" {
		w.err = fmt.Errorf("%s is not supported: %s", word, why)
		return
	}
	w.err = fmt.Errorf("%q is not a word for it (gw neigh --help lists what there is)", word)
}

// nud takes a state, in any case.
func (w *words) nud(into *string) {
	w.text(into)
	*into = strings.ToUpper(*into)
	known := []string{"", control.NeighPermanent, control.NeighNoARP, control.NeighReachable, control.NeighStale, "ALL"}
	if w.err == nil && !slices.Contains(known, *into) {
		w.err = fmt.Errorf("nud %s is unknown (permanent, noarp, reachable, stale or all)", strings.ToLower(*into))
	}
}

// prefix takes addresses that begin alike, or one.
func (w *words) prefix(into *netip.Prefix) {
	text := w.value()
	p, err := netip.ParsePrefix(text)
	if a, one := netip.ParseAddr(text); one == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("%s %q is no address and no prefix (give one like 172.17.1.0/24)", w.last, text)
	}
	*into = p
}
