package vxlan

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func goodConfig() TemplateConfig {
	return TemplateConfig{
		SrcMAC: [6]byte{2, 0, 0, 0, 0xa, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0xb, 1},
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
		DstPort: Port, SrcPorts: [2]uint16{50000, 50000}, TTL: 64, TOS: 0xb8,
	}
}

func mustTemplate(t testing.TB, cfg TemplateConfig) *Template {
	t.Helper()
	tmpl, err := NewTemplate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &tmpl
}

func TestTemplateFillsOneCacheLine(t *testing.T) {
	if n := reflect.TypeFor[Template]().Size(); n != 64 {
		t.Errorf("%d bytes", n)
	}
}

func TestPutGolden(t *testing.T) {
	want := outerGolden()
	pkt, check := guarded(t, want)
	clear(pkt[:Overhead])
	cfg := goodConfig()
	cfg.SrcPorts = [2]uint16{0xc001, 0xc001}
	tmpl := mustTemplate(t, cfg)
	if got := tmpl.TTL(); got != 64 {
		t.Errorf("TTL %d, want 64", got)
	}
	tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, 0x123456, MakeFlow(0, 0x21, false), 0xbeef)
	check()
	if diff := cmp.Diff(want, pkt); diff != "" {
		t.Error(diff)
	}
}

func TestPutDF(t *testing.T) {
	cfg := goodConfig()
	cfg.DF = true
	pkt := make([]byte, Overhead)
	mustTemplate(t, cfg).Put((*[Overhead]byte)(pkt), 0, 1, 0, 99)
	if diff := cmp.Diff(unhex("0000 4000"), pkt[18:22]); diff != "" {
		t.Errorf("ID and flags: %s", diff)
	}
	cfg.DF = false
	mustTemplate(t, cfg).Put((*[Overhead]byte)(pkt), 0, 1, 0, 99)
	PutInherit(pkt, 3, false)
	if diff := cmp.Diff(unhex("0063 0000 03 11"), pkt[18:24]); diff != "" {
		t.Errorf("ID, flags, TTL, protocol: %s", diff)
	}
	if slowSum(pkt[14:34]) != 0xffff {
		t.Error("header checksum wrong")
	}
}

// Of all packets that differ in one word, one sums up to a checksum of 0, which would mean none.
func TestPutChecksumNeverZero(t *testing.T) {
	tmpl := mustTemplate(t, goodConfig())
	pkt := make([]byte, Overhead+2)
	zero := false
	for i := range 1 << 16 {
		pkt[Overhead], pkt[Overhead+1] = byte(i>>8), byte(i)
		tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, 42, 0, 1)
		PutChecksum(pkt)
		pseudo := join(pkt[26:34], []byte{0, 17}, pkt[38:40])
		if slowSum(pseudo, pkt[34:]) != 0xffff || pkt[40] == 0 && pkt[41] == 0 {
			t.Fatalf("payload %#x: checksum %x", i, pkt[40:42])
		}
		zero = zero || pkt[40] == 0xff && pkt[41] == 0xff
	}
	if !zero {
		t.Error("no payload had a sum of all ones")
	}
}

func TestNewTemplateRefuses(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::7")
	for _, c := range []struct {
		name   string
		change func(*TemplateConfig)
		want   string
	}{
		{"no source", func(c *TemplateConfig) { c.Src = netip.Addr{} }, "address missing"},
		{"no remote", func(c *TemplateConfig) { c.Dst = netip.Addr{} }, "address missing"},
		{"IPv6 source", func(c *TemplateConfig) { c.Src = v6 }, "one is IPv4, the other IPv6"},
		{"IPv6 remote", func(c *TemplateConfig) { c.Dst = v6 }, "one is IPv4, the other IPv6"},
		{"source 0.0.0.0", func(c *TemplateConfig) { c.Src = netip.IPv4Unspecified() }, "0.0.0.0 is no host's address"},
		{"remote 0.0.0.0", func(c *TemplateConfig) { c.Dst = netip.IPv4Unspecified() }, "0.0.0.0 is no host's address"},
		{"multicast source", func(c *TemplateConfig) { c.Src = netip.MustParseAddr("224.1.1.1") }, "not a unicast source"},
		{"port 0", func(c *TemplateConfig) { c.DstPort = 0 }, "destination port 0"},
		{"TTL 0", func(c *TemplateConfig) { c.TTL = 0 }, "TTL 0"},
	} {
		cfg := goodConfig()
		c.change(&cfg)
		if _, err := NewTemplate(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func TestNewTemplateMapped(t *testing.T) {
	cfg := goodConfig()
	plain := mustTemplate(t, cfg)
	cfg.Src, cfg.Dst = netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.2")
	if *mustTemplate(t, cfg) != *plain {
		t.Error("IPv4 mapped into IPv6 makes another template")
	}
}

// sourcePort is what packets of a flow get as their source port.
func sourcePort(t *testing.T, hash uint32, lo, hi uint16) uint16 {
	cfg := goodConfig()
	cfg.SrcPorts = [2]uint16{lo, hi}
	var h [Overhead]byte
	mustTemplate(t, cfg).Put(&h, 0, 1, MakeFlow(hash, 0, false), 0)
	return binary.BigEndian.Uint16(h[34:])
}

// The source ports of many flows fill every bucket evenly, by chi-square, also for flows that differ in one address or port only.
func TestSourcePortSpread(t *testing.T) {
	const buckets, flows = 256, 1 << 16
	for name, flow := range map[string]func(int) uint32{
		"ports":     func(i int) uint32 { return hash4(0x0a000001_0a000002, uint32(i), 6) },
		"addresses": func(i int) uint32 { return hash4(0x0a000001_0a000000+uint64(i), 80, 6) },
		"IPv6":      func(i int) uint32 { return hash6(1<<63, uint64(i), 1<<63, 2, 80, 6) },
		"MACs":      func(i int) uint32 { return hashMAC(0x020000000001, 0x020000000000+uint64(i), 0x0806) },
	} {
		for _, r := range [][2]uint16{{49152, 65535}, {0, 65535}, {1000, 1255}} {
			var count [buckets]int
			width := (int(r[1]) - int(r[0]) + 1) / buckets
			for i := range flows {
				port := sourcePort(t, flow(i), r[0], r[1])
				if port < r[0] || port > r[1] {
					t.Fatalf("%s: port %d outside %v", name, port, r)
				}
				count[int(port-r[0])/width]++
			}
			chi := 0.0
			for _, n := range count {
				d := float64(n) - flows/buckets
				chi += d * d / (flows / buckets)
			}
			// 255 degrees of freedom: mean 255, standard deviation 22.6.
			if chi < 255-5*22.6 || chi > 255+5*22.6 {
				t.Errorf("%s over %v: chi-square %.0f", name, r, chi)
			}
		}
	}
}

func TestSourcePortEnds(t *testing.T) {
	for _, c := range []struct {
		hash         uint32
		lo, hi, want uint16
	}{
		{0, 49152, 65535, 49152}, {1<<32 - 1, 49152, 65535, 65535},
		{0, 0, 65535, 0}, {1<<32 - 1, 0, 65535, 65535},
		{0, 7, 7, 7}, {1<<32 - 1, 7, 7, 7},
		{1<<31 - 1, 1, 2, 1}, {1 << 31, 1, 2, 2},
	} {
		if got := sourcePort(t, c.hash, c.lo, c.hi); got != c.want {
			t.Errorf("%#x over %d-%d: %d, want %d", c.hash, c.lo, c.hi, got, c.want)
		}
	}
}
