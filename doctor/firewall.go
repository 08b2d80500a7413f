package doctor

import (
	"fmt"
	"net/netip"
	"strings"
)

func (p *packet) addressed(a netip.Addr, network string) match {
	if !strings.Contains(network, "/") {
		network += "/32"
	}
	n, err := netip.ParsePrefix(network)
	if err != nil || !a.IsValid() {
		return perhaps
	}
	return is(n.Contains(a))
}

func firewall(f *facts, n *notes) {
	if !f.underlay.there() {
		return
	}
	n = n.of(f.underlay.name)
	rules, ok := seen(n, f.host.nft, "rules of nftables")
	tables, older := seen(n, f.host.tables, "rules of iptables (legacy)")
	var all []*ruleset
	if ok && rules != nil {
		all = append(all, rules)
	}
	if older && tables != "" {
		all = append(all, parseTables(tables))
	}
	before := len(n.report.Findings)
	var doubts []string
	met := 0
	for _, p := range f.firewalled() {
		for i, s := range all {
			met += len(s.chains)
			switch o := s.judge(p); o.fate {
			case dropped:
				n.warn(o.cure(p, i > 0 || !ok || rules == nil), "%s are dropped by %s", p.what, o.place())
			case unsure:
				doubts = append(doubts, p.what+" by "+o.place())
			}
		}
	}
	switch {
	case len(n.report.Findings) > before:
	case len(doubts) > 0:
		n.ok("no rule certainly drops what gw leaves to the kernel; it depends on what is not known for %s", few(doubts))
	case ok && older:
		n.ok("no rule drops what gw leaves to the kernel")
	}
}

// place names a rule as its owner finds it.
func (o outcome) place() string {
	c := o.at
	where := fmt.Sprintf("chain %s of table %s", c.name, c.table)
	if word := familyWord(c.family); word != "" {
		where = fmt.Sprintf("chain %s of table %s %s", c.name, word, c.table)
	}
	if o.rule < 0 {
		return "the policy of " + where
	}
	return fmt.Sprintf("rule %d of %s", o.rule+1, where)
}

func familyWord(family byte) string {
	return map[byte]string{familyInet: "inet", familyIPv4: "ip", familyIPv6: "ip6", familyNetdev: "netdev"}[family]
}

// cure lets p through in front of what drops it.
func (o outcome) cure(p *packet, older bool) string {
	c := o.at
	if older {
		return fmt.Sprintf("iptables -t %s -I %s -p %s -j ACCEPT", c.table, c.name, map[byte]string{protoUDP: fmt.Sprintf("udp --dport %d", p.port), protoIGMP: "igmp"}[p.proto])
	}
	what := fmt.Sprintf("udp dport %d", p.port)
	if p.proto == protoIGMP {
		what = "ip protocol igmp"
	}
	return fmt.Sprintf("nft insert rule %s %s %s %s accept", familyWord(c.family), c.table, c.name, what)
}
