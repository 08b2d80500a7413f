package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filters are those that tcpdump knows, too.
var filters = strings.Split(strings.TrimSpace(`
host 172.17.1.2
host 172.17.1.2 or 10.0.0.1
src host 10.0.0.1
dst 192.168.7.9
src 10.0.0.1 and dst 192.168.7.9
src or dst host 10.0.0.1
src and dst host 10.0.0.1
dst or src 10.0.0.1
host 2001:db8::1
src 2001:db8::1
ip6 host 2001:db8::1
ip host 10.0.0.1
arp host 172.17.1.2
arp dst host 172.17.1.3
rarp host 10.0.0.1
rarp
net 10.0.0.0/8
net 10
net 192.168
src net 172.17.1
dst net 192.168.7.0 mask 255.255.255.0
net 0.0.0.0/0
net 2001:db8::/32
src net 2001:db8::/48
dst net 2001:db8:0:1::/64
ip6 net fe80::/10
port 80
port 53
src port 53
dst port 53
udp port 53
tcp port 80 or 443
tcp dst port 80
tcp src port (80 or 443)
port http
udp port domain
port domain
port http or domain
portrange 50-60
tcp portrange 80-443
src portrange 40000-50000
port 4789
sctp port 80
ip
ip6
arp
icmp
icmp6
tcp
udp
sctp
igmp
ip proto 47
ip proto \tcp
ip6 proto 17
ip6 proto 58
ip proto \icmp
proto 17
proto \udp
ether proto 0x88b5
ether proto \arp
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:01
ether src 2:0:0:0:0:1
ether dst host 02:00:00:00:00:01
ether src 02:00:00:00:00:01 or 02:00:00:00:00:02
ether broadcast
broadcast
ether multicast
multicast
ip multicast
ip6 multicast
vlan
vlan 100
vlan 100 and icmp
vlan and arp
vlan and not vlan
vlan and vlan 100
vlan and vlan 100 and host 172.17.1.2
icmp or vlan 100 and icmp
not vlan
(vlan 100 or ip) and icmp
vlan and host 172.17.1.3
vlan 100 and tcp port 80
greater 100
less 60
greater 60 and less 100
not arp
! arp
not not arp
not tcp port 80
not host 10.0.0.1
tcp or udp and port 53
tcp or (udp and port 53)
(tcp or udp) and not port 53
icmp || arp && host 10.0.0.1
host 10.0.0.1 and not (tcp port 80 or 443)
not (icmp or arp)
ip and not tcp and not udp
src 10.0.0.1 or 192.168.7.9 and udp
udp and not port 4789 and not port 53
ether host 02:00:00:00:00:02 and ip6
`), "\n")

// Each filter chooses of each packet what tcpdump chooses.
func TestAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must not skip this: apt-get install tcpdump")
		}
		t.Skip("needs tcpdump (apt-get install tcpdump)")
	}
	all := packets()
	file := filepath.Join(t.TempDir(), "packets.pcap")
	if err := os.WriteFile(file, pcap(all), 0o644); err != nil {
		t.Fatal(err)
	}
	chosen := 0
	for _, f := range filters {
		t.Run(f, func(t *testing.T) {
			p, err := Parse(f)
			if err != nil {
				t.Fatal(err)
			}
			var have []int
			for i, frame := range all {
				if p.Match(frame, false) {
					have = append(have, i)
				}
			}
			chosen += len(have)
			if want := askTcpdump(t, file, f); !slices.Equal(have, want) {
				for i, frame := range all {
					if slices.Contains(have, i) != slices.Contains(want, i) {
						t.Errorf("chosen %v, by tcpdump %v: packet %d, %x", slices.Contains(have, i), slices.Contains(want, i), i, frame[:min(60, len(frame))])
					}
				}
			}
		})
	}
	if chosen == 0 {
		t.Error("nothing was chosen")
	}
}

