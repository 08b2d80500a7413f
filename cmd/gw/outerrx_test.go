package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// What a VXLAN header may have set, and a UDP checksum be, against the kernel's device.

// strictBits are all that are reserved, and groupPolicy those of the VXLAN group policy extension.
const (
	strictBits  = 0xf7ffffff_000000ff
	groupPolicy = 0x8048ffff_00000000
)

// rxOption is what both are told of packets that come.
type rxOption struct {
	name     string
	gw       []string
	reserved *uint64 // of the kernel's device
	// verdicts of gw by case; those that are not named are flooded.
	verdicts map[string]string
	// differs says for which cases the kernel's device does the other thing, and why.
	differs map[string]string
}

func bits(v uint64) *uint64 { return &v }

// Why the kernel's device does something else.
const (
	noIgnoring = "the kernel verifies every checksum over IPv4"
	mends      = "gw completes what veth has left unfinished, the kernel takes it from nobody but veth itself"
)

var rxCases = []struct {
	name  string
	edits []edit
}{
	{"plain", nil},
	{"a reserved flag", []edit{set(atVXLAN, 0x88)}},
	{"all other flags", []edit{set(atVXLAN, 0xff)}},
	{"a group policy", []edit{set(atVXLAN, 0x88, 0, 0x12, 0x34)}},
	{"reserved, second byte", []edit{set(atVXLAN+1, 1)}},
	{"reserved, last byte", []edit{set(atVNI+3, 0x80)}},
	{"no I flag", []edit{set(atVXLAN, 0)}},
	{"no I flag, all others", []edit{set(atVXLAN, 0xf7)}},
	{"checksum right", []edit{sumUDP}},
	{"checksum wrong", []edit{set16(atUSum, 0x1234)}},
	{"checksum unfinished", []edit{unfinishedUDP}},
	{"checksum right, a reserved flag", []edit{set(atVXLAN, 0x88), sumUDP}},
	{"checksum wrong, a reserved flag", []edit{set(atVXLAN, 0x88), set16(atUSum, 0x1234)}},
	{"checksum wrong, no I flag", []edit{set(atVXLAN, 0), set16(atUSum, 0x1234)}},
	{"checksum wrong, options", []edit{set16(atUSum, 0x1234), options(1, 1, 1, 0)}},
	{"a reserved flag, options", []edit{set(atVXLAN, 0x88), options(1, 1, 1, 0)}},
}

var rxOptions = []rxOption{
	{"defaults", nil, bits(0), map[string]string{
		"no I flag": "bad_flags", "no I flag, all others": "bad_flags", "checksum wrong": "udp_csum",
		"checksum wrong, a reserved flag": "udp_csum", "checksum wrong, no I flag": "bad_flags", "checksum wrong, options": "udp_csum",
	}, map[string]string{"checksum unfinished": mends}},
	{"reserved_bits strict", []string{"--reserved-bits", "strict"}, nil, map[string]string{
		"a reserved flag": "reserved_bits", "all other flags": "reserved_bits", "a group policy": "reserved_bits",
		"reserved, second byte": "reserved_bits", "reserved, last byte": "reserved_bits", "a reserved flag, options": "reserved_bits",
		"no I flag": "bad_flags", "no I flag, all others": "bad_flags", "checksum wrong": "udp_csum",
		"checksum right, a reserved flag": "reserved_bits", "checksum wrong, a reserved flag": "reserved_bits",
		"checksum wrong, no I flag": "bad_flags", "checksum wrong, options": "udp_csum",
	}, map[string]string{"checksum unfinished": mends}},
	{"reserved_bits but for group policy", []string{"--reserved-bits", fmt.Sprintf("%#x", strictBits&^uint64(groupPolicy))}, bits(strictBits &^ groupPolicy), map[string]string{
		"all other flags": "reserved_bits", "reserved, second byte": "reserved_bits", "reserved, last byte": "reserved_bits",
		"no I flag": "bad_flags", "no I flag, all others": "bad_flags", "checksum wrong": "udp_csum",
		"checksum wrong, a reserved flag": "udp_csum", "checksum wrong, no I flag": "bad_flags", "checksum wrong, options": "udp_csum",
	}, map[string]string{"checksum unfinished": mends}},
	{"udpcsumrx ignore", []string{"--reserved-bits", "ignore", "--udpcsumrx", "ignore"}, bits(0), map[string]string{
		"no I flag": "bad_flags", "no I flag, all others": "bad_flags", "checksum wrong, no I flag": "bad_flags",
	}, map[string]string{"checksum unfinished": mends, "checksum wrong": noIgnoring, "checksum wrong, a reserved flag": noIgnoring, "checksum wrong, options": noIgnoring}},
	{"udpcsumrx verify again", []string{"--udpcsumrx", "verify"}, bits(0), map[string]string{
		"no I flag": "bad_flags", "no I flag, all others": "bad_flags", "checksum wrong": "udp_csum",
		"checksum wrong, a reserved flag": "udp_csum", "checksum wrong, no I flag": "bad_flags", "checksum wrong, options": "udp_csum",
	}, map[string]string{"checksum unfinished": mends}},
}

