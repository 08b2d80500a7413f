package doctor

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// What rules of all kinds do with the packets that pass XDP by, as the kernel has them.
func TestFirewall(t *testing.T) {
	t.Parallel()
	const (
		nft    = "nft"
		compat = "iptables-nft"
		legacy = "iptables-legacy"
	)
	for _, c := range []struct {
		name, program string
		rules         []string // one command each; for nft they are one file
		level         Level
		words         string // of text or cure
		group         bool
	}{
		{"a policy", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; policy drop; }"}, Warning, "nft insert rule inet f in udp dport 4789 accept", false},
		{"a policy, and the port is open", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; policy drop; }",
			"add rule inet f in ct state established,related accept", "add rule inet f in iifname lo accept", "add rule inet f in udp dport { 53, 4789 } accept"}, OK, "no rule drops", false},
		{"open to the remote only", nft, []string{"add table ip f", "add chain ip f in { type filter hook input priority 0; policy drop; }",
			"add rule ip f in ip saddr 10.65.132.0/24 udp dport 4700-4800 accept"}, OK, "no rule drops", false},
		{"open to others only", nft, []string{"add table ip f", "add chain ip f in { type filter hook input priority 0; policy drop; }",
			"add rule ip f in ip saddr 10.65.133.0/24 udp dport 4789 accept"}, Warning, "the policy of chain in of table ip f", false},
		{"open where a mark is set", nft, []string{"add table ip f", "add chain ip f in { type filter hook input priority 0; policy drop; }",
			"add rule ip f in meta mark 7 accept"}, OK, "depends on what is not known", false},
		{"a rule in another chain", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; }", "add chain inet f no",
			"add rule inet f in ip protocol udp jump no", "add rule inet f no udp dport 4789 counter reject"}, Warning, "rule 1 of chain no of table inet f", false},
		{"another chain returns", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; }", "add chain inet f no",
			"add rule inet f in jump no", "add rule inet f no udp dport 4789 return", "add rule inet f no drop"}, OK, "no rule drops", false},
		{"goto", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; policy drop; }", "add chain inet f no",
			"add rule inet f in goto no", "add rule inet f in accept", "add rule inet f no tcp dport 22 accept"}, Warning, "the policy", false},
		{"a set of ranges", nft, []string{"add table inet f", "add set inet f ports { type inet_service; flags interval; elements = { 1-1023, 4000-5000 }; }",
			"add chain inet f in { type filter hook input priority 0; }", "add rule inet f in udp dport @ports drop"}, Warning, "rule 1 of chain in", false},
		{"a set of other ranges", nft, []string{"add table inet f", "add set inet f ports { type inet_service; flags interval; elements = { 1-1023, 4790-5000 }; }",
			"add chain inet f in { type filter hook input priority 0; }", "add rule inet f in udp dport @ports drop"}, OK, "no rule drops", false},
		{"another interface", nft, []string{"add table inet f", "add chain inet f in { type filter hook input priority 0; }", "add rule inet f in iifname != \"ens18\" drop"}, OK, "no rule drops", false},
		{"what leaves", nft, []string{"add table inet f", "add chain inet f out { type filter hook output priority 0; }", "add rule inet f out ip daddr 10.65.132.188 drop"}, Warning, "first packets to 10.65.132.188", false},
		{"ingress", nft, []string{"add table netdev f", "add chain netdev f in { type filter hook ingress device ens18 priority 0; }", "add rule netdev f in udp dport 4789 drop"}, Warning, "table netdev f", false},
		{"ingress of another", nft, []string{"add table netdev f", "add chain netdev f in { type filter hook ingress device veth1 priority 0; }", "add rule netdev f in udp dport 4789 drop"}, OK, "no rule drops", false},
		{"IGMP", nft, []string{"add table ip f", "add chain ip f in { type filter hook input priority 0; policy drop; }", "add rule ip f in udp dport 4789 accept"}, Warning, "ip protocol igmp accept", true},
		{"iptables", compat, []string{"-P INPUT DROP", "-A INPUT -p tcp --dport 22 -j ACCEPT"}, Warning, "the policy of chain INPUT of table ip filter", false},
		{"iptables, and the port is open", compat, []string{"-P INPUT DROP", "-A INPUT -i ens18 -p udp -m udp --dport 4789 -j ACCEPT"}, OK, "no rule drops", false},
		{"iptables rejects", compat, []string{"-A INPUT -p udp -m udp --dport 4000:5000 -j REJECT"}, Warning, "rule 1 of chain INPUT", false},
		{"older iptables", legacy, []string{"-P INPUT DROP", "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT"}, Warning, "iptables -t filter -I INPUT -p udp --dport 4789 -j ACCEPT", false},
		{"older iptables, and the port is open", legacy, []string{"-P INPUT DROP", "-N vx", "-A INPUT -p udp -j vx", "-A vx -s 10.65.132.188/32 -p udp -m udp --dport 4789 -j ACCEPT"}, OK, "no rule drops", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.program); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("CI has to have %s (apt-get install nftables iptables)", c.program)
				}
				t.Skipf("needs %s", c.program)
			}
			b := newBed(t, lab.VethOptions{}, lab.VethOptions{})
			if c.group {
				b.flags.Remotes, b.flags.Group = nil, "224.1.1.1"
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			var commands [][]string
			if c.program == nft {
				commands = [][]string{{strings.Join(c.rules, "\n")}}
			} else {
				for _, r := range c.rules {
					commands = append(commands, append([]string{"-w"}, strings.Fields(r)...))
				}
			}
			for _, args := range commands {
				var said strings.Builder
				cmd := b.host.Command(ctx, c.program, args...)
				cmd.Stdout, cmd.Stderr = &said, &said
				if err := cmd.Run(); err != nil {
					t.Fatalf("%s %v: %v: %s", c.program, args, err, said.String())
				}
			}
			r := b.examine()
			r.finds(t, "traffic.firewall", "ens18", c.level, c.words)
			r.alone(t, "traffic.firewall")
		})
	}
}

