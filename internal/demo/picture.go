package demo

import (
	"fmt"
	"strings"
)

// picture draws the nodes above the segment that joins them.
func picture(nodes []*vtep) []string {
	const gap = "   "
	rows := make([]string, 6)
	for i, v := range nodes {
		what := "the kernel's vxlan device"
		if v.gw {
			what = "gw, over AF_XDP"
		}
		text := []string{
			fmt.Sprintf("%-7s %s%s", v.device(), v.inner, overlayBits),
			what,
			fmt.Sprintf("%-7s %s%s", wire, v.outer, underlayBits),
		}
		const inside = 25
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
		rows[4] += "+" + half + "+" + half + "+"
		rows[5] += fmt.Sprintf("%*s%*s", inside/2+3, "|", inside/2+2, "")
	}
	wide := len(rows[0])
	segment := []byte(strings.Repeat("=", wide))
	for i, c := range rows[5] {
		if c == '|' {
			segment[i] = '+'
		}
	}
	rows[5] = strings.TrimRight(rows[5], " ")
	label := fmt.Sprintf("underlay: one Ethernet segment, MTU 1500, carries VXLAN with VNI %d", vni)
	return append(rows, string(segment), strings.Repeat(" ", max(0, (wide-len(label))/2))+label)
}
