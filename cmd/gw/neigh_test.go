package main

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vxgw/control"
)

const (
	leftSide, rightSide = 0, 3
	suppressing         = "ports: [veth1, veth2, veth3]\nneigh_suppress: true\nneigh_forward_grat: false\n" + neighFile
)

// Questions for neighbours are answered, kept from the tunnel and flooded as the kernel's bridge does it whose vxlan port has
// neigh_suppress on: at every end the same bytes.
func TestNeighSuppressLikeKernel(t *testing.T) {
	t.Parallel()
	b := newNeighBed(t)
	sllao := linkLayer(1, askerMAC)
	nonce := []byte{14, 1, 1, 2, 3, 4, 5, 6}
	tagged := func(tpa string) []byte {
		return slices.Insert(arpOf(everyone, askerMAC, 1, askerMAC, askerIP, tpa), 12, 0x81, 0, 0x60, 10)
	}
	cases := []struct {
		name   string
		frame  []byte
		where  string // which ends get something: the asker, the two others of its side, the far side
		kernel string // where kernels differ, and why: see docs/suppression.md
	}{
		{"ARP for a host behind the tunnel", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.99"), "1110", ""},
		{"padded", append(arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.99"), make([]byte, 18)...), "1110", ""},
		{"on behalf of another station", arpOf(everyone, askerMAC, 1, secondMAC, askerIP, "172.17.1.99"), "1110", ""},
		{"ARP for a host behind a port", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.98"), "0110", ""},
		{"ARP for a stranger", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.200"), "0111", ""},
		{"ARP for one whose MAC address is nowhere", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.96"), "0111", ""},
		{"ARP for a group", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "224.0.0.1"), "0111", ""},
		{"ARP for one's own address", arpOf(everyone, askerMAC, 1, askerMAC, askerIP, askerIP), "0110", ""},
		{"gratuitous ARP", arpOf(everyone, askerMAC, 2, askerMAC, askerIP, askerIP), "0110", ""},
		{"ARP probe", arpOf(everyone, askerMAC, 1, askerMAC, "0.0.0.0", "172.17.1.99"), "0110", "1110"},
		{"ARP reply to everyone", arpOf(everyone, askerMAC, 2, askerMAC, askerIP, "172.17.1.99"), "0111", ""},
		{"ARP to the host itself", arpOf(farNeigh, askerMAC, 1, askerMAC, askerIP, "172.17.1.99"), "0000", "1000"}, // which is none of these ends
		{"RARP", frameOf(everyone, askerMAC, 0x8035, arpOf(everyone, askerMAC, 3, askerMAC, "0.0.0.0", "0.0.0.0")[14:]), "0111", ""},
		{"ND for a host behind the tunnel", solicitation("fe80::99"), "1110", ""},
		{"ND for a router", solicitation("fe80::9a"), "1110", ""},
		{"ND without a link-layer address", ndOf(solicited6, askerMAC, askerIP6, "ff02::1:ff00:9", 135, 0, "fe80::99", nil), "1110", ""},
		{"ND with a nonce", ndOf(solicited6, askerMAC, askerIP6, "ff02::1:ff00:9", 135, 0, "fe80::99", append(nonce, sllao...)), "1110", ""},
		{"ND on behalf of another station", ndOf(solicited6, askerMAC, askerIP6, "ff02::1:ff00:9", 135, 0, "fe80::99", linkLayer(1, secondMAC)), "1110", ""},
		{"ND with a traffic class", solicitation("fe80::99", set(14, 0x6b, 0x8f, 0xff, 0xff)), "1110", ""},
		{"ND for a host behind a port", solicitation("fe80::98"), "0110", ""},
		{"ND for a stranger", solicitation("fe80::200"), "0111", ""},
		{"detection of duplicates", ndOf(solicited6, askerMAC, "::", "ff02::1:ff00:9", 135, 0, "fe80::99", nil), "0110", "1110"},
		{"advertisement that nobody asked for", ndOf(net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, askerMAC, askerIP6, "ff02::1", 136, 0x20, askerIP6, linkLayer(2, askerMAC)), "0110", ""},
		{"ND from beyond a router", solicitation("fe80::99", set(21, 254)), "0111", "1110"},
		{"ND with a wrong checksum", solicitation("fe80::99", set(56, 0, 0)), "0111", "1110"},
		{"ND with an option of no length", ndOf(solicited6, askerMAC, askerIP6, "ff02::1:ff00:9", 135, 0, "fe80::99", make([]byte, 8)), "0111", "0110"},
		{"ARP with a tag for a host without", tagged("172.17.1.99"), "0111", "1110"},
		{"ARP with a tag", tagged("172.17.1.97"), "1110", ""}, // answered without one by the kernel, which knows of no VLANs here
	}
	results := func(first int) (all [][4]string) {
		t.Helper()
		b.announce(first)
		for _, c := range cases {
			all = append(all, b.sentFrom(first, c.frame))
		}
		return all
	}
	kernel := results(rightSide)
	b.becomes(suppressing)
	gw := results(leftSide)
	s, last := b.gw.status(), len(cases)-1
	for i, c := range cases {
		if got := where(gw[i]); got != c.where {
			t.Errorf("%s: from gw it comes to %s, not to %s: %q", c.name, got, c.where, gw[i])
		}
		switch got := where(kernel[i]); {
		case got != c.where && got != c.kernel:
			t.Errorf("%s: from the kernel it comes to %s, not to %s: %q", c.name, got, c.where, kernel[i])
		case got == c.where && gw[i] != kernel[i] && i != last:
			t.Errorf("%s:\nfrom gw         %q\nfrom the kernel %q", c.name, gw[i], kernel[i])
		}
	}
	if !strings.HasPrefix(gw[last][0], "tag 24586 ") {
		t.Errorf("a question with a tag is answered with %q", gw[last][0])
	}
	n := s.VNIs[0].Neigh
	if n == nil || n.Entries < 7 || n.Answered != 10 || n.Suppressed != 7 {
		t.Errorf("the status says %+v", n)
	}
	if by, _, _ := verdicts(s); by["answered"] != n.Answered || by["suppressed"] != n.Suppressed {
		t.Errorf("verdicts %v", by)
	}
	// Announcements go into the tunnel unless that is switched off.
	b.becomes(strings.Replace(suppressing, "neigh_forward_grat: false\n", "", 1))
	for i, c := range cases {
		if strings.Contains("ARP for one's own address, gratuitous ARP, ARP probe, detection of duplicates, advertisement that nobody asked for", c.name) {
			if got := where(b.sentFrom(leftSide, c.frame)); got != "0111" {
				t.Errorf("%s (case %d) comes to %s", c.name, i, got)
			}
		}
	}
	// And everything does when nothing is suppressed any more.
	b.becomes("ports: [veth1, veth2, veth3]")
	if got := where(b.sentFrom(leftSide, cases[0].frame)); got != "0111" {
		t.Errorf("without neigh_suppress a question comes to %s", got)
	}
	if n := b.gw.status().VNIs[0].Neigh; n != nil {
		t.Errorf("without neigh_suppress the status says %+v", n)
	}
	checkVerdicts(t, b.gw)
	b.gw.stop()
}

// where says at which ends something arrived.
func where(ends [4]string) (got string) {
	for _, frames := range ends {
		got += strconv.Itoa(min(len(frames), 1))
	}
	return got
}

// neighLines is what gw neigh show prints.
func (g *vtep) neighLines(words ...string) string {
	g.t.Helper()
	return output(g.t, g.host, append([]string{"neigh", "show"}, words...)...)
}

// gw neigh speaks the words of ip-neighbour(8), and what it changes is what is answered next.
func TestNeighVerbs(t *testing.T) {
	t.Parallel()
	b := newNeighBed(t)
	h := b.gw.host
	do := func(line string) string { t.Helper(); return output(t, h, strings.Fields(line)...) }
	refuses(t, h, 1, "neigh add 172.17.1.9 lladdr 02:00:00:00:07:99 dev gw42", "neigh add 172.17.1.9", "neigh_suppress is off in gw42")
	if out := do("neigh show"); out != "" {
		t.Errorf("gw neigh show without neigh_suppress:\n%s", out)
	}
	b.becomes(suppressing)
	b.announce(leftSide)
	const file = `172.17.1.96 dev gw42 lladdr 02:00:00:00:07:96 PERMANENT
172.17.1.98 dev gw42 lladdr 02:00:00:00:07:98 PERMANENT
172.17.1.99 dev gw42 lladdr 02:00:00:00:07:99 PERMANENT
fe80::98 dev gw42 lladdr 02:00:00:00:07:98 PERMANENT
fe80::99 dev gw42 lladdr 02:00:00:00:07:99 PERMANENT
fe80::9a dev gw42 lladdr 02:00:00:00:07:99 router PERMANENT
172.17.1.97 dev gw42 vlan 10 lladdr 02:00:00:00:07:99 PERMANENT
`
	if out := do("neigh show nud permanent"); out != file {
		t.Errorf("gw neigh show:\n%swant\n%s", out, file)
	}
	question := arpOf(everyone, askerMAC, 1, askerMAC, askerIP, "172.17.1.9")
	asked := func() string { t.Helper(); return where(b.sentFrom(leftSide, question)) }
	for _, step := range []struct{ line, where, shown string }{
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:99 dev gw42", "1110", "172.17.1.9 dev gw42 lladdr 02:00:00:00:07:99 PERMANENT\n"},
		{"neigh replace to 172.17.1.9 dev gw42 lladdr 02:00:00:00:07:98 nud permanent", "0110", "172.17.1.9 dev gw42 lladdr 02:00:00:00:07:98 PERMANENT\n"},
		{"neigh replace 172.17.1.9 dev gw42 lladdr 02:00:00:00:07:99 extern_learn nud noarp", "1110", "172.17.1.9 dev gw42 lladdr 02:00:00:00:07:99 extern_learn NOARP\n"},
		{"neigh flush dev gw42", "1110", "172.17.1.9 dev gw42 lladdr 02:00:00:00:07:99 extern_learn NOARP\n"},
		{"neigh del 172.17.1.9 dev gw42", "0111", ""},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:99 dev gw42 nud reachable", "1110", "172.17.1.9 dev gw42 lladdr 02:00:00:00:07:99 REACHABLE\n"},
		{"neigh flush to 172.17.1.0/24", "0111", ""},
	} {
		do(step.line)
		if got, out := asked(), do("neigh show 172.17.1.9"); got != step.where || out != step.shown {
			t.Errorf("after gw %s a question comes to %s, want %s; shown\n%swant\n%s", step.line, got, step.where, out, step.shown)
		}
	}
	if out := do("neigh show nud permanent"); out != file {
		t.Errorf("gw neigh show:\n%swant\n%s", out, file)
	}
	for _, r := range []struct {
		line   string
		status int
		want   []string
	}{
		{"neigh add 172.17.1.99 lladdr 02:00:00:00:07:98 dev gw42", 1, []string{"neigh add 172.17.1.99: the entry exists: 172.17.1.99 dev gw42 lladdr 02:00:00:00:07:99 PERMANENT (use replace)"}},
		{"neigh del 172.17.1.9 dev gw42", 1, []string{"neigh del 172.17.1.9: no such entry in gw42"}},
		{"neigh add 224.0.0.1 lladdr 02:00:00:00:07:98 dev gw42", 2, []string{"224.0.0.1 is no address of a host"}},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:98 dev veth1", 1, []string{"veth1 is a port, and neighbours are a VNI's (say dev gw42)"}},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:98 dev gw43", 1, []string{"gw43 is neither a VNI nor a port"}},
		{"neigh show dev gw43", 1, []string{"neigh show: gw43 is neither a VNI nor a port"}},
		{"neigh add 172.17.1.9 lladdr 03:00:00:00:07:98 dev gw42", 2, []string{"is not a unicast MAC address"}},
		{"neigh add 172.17.1.9 dev gw42", 2, []string{"lladdr is missing"}},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:98", 2, []string{"dev is missing"}},
		{"neigh add lladdr 02:00:00:00:07:98 dev gw42", 2, []string{"which address?"}},
		{"neigh add 172.17.1 lladdr 02:00:00:00:07:98 dev gw42", 2, []string{`address "172.17.1" is not an IP address`}},
		{"neigh add proxy 172.17.1.9 dev gw42", 2, []string{"proxy is not supported"}},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:98 dev gw42 nud stale", 2, []string{"nud stale is unknown"}},
		{"neigh add 172.17.1.9 lladdr 02:00:00:00:07:98 dev gw42 vlan 4095", 2, []string{"out of range (1-4094)"}},
		{"neigh show everything", 2, []string{`"everything" is no address and no prefix`}},
		{"neigh show nud dreaming", 2, []string{"nud dreaming is unknown"}},
		{"neigh flush", 2, []string{"which ones?"}},
		{"neigh ad", 2, []string{"did you mean gw neigh add?"}},
	} {
		refuses(t, h, r.status, r.line, r.want...)
	}
	// What is entered by hand stays over a reload that does not name it; what the file names is as the file says.
	do("neigh add 172.17.1.8 lladdr 02:00:00:00:07:99 dev gw42")
	do("neigh replace 172.17.1.99 lladdr 02:00:00:00:07:98 dev gw42")
	do("neigh del fe80::9a dev gw42")
	b.becomes(strings.Replace(suppressing, `- {ip: 172.17.1.96, mac: "02:00:00:00:07:96"}`+"\n", "", 1))
	want := "172.17.1.8 dev gw42 lladdr 02:00:00:00:07:99 PERMANENT\n" + strings.SplitAfterN(file, "\n", 2)[1]
	if out := do("neigh show nud permanent"); out != want {
		t.Errorf("after a reload:\n%swant\n%s", out, want)
	}
	var all []control.Neighbour
	must(t, json.Unmarshal([]byte(do("neigh show fe80::/10 nud permanent -j")), &all))
	if len(all) != 3 || all[2].Dst.String() != "fe80::9a" || !all[2].Router || all[2].VNI != 42 || all[2].LLAddr != "02:00:00:00:07:99" || fmt.Sprint(all[2].State) != "[PERMANENT]" {
		t.Errorf("gw neigh show -j: %+v", all)
	}
	if out := do("vni show 42"); !strings.Contains(out, "  suppress,announcements  all") {
		t.Errorf("gw vni show:\n%s", out)
	}
	do("neigh flush dev gw42 nud all")
	if out := do("neigh show dev gw42 nud permanent"); out != "" {
		t.Errorf("after gw neigh flush nud all:\n%s", out)
	}
	b.gw.stop()
}
