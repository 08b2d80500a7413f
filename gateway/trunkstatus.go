package gateway

import (
	"cmp"
	"fmt"
	"slices"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
)

// trunkStatus describes the open trunks, with their VLANs. Who calls it holds asking.
func (g *Gateway) trunkStatus(v *view, state *dataplane.Snapshot) []control.Port {
	if len(g.liveTrunks) == 0 {
		return nil
	}
	all, index := []control.Port{}, map[*trunk]int{}
	for _, t := range g.liveTrunks {
		c := control.Port{Interface: g.describe(t.iface), VLAN: t.tags.how, VLANReason: t.tags.why}
		c.Drops, c.TxDrops = drops(entry(v.ledger.Ports, int(t.account)))
		index[t] = len(all)
		all = append(all, c)
	}
	for i, p := range g.ports {
		if p == nil || p.trunk == nil || i >= len(state.Ports) || state.Ports[i] == nil {
			continue
		}
		c := &all[index[p.trunk]]
		c.Up, c.MTU, c.Gone = state.Ports[i].Up, state.Ports[i].MTU, p.gone.Load()
		c.NoCarrier = !c.Up && !c.Gone && p.bare.Load()
		if c.Gone {
			c.Reason = wasTaken
		}
		c.TPID = tpidText(p.tpid)
		c.VLANs = append(c.VLANs, control.PortVLAN{VLAN: p.vlan.String(), VNI: p.domain.cfg.VNI, Isolated: state.Ports[i].Isolated, Gone: c.Gone})
	}
	return all
}

// sortVLANs puts the VLANs of each trunk in order.
func sortVLANs(ports []control.Port) {
	for _, p := range ports {
		slices.SortFunc(p.VLANs, func(a, b control.PortVLAN) int {
			return cmp.Or(cmp.Compare(len(a.VLAN), len(b.VLAN)), cmp.Compare(a.VLAN, b.VLAN)) // numbers first, by their size
		})
	}
}

func tpidText(t config.TPID) string {
	text, _ := t.MarshalText() // never fails
	return string(text)
}

// ruleOf is a rule for tags in the words of a file, "" for none.
func ruleOf(t *dataplane.Tagging) string {
	switch {
	case t == nil:
		return ""
	case t.Rule == dataplane.TagsOff:
		return config.VLANStrip.String()
	}
	return config.VLANDrop.String()
}

// owner says whose port p is.
func owner(p *control.Port) string {
	switch n := len(p.VLANs); {
	case n == 1:
		return fmt.Sprintf("vni %d", p.VLANs[0].VNI)
	case n > 1:
		return fmt.Sprintf("%d VNIs", n)
	}
	return fmt.Sprintf("vni %d", p.VNI)
}

// addAbsent adds an absent member, to those of its trunk where there are some.
func addAbsent(all []control.Port, a *absence) []control.Port {
	c := a.port()
	if !a.vlan.Mapped() {
		return append(all, c)
	}
	one := control.PortVLAN{VLAN: a.vlan.String(), VNI: c.VNI, Isolated: c.Isolated, Gone: true}
	i := slices.IndexFunc(all, func(p control.Port) bool { return p.Name == c.Name && len(p.VLANs) > 0 })
	if i < 0 {
		c.VNI, c.Isolated, c.VLANRule, c.TPID = 0, false, "", tpidText(a.tpid)
		all, i = append(all, c), len(all)
	}
	all[i].VLANs = append(all[i].VLANs, one)
	return all
}
