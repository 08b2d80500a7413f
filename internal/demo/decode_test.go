package demo

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// Packets of the article's kind, with what tcpdump -n prints for them. Checksums are left zero: nobody reads them.
const (
	ether   = "0a0000000002 0a0000000001 0800"
	outerIP = "4500%LEN%0000 4000 40 11 0000 0a4184bb 0a4184bc"
	udp     = "850e 12b5 0000 0000"
	vxlan42 = "08000000 00002a00"

	arpAsk    = "ffffffffffff c2a14e567deb 0806 0001 0800 06 04 0001 c2a14e567deb ac110102 000000000000 ac110103"
	arpAnswer = "c2a14e567deb 3a8439cc0593 0806 0001 0800 06 04 0002 3a8439cc0593 ac110103 c2a14e567deb ac110102"
	echoAsk   = "3a8439cc0593 c2a14e567deb 0800 4500%LEN%0000 4000 40 01 0000 ac110102 ac110103 0800 0000 646b 0001 6869"
	echoTell  = "c2a14e567deb 3a8439cc0593 0800 4500%LEN%0000 0000 40 01 0000 ac110103 ac110102 0000 0000 646b 0001 6869"
)

// wireBytes makes bytes of hex digits; each %LEN% becomes the number of bytes from its IP header to the end.
func wireBytes(text string) []byte {
	digits := strings.Join(strings.Fields(strings.ReplaceAll(text, "%LEN%", "ffff")), "")
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	for i := 0; i+4 <= len(b); i++ {
		if binary.BigEndian.Uint32(b[i:]) == 0x4500ffff {
			binary.BigEndian.PutUint16(b[i+2:], uint16(len(b)-i))
		}
	}
	return b
}

func TestDecode(t *testing.T) {
	const outer = "IP 10.65.132.187.34062 > 10.65.132.188.vxlan: VXLAN, flags [I] (0x08), vni 42"
	tunnel := ether + outerIP + udp + vxlan42
	for _, tc := range []struct {
		name, frame    string
		outer, content string
		inner          kind
	}{
		{"arp request", tunnel + arpAsk, outer, "ARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 28", arpRequest},
		{"arp reply", tunnel + arpAnswer, outer, "ARP, Reply 172.17.1.3 is-at 3a:84:39:cc:05:93, length 28", arpReply},
		{"arp, padded", tunnel + arpAsk + strings.Repeat("00", 18), outer, "ARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 46", arpRequest},
		{"arp, reverse", tunnel + strings.Replace(arpAsk, "06 04 0001", "06 04 0003", 1), outer, "ARP, operation 3, length 28", other},
		{"arp, not ethernet", tunnel + strings.Replace(arpAsk, "0806 0001", "0806 0006", 1), outer, "ARP, length 28", other},
		{"arp, cut", tunnel + arpAsk[:60], outer, "ARP, length 12", other},
		{"echo request", tunnel + echoAsk, outer, "IP 172.17.1.2 > 172.17.1.3: ICMP echo request, id 25707, seq 1, length 10", echoRequest},
		{"echo reply", tunnel + echoTell, outer, "IP 172.17.1.3 > 172.17.1.2: ICMP echo reply, id 25707, seq 1, length 10", echoReply},
		{"unreachable", tunnel + strings.Replace(echoAsk, "0800 0000", "0301 0000", 1), outer, "IP 172.17.1.2 > 172.17.1.3: ip-proto-1, length 10", other},
		{"fragment", tunnel + strings.Replace(echoAsk, "4000 40", "2000 40", 1), outer, "IP 172.17.1.2 > 172.17.1.3: ip-proto-1, length 10", other},
		{"udp inside", tunnel + strings.Replace(echoAsk, "40 01", "40 11", 1), outer, "IP 172.17.1.2 > 172.17.1.3: ip-proto-17, length 10", other},
		{"ip, version", tunnel + strings.Replace(echoAsk, "0800 4500%LEN%", "0800 65000000", 1), outer, "[|ip]", other},
		{"ip, long", tunnel + strings.Replace(echoAsk, "%LEN%", "0040", 1), outer, "[|ip]", other},
		{"ipv6 inside", tunnel + "333300000016 c2a14e567deb 86dd 6000", outer, "ethertype 0x86dd, length 2", other},
		{"no inner frame", tunnel + "3333", outer, "[|ether]", other},
		{"no VNI", ether + outerIP + udp + "00000000 00002a00" + arpAsk, strings.Replace(outer, "[I] (0x08)", "[.] (0x00)", 1), "ARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 28", arpRequest},
		{"options", ether + "4600 0054 0000 4000 40 11 0000 0a4184bb 0a4184bc 01010101" + udp + vxlan42 + strings.ReplaceAll(arpAsk, " ", ""), outer, "ARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 28", arpRequest},
		{"igmp", ether + "4500%LEN%0000 4000 01 02 0000 0a4184bb e0000016" + "2200 0000 0000 0001 04000000 e0010101", "IP 10.65.132.187 > 224.0.0.22: igmp v3 report, 1 group record(s)", "", igmpReport},
	} {
		t.Run(tc.name, func(t *testing.T) {
			frame := wireBytes(tc.frame)
			if tc.name == "options" {
				binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14))
			}
			p, ok := decode(frame)
			if !ok || p.outer != tc.outer || p.content != tc.content || p.inner != tc.inner {
				t.Errorf("decode: %v %+v\nwant %q\n     %q %d", ok, p, tc.outer, tc.content, tc.inner)
			}
			if p.vxlan != (tc.inner != igmpReport) || p.length != len(frame)-14 {
				t.Errorf("vxlan %v, length %d of %d", p.vxlan, p.length, len(frame)-14)
			}
		})
	}
}

