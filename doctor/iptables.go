package doctor

import (
	"strconv"
	"strings"
)

// The older iptables keeps its rules where netlink does not show them; iptables-save prints them, one a line. They are
// made rules of nftables, as far as they are understood, and judged as those are: what is not understood may match.

// parseTables reads what iptables-save prints.
func parseTables(out string) *ruleset {
	s := &ruleset{}
	table := ""
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0][0] == '*':
			table = words[0][1:]
		case words[0][0] == ':' && len(words) > 1 && table != "nat":
			c := &chain{family: familyIPv4, table: table, name: words[0][1:], kind: "filter", drops: words[1] == "DROP"}
			hooks := map[string]hook{"PREROUTING": prerouting, "INPUT": input, "FORWARD": forward, "OUTPUT": output, "POSTROUTING": postrouting}
			if h, ok := hooks[c.name]; ok {
				c.base, c.hook = true, uint32(h)
			}
			s.chains = append(s.chains, c)
		case words[0] == "-A" && len(words) > 2:
			for _, c := range s.chains {
				if c.table == table && c.name == words[1] {
					c.rules = append(c.rules, rule{{name: oldRule, attrs: map[uint16][]byte{0: []byte(strings.Join(words[2:], " "))}}})
				}
			}
		}
	}
	return s
}

// oldRule is the name of an expression that is a whole rule as iptables-save prints it.
const oldRule = "iptables"

// oldRule is what rule is, of such a one.
func (w *walker) oldRule(c *chain, line string) (v verdict, sure bool, jump *chain, stay bool) {
	m, target := w.packet.textRule(line)
	if m == no {
		return goesOn, true, nil, false
	}
	switch target {
	case "DROP", "REJECT":
		return drops, m == yes, nil, false
	case "ACCEPT":
		return accepts, m == yes, nil, false
	case "RETURN":
		return returns, m == yes, nil, false
	}
	return goesOn, m == yes, w.set.find(c, target), !strings.Contains(line, "-g ")
}

// textRule is a rule of iptables-save without its chain: whether it matches, and its target.
func (p *packet) textRule(line string) (m match, target string) {
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		got := yes
		switch words[i] {
		case "-j", "-g":
			return m, value
		case "-m": // what it brings is said by its own words
		case "-p":
			got = is(value == map[byte]string{protoUDP: "udp", protoIGMP: "igmp"}[p.proto] || value == strconv.Itoa(int(p.proto)))
		case "-i":
			got = is(p.in && named(p.iface, value))
		case "-o":
			got = is(!p.in && named(p.iface, value))
		case "-s":
			got = p.addressed(p.src, value)
		case "-d":
			got = p.addressed(p.dst, value)
		case "--dport":
			got = is(spans(value, p.port))
		case "--ctstate", "--state":
			got = is(strings.Contains(value, "NEW"))
		case "--comment":
			for i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				i++
			}
			continue
		default:
			got = perhaps
			if words[i] == "!" { // of what comes behind it
				i++
			}
		}
		i++
		switch {
		case got == no:
			return no, ""
		case got == perhaps:
			m = perhaps
		}
	}
	return m, ""
}

func named(iface, pattern string) bool {
	if begin, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(iface, begin)
	}
	return iface == pattern
}

func spans(ports string, port uint16) bool {
	low, high, ranged := strings.Cut(ports, ":")
	from, err := strconv.Atoi(low)
	if err != nil {
		return false
	}
	to := from
	if ranged {
		if to, err = strconv.Atoi(high); err != nil {
			return false
		}
	}
	return from <= int(port) && int(port) <= to
}