// Rules as iptables-save prints them.
func TestTextRules(t *testing.T) {
	p := (&packet{in: true, iface: "ens18", proto: protoUDP, port: 4789, src: netip.MustParseAddr("10.65.132.188")}).build()
	for line, want := range map[string]match{
		"-i ens18 -p udp -m udp --dport 4789 -j DROP": yes,
		"-i ens+ -j DROP":                                           yes,
		"-i ens19 -j DROP":                                          no,
		"! -i lo -j DROP":                                           perhaps,
		"-p tcp -m tcp --dport 22 -j DROP":                          no,
		"-p udp -m udp --dport 4000:4100 -j DROP":                   no,
		"-s 10.65.132.0/24 -j DROP":                                 yes,
		"-d 10.65.132.187/32 -j DROP":                               perhaps,
		`-m comment --comment "no one knows" -p tcp -j DROP`:        no,
		"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT":      no,
		"-m limit --limit 3/min -j LOG --log-prefix dropped":        perhaps,
		"-o ens18 -j DROP":                                          no,
		"-p udp -m multiport --dports 53,4789 -j DROP":              perhaps,
		"-p udp -m udp --dport 4789 -m mark --mark 0x1/0x1 -j DROP": perhaps,
	} {
		if got, _ := p.textRule(line); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// What the kernel, or somebody in its place, sends is read without a fault.
func FuzzRuleset(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 8, 0, 1, 0, 'f', 0, 0, 0, 8, 0, 3, 0, 'i', 'n', 0, 0})
	f.Add([]byte("0000\x05\x00000")) // an attribute that ends between words
	p := (&packet{in: true, iface: "ens18", proto: protoUDP, port: 4789}).build()
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		m := message{b[0], nested(b[4:])}
		c := parseChain(m)
		c.base, c.family = true, familyInet
		s := &ruleset{chains: []*chain{c}}
		s.addRule(message{familyInet, m.attrs})
		attrs := m.attrs
		for _, name := range []string{"immediate", "cmp", "meta", "payload", "bitwise", "range", "lookup", "match", "target", "ct", "fib"} {
			c.rules = append(c.rules, rule{{name, attrs}}, rule{{"meta", attrs}, {name, attrs}})
		}
		s.judge(p)
		s.sets = map[setName][]element{{familyInet, c.table, ""}: {{b, false}, {b[:2], true}}}
		s.judge(p)
		parseTables(string(b)).judge(p)
	})
}

// A chain that leads back to itself ends.
func TestChainsThatLeadBack(t *testing.T) {
	s := parseTables("*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n-A INPUT -j a\n-A a -j a\nCOMMIT\n")
	p := (&packet{in: true, iface: "ens18", proto: protoUDP, port: 4789}).build()
	if o := s.judge(p); o.fate != dropped {
		t.Errorf("%+v", o)
	}
	many := "*filter\n:INPUT ACCEPT [0:0]\n:a - [0:0]\n-A INPUT -j a\n" + strings.Repeat("-A a -j a\n", 20) + "-A a -j DROP\n"
	if o := parseTables(many).judge(p); o.fate == passes { // 20 to the power of 16 ways
		t.Errorf("%+v", o)
	}
	if !slices.ContainsFunc(s.chains, func(c *chain) bool { return c.name == "a" && !c.base }) {
		t.Errorf("%+v", s.chains)
	}
}