// What is not VXLAN or IGMP, and every truncation, is left alone.
func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{
		arpAsk,
		ether + outerIP + "850e 0035 0000 0000" + vxlan42 + arpAsk,                                  // UDP to another port
		ether + strings.Replace(outerIP, "4000", "2000", 1) + udp + vxlan42 + arpAsk,                // a fragment
		ether + strings.Replace(outerIP, "40 11", "40 06", 1) + udp + vxlan42 + arpAsk,              // TCP
		strings.Replace(ether, "0800", "86dd", 1) + outerIP + udp + vxlan42,                         // IPv6
		ether + "4500%LEN%0000 4000 01 02 0000 0a4184bb e0000001" + "1164 0000 00000000 02 7d 0000", // an IGMP query
	} {
		if p, ok := decode(wireBytes(text)); ok {
			t.Errorf("%s: %+v", text, p)
		}
	}
	whole := wireBytes(ether + outerIP + udp + vxlan42 + arpAsk)
	for n := range whole {
		if p, ok := decode(whole[:n]); ok {
			t.Errorf("the first %d bytes: %+v", n, p)
		}
	}
}

func TestDecodeKeepsAddresses(t *testing.T) {
	p, _ := decode(wireBytes(ether + "4500%LEN%0000 0000 01 11 0000 0a4184bd e0010101" + udp + vxlan42 + arpAsk))
	got := []any{p.src.String(), p.dst.String(), p.ttl, p.from.String(), p.to.String()}
	if d := cmp.Diff([]any{"10.65.132.189", "224.1.1.1", uint8(1), "172.17.1.2", "172.17.1.3"}, got); d != "" {
		t.Error(d)
	}
	for _, content := range []string{arpAnswer, echoTell} {
		p, _ := decode(wireBytes(ether + outerIP + udp + vxlan42 + content))
		if p.from.String() != "172.17.1.3" || p.to.String() != "172.17.1.2" {
			t.Errorf("%s: from %s to %s", p.content, p.from, p.to)
		}
	}
}

// Whatever comes: no panic, one printable line each, and the same for what lies behind the IP packet.
func FuzzDecode(f *testing.F) {
	for _, inner := range []string{arpAsk, arpAnswer, echoAsk, echoTell, "3333"} {
		f.Add(wireBytes(ether + outerIP + udp + vxlan42 + inner))
	}
	f.Add(wireBytes(ether + "4500%LEN%0000 4000 01 02 0000 0a4184bb e0000016" + "2200 0000 0000 0001"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, ok := decode(frame)
		if !ok {
			return
		}
		for _, line := range []string{p.outer, p.content} {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("not one printable line: %q", line)
			}
		}
		if p.outer == "" || p.vxlan == (p.content == "") || p.length > len(frame)-14 {
			t.Errorf("%+v", p)
		}
		padded, ok := decode(append(frame[:len(frame):len(frame)], 1, 2, 3))
		if !ok || padded != p {
			t.Errorf("with padding: %+v, without: %+v", padded, p)
		}
	})
}