func TestOuterReceived(t *testing.T) {
	t.Parallel()
	b := newOuterBed(t, lab.VXLANConfig{Remote: under2})
	for _, o := range rxOptions {
		t.Run(o.name, func(t *testing.T) { b.receive(t, o) })
	}
	checkVerdicts(t, b.vtep)
	b.stop()
}

// receive sends every case to either and compares what the container gets.
func (b *outerBed) receive(t *testing.T, o rxOption) {
	compared := true
	err := b.options(t, o.gw, func(c *lab.VXLANConfig) { c.ReservedBits = o.reserved })
	if errors.Is(err, lab.ErrNoReservedBits) {
		t.Log("without comparison:", err)
		compared = false
	} else {
		must(t, err)
	}
	before, total, _ := verdicts(b.status())
	want := map[string]uint64{}
	frames := map[string][]byte{}
	var packets, twins [][]byte
	for _, c := range rxCases {
		b.count++
		frame := named(noMAC, farMAC, fmt.Sprintf("packet %d: %s", b.count, c.name))
		verdict, dropped := o.verdicts[c.name]
		if !dropped {
			verdict = "flooded"
		}
		want[verdict]++
		frames[c.name] = frame
		packets = append(packets, craft(b.mac, gwVNI, frame, c.edits...))
		twins = append(twins, craft(b.mac, kernelVNI, frame, c.edits...))
	}
	last := named(noMAC, farMAC, fmt.Sprintf("last after %d", b.count))
	packets, twins = append(packets, craft(b.mac, gwVNI, last)), append(twins, craft(b.mac, kernelVNI, last))
	want["flooded"]++
	must(t, b.node2.SendFrame("ens18", packets...))
	eventually(t, func() string {
		if _, now, _ := verdicts(b.status()); now < total+uint64(len(packets)) {
			return fmt.Sprintf("%d verdicts for %d packets", now-total, len(packets))
		}
		return ""
	})
	now, _, _ := verdicts(b.status())
	for name, n := range now {
		if n -= before[name]; n != want[name] {
			t.Errorf("%d times %s, want %d", n, name, want[name])
		}
	}
	if compared {
		must(t, b.node2.SendFrame("ens18", twins...))
	}
	// What is to come may do so behind the last one: IP options take the long way.
	got := func(vni uint32, frame []byte, wanted bool) bool {
		is := func(f lab.Frame) bool { return bytes.Equal(f.Data, frame) }
		if wanted {
			_, err := b.taps[vni].Wait(within(t), 1, is)
			return err == nil
		}
		return slices.ContainsFunc(b.taps[vni].Frames(), is)
	}
	for vni := range legs {
		if vni == kernelVNI && !compared {
			continue
		}
		if _, err := b.taps[vni].Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data, last) }); err != nil {
			t.Fatalf("VNI %d: %v", vni, err)
		}
	}
	for name, frame := range frames {
		_, dropped := o.verdicts[name]
		if comes := got(gwVNI, frame, !dropped); comes == dropped {
			t.Errorf("%s: it comes: %t", name, comes)
		}
		_, differs := o.differs[name]
		if !compared {
			continue
		}
		if comes := got(kernelVNI, frame, dropped == differs); (comes == dropped) != differs {
			t.Errorf("%s: it comes from the kernel's device: %t (difference expected: %q)", name, comes, o.differs[name])
		}
	}
}