// askTcpdump returns the numbers of the packets in file that tcpdump chooses.
func askTcpdump(t *testing.T, file, filter string) (chosen []int) {
	t.Helper()
	c := exec.Command("tcpdump", "-Z", "root", "-r", file, "-w", "-", filter)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tcpdump %s: %v: %s", filter, err, &errs)
	}
	for b := out[min(24, len(out)):]; len(b) >= 16; b = b[16+binary.LittleEndian.Uint32(b[8:]):] {
		chosen = append(chosen, int(binary.LittleEndian.Uint32(b)))
	}
	return chosen
}

// pcap is a file of packets, each with its number for a time in seconds.
func pcap(packets [][]byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	for _, v := range []uint32{0, 0, 1 << 18, 1} {
		b = le.AppendUint32(b, v)
	}
	for i, p := range packets {
		for _, v := range []int{i, 0, len(p), len(p)} {
			b = le.AppendUint32(b, uint32(v))
		}
		b = append(b, p...)
	}
	return b
}

// What tcpdump of some years ago does not know: VXLAN.
func TestVXLAN(t *testing.T) {
	other := slices.Clone(tunnel4)
	other[36], other[37] = 0x21, 0x18 // 8472
	for _, c := range []struct {
		filter   string
		frame    []byte
		underlay bool
		want     bool
	}{
		{"vxlan", tunnel4, false, true},
		{"vxlan", tunnel6, true, true},
		{"vxlan", ping, true, false},
		{"vxlan", tag(3, tunnel4), false, true},
		{"vxlan", other, false, false},
		{"vxlan", other, true, true},
		{"vxlan 42", tunnel4, true, true},
		{"vxlan 43", tunnel4, true, false},
		{"vni 42", tunnel4, true, true},
		{"vni 43 or icmp", tunnel4, true, false},
		{"vni 42 and host 10.65.132.187", tunnel4, true, true},
		{"vxlan 42 and icmp", tunnel4, true, true},
		{"vxlan 42 and host 172.17.1.2", tunnel4, true, true},
		{"vxlan 42 and host 10.65.132.187", tunnel4, true, false},
		{"host 10.65.132.187 and vxlan and icmp", tunnel4, true, true},
		{"not vxlan", ping, true, true},
		{"vxlan or icmp", ping, true, false},
		{"not (vxlan and icmp)", ping, true, true},
		{"vxlan and vlan 7 and icmp", tunnel6, true, true},
		{"vxlan and icmp", tunnel6, true, false},
		{"vlan and vxlan and icmp", tag(9, tunnel4), true, true},
		{"icmp", tunnel4, true, false},
		{"inner icmp", tunnel4, true, true},
		{"inner icmp", ping, false, true},
		{"inner icmp", tag(100, ping), false, false},
		{"inner (vlan 7 and host 172.17.1.3)", tunnel6, true, true},
		{"inner (vlan 7 and icmp) and ip6", tunnel6, true, true},
		{"inner not icmp", tunnel4, true, false},
		{"inner host 172.17.1.2 and udp", tunnel4, true, true},
		{"vlan and inner icmp", tag(9, tunnel4), true, true},
	} {
		p, err := Parse(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := p.Match(c.frame, c.underlay); got != c.want {
			t.Errorf("%s of %x, underlay %v: %v", c.filter, c.frame[:60], c.underlay, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"foo", `filter: "foo" at character 1: not known (a test begins with a word such as host, net, port, tcp, ether or vlan)`},
		{"host 10.0.0.1 and foo", `filter: "foo" at character 19: not known (a test begins with a word such as host, net, port, tcp, ether or vlan)`},
		{"host example.org", `filter: "example.org" at character 6: no IP address, and names are not looked up`},
		{"host 02:00:00:00:00:01", `filter: "02:00:00:00:00:01" at character 6: a hardware address wants ether in front: ether host 02:00:00:00:00:01`},
		{"host 10.1", `filter: "10.1" at character 6: no address (net 10.1.0.0/16 is a network)`},
		{"host 10.0.0.01", `filter: "10.0.0.01" at character 6: no IP address, and names are not looked up`},
		{"net 010", `filter: "010" at character 5: no network, such as 10.0.0.0/8`},
		{"host", `filter: what to test for is missing (at its end, character 5)`},
		{"tcp and", `filter: something to test for is missing (at its end, character 8)`},
		{"(tcp", `filter: a ) is missing (at its end, character 5)`},
		{"tcp)", `filter: ")" at character 4: expected and, or, or the end`},
		{"tcp udp", `filter: "udp" at character 5: expected and, or, or the end`},
		{"port 70000", `filter: "70000" at character 6: no port: a number from 0 to 65535, or a name of /etc/services`},
		{"icmp port 80", `filter: "80" at character 11: icmp has no ports`},
		{"net 10.0.0.1/8", `filter: "10.0.0.1/8" at character 5: bits are set behind the network's: 10.0.0.0/8 is meant?`},
		{"net 10.0.0.0/33", `filter: "10.0.0.0/33" at character 5: the length of a prefix is a number from 0 to 32`},
		{"net 10.0.0.0 mask 255.0.255.0", `filter: "255.0.255.0" at character 19: a mask is ones, and then zeros`},
		{"ip host 2001:db8::1", `filter: "2001:db8::1" at character 9: is not an address of ip`},
		{"tcp host 10.0.0.1", `filter: "10.0.0.1" at character 10: is not an address of tcp`},
		{"vlan 5000", `filter: "5000" at character 6: a number from 0 to 4095 is expected`},
		{"vni", `filter: a number from 0 to 16777215 is expected (at its end, character 4)`},
		{"greater x", `filter: "x" at character 9: a number from 0 to 4294967295 is expected`},
		{"len >= 0", `filter: ">" at character 5: comparisons of bytes are not known here`},
		{"ip[0] & 1 != 0", `filter: "[" at character 3: comparisons of bytes are not known here`},
		{"ether", `filter: after ether one of host, src, dst, proto, broadcast and multicast is expected (at its end, character 6)`},
		{"ip broadcast", `filter: "broadcast" at character 4: is not known of ip`},
		{"ether proto 5", `filter: "5" at character 13: no EtherType: ip, ip6, arp, rarp or a number above 1500`},
		{"src or port 5", `filter: "port" at character 8: dst is expected`},
		{"tcp ü", `filter: "ü" at character 5: no part of a word`},
		{strings.Repeat("tcp or ", 300) + "tcp", `filter: "tcp" at character 1793: a filter has at most 512 words`},
	} {
		if _, err := Parse(c.filter); err == nil || err.Error() != c.want {
			t.Errorf("%.60s:\n got %v\nwant %s", c.filter, err, c.want)
		}
	}
}

// No filter and no frame make it panic, and looking at a frame allocates nothing.
func FuzzFilter(f *testing.F) {
	for i, text := range filters {
		f.Add(text, packets()[i%len(packets())])
	}
	f.Add("inner (vxlan 42 and vlan 3 and host 2001:db8::1) or vni 7", tunnel6)
	f.Fuzz(func(t *testing.T, text string, frame []byte) {
		p, err := Parse(text)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Position < 1 || e.Position > len(text)+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, underlay := range []bool{false, true} {
			if n := testing.AllocsPerRun(1, func() { p.Match(frame, underlay) }); n != 0 {
				t.Fatalf("%q: %v allocations", text, n)
			}
		}
		root, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, underlay := range []bool{false, true} {
			if root != nil && p.Match(frame, underlay) != (root.eval(frame, underlay) == yes) {
				t.Fatalf("%q: its steps and its tree differ about %x, underlay %v", text, frame, underlay)
			}
		}
		if not, err := Parse("not (" + text + ")"); err == nil && !p.All() && not.Match(frame, true) && p.Match(frame, true) {
			t.Fatalf("%q and its contrary choose %x", text, frame)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, text := range []string{"", "vni 43", "host 172.17.1.9", "inner host 172.17.1.9 and tcp port 80"} {
		b.Run(fmt.Sprintf("%q", text), func(b *testing.B) {
			p, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Match(tunnel4, true)
			}
		})
	}
}
