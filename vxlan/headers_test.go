package vxlan

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func config6() TemplateConfig {
	cfg := goodConfig()
	cfg.Src, cfg.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	return cfg
}

func mustHeaders(t testing.TB, cfg TemplateConfig) *Headers {
	t.Helper()
	h, err := NewHeaders(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &h
}

// slowHeaders builds outer headers field by field. All that the inner frame says is in the arguments.
func slowHeaders(cfg TemplateConfig, frame []byte, vni uint32, tos uint8, label uint32, df bool, ttl uint8, port, id int, sum bool) []byte {
	src, dst := cfg.Src.Unmap().AsSlice(), cfg.Dst.Unmap().AsSlice()
	var tag []byte
	if cfg.Tag != 0 {
		tag = []byte{byte(cfg.Tag >> 24), byte(cfg.Tag >> 16), byte(cfg.Tag >> 8), byte(cfg.Tag)}
	}
	u := join(be16(port), be16(int(cfg.DstPort)), be16(16+len(frame)), be16(0),
		[]byte{8, 0, 0, 0, byte(vni >> 16), byte(vni >> 8), byte(vni), 0}, frame)
	if sum {
		check := ^slowSum(src, dst, []byte{0, 17}, be16(len(u)), u)
		if check == 0 {
			check = 0xffff
		}
		copy(u[6:], be16(int(check)))
	}
	var ip []byte
	typ := "0800"
	if len(src) == 16 {
		typ = "86dd"
		ip = join([]byte{0x60 | tos>>4, tos<<4 | byte(label>>16), byte(label >> 8), byte(label)}, be16(len(u)), []byte{17, ttl}, src, dst)
	} else {
		flags := 0
		if df {
			flags, id = 0x4000, id*0
		}
		ip = join([]byte{0x45, tos}, be16(20+len(u)), be16(id), be16(flags), []byte{ttl, 17, 0, 0}, src, dst)
		copy(ip[10:], be16(int(^slowSum(ip))))
	}
	return join(cfg.DstMAC[:], cfg.SrcMAC[:], tag, unhex(typ), ip, u)
}

// Headers of every length against headers that are built field by field.
func TestHeadersAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	lengths := map[int]bool{}
	for range 4000 {
		cfg := goodConfig()
		if r.IntN(2) == 0 {
			cfg = config6()
			cfg.LabelFrom = LabelFrom(r.IntN(3))
			if cfg.LabelFrom == LabelFixed {
				cfg.Label = r.Uint32() & labelMask
			}
		} else {
			cfg.DF = r.IntN(2) == 0
		}
		if r.IntN(2) == 0 {
			cfg.Tag = 0x81000000 | r.Uint32()&0xffff
		}
		cfg.TTL, cfg.TOS, cfg.InheritTOS = uint8(1+r.IntN(255)), uint8(r.Uint32()), r.IntN(2) == 0
		frame := ether("0806", random(r, r.IntN(60)))
		label := uint32(0)
		if r.IntN(2) == 0 {
			label = r.Uint32() & labelMask
			frame = ether("86dd", ip6(17, udp(7, random(r, r.IntN(60)))))
			frame[15], frame[16], frame[17] = byte(label>>16), byte(label>>8), byte(label)
			if r.IntN(2) == 0 {
				frame = join(frame[:12], unhex("8100 0007"), frame[12:])
			}
		}
		inner, hash, id, vni := uint8(r.Uint32()), r.Uint32(), uint16(r.Uint32()), r.Uint32()>>8
		tos := inner
		if !cfg.InheritTOS {
			tos = cfg.TOS&0xfc | inner&3
		}
		switch cfg.LabelFrom {
		case LabelFixed:
			label = cfg.Label
		case LabelFlow:
			label = hash & labelMask
		}
		if r.IntN(3) == 0 {
			cfg.VNI = 1 + r.Uint32()>>9
		}
		h := mustHeaders(t, cfg)
		if h.TTL() != cfg.TTL || h.Six() != cfg.Dst.Is6() || h.Plain() != (!h.Six() && cfg.Tag == 0 && cfg.VNI == 0) {
			t.Fatalf("%+v: TTL %d, six %v, plain %v", cfg, h.TTL(), h.Six(), h.Plain())
		}
		ttl, df, sum := cfg.TTL, cfg.DF, r.IntN(2) == 0
		pkt, check := guarded(t, join(bytes.Repeat([]byte{0x5a}, h.Len()), frame))
		h.Put(pkt, vni, MakeFlow(hash, inner, false), id)
		if r.IntN(2) == 0 {
			ttl, df = uint8(1+r.IntN(255)), true
			h.PutInherit(pkt, ttl, true)
			if cfg.DF {
				id = 0
			}
		} else if df {
			id = 0
		}
		if sum {
			h.PutChecksum(pkt)
		}
		check()
		if cfg.VNI != 0 {
			vni = cfg.VNI
		}
		want := slowHeaders(cfg, frame, vni, tos, label, df, ttl, 50000, int(id), sum)
		if df && !cfg.DF && cfg.Dst.Is4() { // PutInherit keeps the ID
			l3 := h.L3()
			copy(want[l3+4:], be16(int(id)))
			copy(want[l3+10:], be16(0))
			copy(want[l3+10:], be16(int(^slowSum(want[l3:l3+20]))))
		}
		if diff := cmp.Diff(want, pkt); diff != "" {
			t.Fatalf("%+v:\n%s", cfg, diff)
		}
		if h.Taken() != h.Len()-h.L3() {
			t.Fatalf("%d bytes from %d on, %d taken", h.Len(), h.L3(), h.Taken())
		}
		lengths[h.Len()] = true
	}
	want := map[int]bool{Overhead: true, Overhead + 4: true, Overhead6: true, MaxOverhead: true}
	if diff := cmp.Diff(want, lengths); diff != "" {
		t.Error(diff)
	}
}

func TestNewHeadersRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*TemplateConfig)
		want   string
	}{
		{func(c *TemplateConfig) { c.Src = netip.MustParseAddr("10.0.0.1") }, "one is IPv4"},
		{func(c *TemplateConfig) { c.Dst = netip.MustParseAddr("10.0.0.1") }, "one is IPv4"},
		{func(c *TemplateConfig) { c.Src = netip.IPv6Unspecified() }, ":: is no host's address"},
		{func(c *TemplateConfig) { c.Dst = netip.IPv6Unspecified() }, ":: is no host's address"},
		{func(c *TemplateConfig) { c.Src = netip.IPv6Loopback() }, "not a unicast source"},
		{func(c *TemplateConfig) { c.Src = netip.MustParseAddr("ff02::1") }, "not a unicast source"},
		{func(c *TemplateConfig) { c.Label = 1 << 20 }, "flow label 0x100000"},
		{func(c *TemplateConfig) { c.Label, c.LabelFrom = 1, LabelFlow }, "flow label 0x1"},
		{func(c *TemplateConfig) { c.TTL = 0 }, "TTL 0"},
		{func(c *TemplateConfig) { c.SrcPorts = [2]uint16{2, 1} }, "source ports 2 to 1"},
	} {
		cfg := config6()
		c.change(&cfg)
		if _, err := NewHeaders(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", err, c.want)
		}
	}
}

// What only one length of headers has is refused by the others.
func TestTemplatesAreOfOneLength(t *testing.T) {
	for _, tag := range []uint32{0, 0x81000007} {
		four, six := goodConfig(), config6()
		four.Tag, six.Tag = tag, tag
		_, err4 := NewTemplate(four)
		_, err6 := NewTemplate6(six)
		if (err4 == nil) != (tag == 0) || (err6 == nil) != (tag == 0) {
			t.Errorf("tag %#x: %v, %v", tag, err4, err6)
		}
	}
	_, err4 := NewTemplate(config6())
	_, err6 := NewTemplate6(goodConfig())
	if got := fmt.Sprint(err4, err6); !strings.Contains(got, "is IPv6") || !strings.Contains(got, "is IPv4") {
		t.Error(got)
	}
}

func TestPut6DoesNotAllocate(t *testing.T) {
	h := mustHeaders(t, config6())
	pkt := make([]byte, Overhead6+100)
	if n := testing.AllocsPerRun(100, func() {
		h.Put(pkt, 42, MakeFlow(7, 0, false), 0)
		h.PutChecksum(pkt)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
