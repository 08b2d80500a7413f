package gateway

import (
	"fmt"
	"slices"
	"strings"

	"vxgw/control"
	"vxgw/dataplane"
)

// capturable returns nil where frames of a VNI can come by: it is one of the gateway's, or what an entry sends with a VNI of its own has it.
// The error names those there are. The caller holds asking.
func (g *Gateway) capturable(vni uint32) error {
	var all []uint32
	for _, d := range g.domains {
		if d != nil {
			all = append(all, d.cfg.VNI)
		}
	}
	if slices.Contains(all, vni) || slices.ContainsFunc(g.plane.Remotes.Endpoints(), func(e dataplane.Endpoint) bool { return vni != 0 && e.VNI == vni }) {
		return nil
	}
	slices.Sort(all)
	return control.Missing(fmt.Sprintf("there is no vni %d (%s)", vni, thereAre(all)))
}

// mostNamed is how many VNIs an error names.
const mostNamed = 8

// thereAre names VNIs, or the first of them.
func thereAre(vnis []uint32) string {
	if len(vnis) == 0 {
		return "this gateway has none: gw vni add makes one"
	}
	names := make([]string, 0, mostNamed)
	for _, v := range vnis[:min(len(vnis), mostNamed)] {
		names = append(names, fmt.Sprint(v))
	}
	text := "there is " + names[0]
	if len(vnis) > 1 {
		text = "there are " + strings.Join(names, ", ")
	}
	if more := len(vnis) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more: gw vni show lists them", more)
	}
	return text
}
