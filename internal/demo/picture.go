package demo

import (
	"fmt"
	"strings"
)

// inside is the width of a node's box without its frame.
const inside = 25

// picture draws the nodes above the segment that joins them.
func picture(nodes []*vtep) []string {
	const gap = "   "
	most := 0
	for _, v := range nodes {
		most = max(most, len(v.ends()))
	}
	rows := make([]string, 5+most)
	for i, v := range nodes {
		text := describeNode(v, most)
		if i > 0 {
			for r := range rows {
				rows[r] += gap
			}
		}
		rows[0] += fmt.Sprintf("+- %s %s+", v.name, strings.Repeat("-", inside-len(v.name)-1))
		for r, t := range text {
			rows[1+r] += fmt.Sprintf("| %-*s |", inside, t)
		}
		half := strings.Repeat("-", inside/2+1)
		rows[3+most] += "+" + half + "+" + half + "+"
		rows[4+most] += fmt.Sprintf("%*s%*s", inside/2+3, "|", inside/2+2, "")
	}
	wide := len(rows[0])
	segment := []byte(strings.Repeat("=", wide))
	for i, c := range rows[4+most] {
		if c == '|' {
			segment[i] = '+'
		}
	}
	rows[4+most] = strings.TrimRight(rows[4+most], " ")
	label := fmt.Sprintf("underlay: one Ethernet segment, MTU 1500, carries VXLAN with VNI %d", vni)
	return append(rows, string(segment), strings.Repeat(" ", max(0, (wide-len(label))/2))+label)
}

// describeNode fills a box: who is on the overlay, the VTEP, and the underlay. Nodes with fewer containers than the others
// have room above them.
func describeNode(v *vtep, most int) []string {
	text := make([]string, most-len(v.ends()))
	for _, e := range v.ends() {
		name := v.device()
		if len(v.containers) > 0 {
			name = e.name
		}
		text = append(text, fmt.Sprintf("%-7s %s%s", name, e.inner, overlayBits))
	}
	what := "the kernel's vxlan device"
	switch {
	case v.gw && len(v.containers) > 0:
		what = "gw, also as their bridge"
	case v.gw:
		what = "gw, over AF_XDP"
	case len(v.containers) > 0:
		what = "kernel's vxlan and bridge"
	}
	return append(text, what, fmt.Sprintf("%-7s %s%s", wire, v.outer, underlayBits))
}
