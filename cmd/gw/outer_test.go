package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// Every option of the outer headers against the kernel's device, which has the same one and
// gets the same inner frames: outer packets are compared field by field. gw is told of each
// option while it runs.

// outerBed is gw, and the kernel's vxlan device in a bridge beside it on the same underlay. A
// container has a leg at either.
type outerBed struct {
	*vtep
	node2, box *lab.Host
	far        lab.VXLANConfig  // remote or group
	mac        net.HardwareAddr // of the underlay
	wire       *lab.Capture
	taps       map[uint32]*lab.Capture // what the container gets, by VNI
	count      int
}

// legs of the container, by VNI: that of gw, and that of the kernel.
const (
	gwVNI     = 42
	kernelVNI = 43
)

var legs = map[uint32]string{gwVNI: "veth0", kernelVNI: "veth2"}

func newOuterBed(t *testing.T, far lab.VXLANConfig, more ...string) *outerBed {
	t.Helper()
	l := newLab(t)
	node1 := newHost(t, l, "node1")
	b := &outerBed{node2: newHost(t, l, "node2"), box: newHost(t, l, "box"), far: far, taps: map[uint32]*lab.Capture{}}
	must(t, l.Veth(node1, "ens18", b.node2, "ens18", lab.VethOptions{MTU: 1600}))
	must(t, node1.SetOffload("ens18", "tx", false)) // or the kernel would leave outer checksums to the other end
	must(t, node1.AddAddress("ens18", under1.String()+"/24"))
	must(t, b.node2.AddAddress("ens18", under2.String()+"/24"))
	must(t, l.Veth(node1, "veth1", b.box, legs[gwVNI], lab.VethOptions{}))
	must(t, l.Veth(node1, "veth3", b.box, legs[kernelVNI], lab.VethOptions{}))
	must(t, node1.Bridge("br43", "veth3"))
	var err error
	b.mac, err = node1.MAC("ens18")
	must(t, err)
	b.wire, err = b.node2.Capture("ens18", func(f lab.Frame) bool { return !f.Outgoing })
	must(t, err)
	for vni, leg := range legs {
		b.taps[vni], err = b.box.Capture(leg, func(f lab.Frame) bool { return !f.Outgoing })
		must(t, err)
	}
	args := append(more, "--remote", far.Remote.String())
	if far.Group.IsValid() {
		args = append(more, "--group", far.Group.String())
	}
	b.vtep = start(t, node1, on(append(args, "--port", "veth1")...)...)
	eventually(t, func() string {
		if s := b.status(); len(s.Remotes) == 0 || s.Remotes[0].State != "direct" {
			return "the way to the remote is not direct"
		}
		return ""
	})
	return b
}

// options gives gw options, and the kernel's device those that c says.
func (b *outerBed) options(t *testing.T, gw []string, kernel func(c *lab.VXLANConfig)) error {
	t.Helper()
	if len(gw) > 0 {
		output(t, b.host, b.with(append([]string{"vni", "set", fmt.Sprint(gwVNI)}, gw...)...)...)
	}
	if _, err := b.host.Link("vxlan43"); err == nil {
		must(t, b.host.DeleteLink("vxlan43"))
	}
	c := b.far
	c.Name, c.VNI, c.Dev, c.Local, c.Master = "vxlan43", kernelVNI, "ens18", under1, "br43"
	kernel(&c)
	return b.host.KernelVXLAN(c)
}

// sent has frames go into the tunnel at either leg, and returns their outer packets by VNI.
func (b *outerBed) sent(t *testing.T, frames ...[]byte) map[uint32][][]byte {
	t.Helper()
	out := map[uint32][][]byte{}
	for vni, leg := range legs {
		is := func(f lab.Frame) bool {
			return len(f.Data) > atInner && binary.BigEndian.Uint32(f.Data[atVNI:])>>8 == vni && bytes.Equal(f.Data[6:12], b.mac)
		}
		before := 0
		for _, f := range b.wire.Frames() {
			if is(f) {
				before++
			}
		}
		for burst := range slices.Chunk(frames, 100) { // a veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
			must(t, b.box.SendFrame(leg, burst...))
			packets, err := b.wire.Wait(within(t), before+len(burst), is)
			if err != nil {
				t.Fatalf("VNI %d: %v", vni, err)
			}
			for i, f := range packets[before:] {
				if !bytes.Equal(f.Data[atInner:], burst[i]) {
					t.Fatalf("VNI %d: packet %d carries % x, not % x", vni, i, f.Data[atInner:], burst[i])
				}
				out[vni] = append(out[vni], f.Data)
			}
			before += len(burst)
		}
	}
	return out
}

// outerFields takes a packet apart: everything in front of the inner frame but the IPv4 ID, the
// source port and the VNI. Checksums are right, wrong or none.
func outerFields(p []byte) map[string]string {
	sum := func(is uint16, ok bool) string {
		switch {
		case is == 0:
			return "none"
		case ok:
			return "right"
		}
		return "wrong"
	}
	word := func(at int) uint16 { return binary.BigEndian.Uint16(p[at:]) }
	return map[string]string{
		"Ethernet":      fmt.Sprintf("%x", p[:atIP]),
		"version":       fmt.Sprintf("%#x", p[atIP]),
		"TOS":           fmt.Sprintf("%#02x", p[atTOS]),
		"length":        fmt.Sprint(word(atTotal)),
		"flags, offset": fmt.Sprintf("%#x", word(atFrag)),
		"TTL":           fmt.Sprint(p[atTTL]),
		"protocol":      fmt.Sprint(p[atTTL+1]),
		"IP checksum":   sum(word(atIPSum), sum16(p[atIP:atUDP]) == 0xffff),
		"addresses":     fmt.Sprintf("%x", p[atSrc:atUDP]),
		"UDP port":      fmt.Sprint(word(atDPort)),
		"UDP length":    fmt.Sprint(word(atULen)),
		"UDP checksum":  sum(word(atUSum), sum16(slices.Concat(pseudo(p), p[atUDP:])) == 0xffff),
		"VXLAN":         fmt.Sprintf("%x %x", p[atVXLAN:atVNI], p[atVNI+3]),
	}
}

// sentCase is an inner frame.
type sentCase struct {
	name  string
	frame func(text string) []byte
	ip    bool
	tos   byte
	vlan  bool // a tag is in front of it
}

// packet4 is an IPv4 packet of a UDP datagram.
func packet4(tos, ttl byte, df bool, text string) []byte {
	p := slices.Concat(ipv4(tos, "12345678"), []byte(text))
	p[8], p[9] = ttl, 17
	if df {
		p[6] = 0x40
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	udp := p[20:]
	copy(udp, []byte{0x30, 0x39, 0xd4, 0x31, byte(len(udp) >> 8), byte(len(udp)), 0, 0})
	binary.BigEndian.PutUint16(p[10:], 0)
	binary.BigEndian.PutUint16(p[10:], ^sum16(p[:20]))
	return p
}

// packet6 is an IPv6 packet with a hop limit.
func packet6(tc, hops byte, text string) []byte {
	p := ipv6(tc, text)
	p[7] = hops
	return p
}

// sentCases are inner frames that differ in all that an outer header may take from them.
func sentCases() (cases []sentCase) {
	frame := func(kind uint16, payload func(text string) []byte) func(string) []byte {
		return func(text string) []byte { return frameOf(noMAC, boxMAC, kind, payload(text)) }
	}
	tagged := func(f func(string) []byte, tag ...byte) func(string) []byte {
		return func(text string) []byte { return slices.Insert(f(text), 12, tag...) }
	}
	for ecn, name := range []string{"Not-ECT", "ECT(1)", "ECT(0)", "CE"} {
		tos := byte(10<<2 | ecn)
		cases = append(cases,
			sentCase{name: "IPv4 " + name, frame: frame(0x0800, func(s string) []byte { return packet4(tos, 64, false, s) }), ip: true, tos: tos},
			sentCase{name: "IPv6 " + name, frame: frame(0x86dd, func(s string) []byte { return packet6(tos, 64, s) }), ip: true, tos: tos})
	}
	four := frame(0x0800, func(s string) []byte { return packet4(0xb8, 200, true, s) })
	six := frame(0x86dd, func(s string) []byte { return packet6(0xb8, 200, s) })
	arp := frame(0x0806, func(s string) []byte {
		return slices.Concat([]byte{0, 1, 8, 0, 6, 4, 0, 1}, boxMAC, []byte{192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2}, []byte(s))
	})
	other := frame(experimental, func(s string) []byte { return []byte(s) })
	return append(cases,
		sentCase{name: "IPv4 TOS 0, TTL 1", frame: frame(0x0800, func(s string) []byte { return packet4(0, 1, false, s) }), ip: true},
		sentCase{name: "IPv4 TTL 255, DF", frame: frame(0x0800, func(s string) []byte { return packet4(0, 255, true, s) }), ip: true},
		sentCase{name: "IPv4 TTL 0", frame: frame(0x0800, func(s string) []byte { return packet4(0, 0, false, s) }), ip: true},
		sentCase{name: "IPv6 hop limit 1", frame: frame(0x86dd, func(s string) []byte { return packet6(0, 1, s) }), ip: true},
		sentCase{name: "IPv4 DSCP 46, TTL 200, DF", frame: four, ip: true, tos: 0xb8},
		sentCase{name: "IPv6 DSCP 46, hop limit 200", frame: six, ip: true, tos: 0xb8},
		sentCase{name: "ARP", frame: arp},
		sentCase{name: "no IP", frame: other},
		sentCase{name: "IPv4 in a VLAN", frame: tagged(four, 0x81, 0, 0x60, 10), ip: true, tos: 0xb8, vlan: true},
		sentCase{name: "IPv6 in a VLAN", frame: tagged(six, 0x81, 0, 0x60, 10), ip: true, tos: 0xb8, vlan: true},
		sentCase{name: "ARP in a VLAN", frame: tagged(arp, 0x81, 0, 0x60, 10), vlan: true},
		sentCase{name: "IPv4 in two VLANs", frame: tagged(four, 0x88, 0xa8, 0, 20, 0x81, 0, 0, 10), ip: true, tos: 0xb8, vlan: true},
	)
}

// outerOption is what both are told.
type outerOption struct {
	name   string
	gw     map[string]string // beside neutral; nil: nothing at all
	kernel func(c *lab.VXLANConfig)
	// differs enters in which fields packets differ, and why.
	differs func(c sentCase, fields map[string]string)
}

// neutral is what the options of gw are where a case does not speak of them.
var neutral = map[string]string{"ttl": "auto", "tos": "0", "df": "unset", "udpcsum": "false"}

// Where gw differs from the kernel's device, by the field. It does as the RFC says.
const (
	rfc6040 = "RFC 6040 section 4.1: CE stays CE; the kernel does as RFC 3168 did"
	rfc7348 = "RFC 7348 section 5: no UDP checksum unless asked for; the kernel has one unless told not to"
	dscp    = "gw inherits DSCP unless told otherwise; the kernel sends 0"
	tagsDF  = "the kernel looks for DF in untagged frames only"
)

func outerOptions() []outerOption {
	tagged := func(c sentCase, fields map[string]string) {
		if c.vlan && c.ip {
			fields["flags, offset"] = tagsDF
		}
	}
	plain := func(c *lab.VXLANConfig) { c.NoUDPCSum = true }
	and := func(change func(c *lab.VXLANConfig)) func(c *lab.VXLANConfig) {
		return func(c *lab.VXLANConfig) { plain(c); change(c) }
	}
	options := []outerOption{
		{name: "defaults", kernel: func(*lab.VXLANConfig) {}, differs: func(c sentCase, fields map[string]string) {
			fields["UDP checksum"] = rfc7348
			if c.ip && c.tos>>2 != 0 {
				fields["TOS"] = dscp
			}
		}},
		{name: "ttl auto, tos 0, df unset, noudpcsum", gw: map[string]string{}, kernel: plain},
		{name: "ttl 1", gw: map[string]string{"ttl": "1"}, kernel: and(func(c *lab.VXLANConfig) { c.TTL = 1 })},
		{name: "ttl 255", gw: map[string]string{"ttl": "255"}, kernel: and(func(c *lab.VXLANConfig) { c.TTL = 255 })},
		{name: "ttl inherit", gw: map[string]string{"ttl": "inherit"}, kernel: and(func(c *lab.VXLANConfig) { c.TTLFrom = "inherit" })},
		{name: "tos inherit", gw: map[string]string{"tos": "inherit"}, kernel: and(func(c *lab.VXLANConfig) { c.TOS = 1 })},
		{name: "df set", gw: map[string]string{"df": "set"}, kernel: and(func(c *lab.VXLANConfig) { c.DF = "set" })},
		{name: "df inherit", gw: map[string]string{"df": "inherit"}, kernel: and(func(c *lab.VXLANConfig) { c.DF = "inherit" }),
			differs: tagged},
		{name: "udpcsum", gw: map[string]string{"udpcsum": "true"}, kernel: func(*lab.VXLANConfig) {}},
		{name: "all", gw: map[string]string{"ttl": "inherit", "tos": "inherit", "df": "set", "udpcsum": "true"},
			kernel: func(c *lab.VXLANConfig) { c.TTLFrom, c.TOS, c.DF = "inherit", 1, "set" }},
		{name: "ttl inherit, df inherit", gw: map[string]string{"ttl": "inherit", "df": "inherit"},
			kernel:  and(func(c *lab.VXLANConfig) { c.TTLFrom, c.DF = "inherit", "inherit" }),
			differs: tagged},
	}
	for ecn := range byte(4) { // RFC 6040 with each field that the outer header might have had
		tos := 46<<2 | ecn
		options = append(options, outerOption{name: fmt.Sprintf("tos %#x", tos), gw: map[string]string{"tos": fmt.Sprintf("%#x", tos)},
			kernel: and(func(c *lab.VXLANConfig) { c.TOS = tos })})
	}
	return options
}

func TestOuterHeaders(t *testing.T) {
	t.Parallel()
	for name, far := range map[string]lab.VXLANConfig{"remote": {Remote: under2}, "group": {Group: group}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newOuterBed(t, far)
			for _, o := range outerOptions() {
				t.Run(o.name, func(t *testing.T) { b.compare(t, o) })
			}
			checkVerdicts(t, b.vtep)
			b.stop()
		})
	}
}

// compare sends all frames with the same options on either side.
func (b *outerBed) compare(t *testing.T, o outerOption) {
	var gw []string
	if o.gw != nil {
		all := maps.Clone(neutral)
		maps.Copy(all, o.gw)
		for name, value := range all {
			gw = append(gw, "--"+name+"="+value)
		}
	}
	must(t, b.options(t, gw, o.kernel))
	cases := sentCases()
	var frames [][]byte
	for _, c := range cases {
		b.count++
		frames = append(frames, c.frame(fmt.Sprintf("frame %d: %s", b.count, c.name)))
	}
	packets := b.sent(t, frames...)
	for i, c := range cases {
		ours, kernels := outerFields(packets[gwVNI][i]), outerFields(packets[kernelVNI][i])
		differs := map[string]string{}
		if c.ip && c.tos&3 == 3 {
			differs["TOS"] = rfc6040
		}
		if o.differs != nil {
			o.differs(c, differs)
		}
		for field, have := range ours {
			if why := differs[field]; (have != kernels[field]) != (why != "") {
				t.Errorf("%s: %s %s, the kernel's %s (difference expected: %q)", c.name, field, have, kernels[field], why)
			}
		}
	}
}
