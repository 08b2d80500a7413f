package netdev

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

// Answers of Linux 7.3.4 on amd64, from the genlmsghdr on.
var recordedFeatures = []struct {
	name, hex string
	want      Features
	zeroCopy  bool
	xdp       string
}{
	{"igb", "0101000008000100020000000c0003000b000000000000000c00050000000000000000000c00060000000000000000000800040001000000",
		Features{Known: true, XDP: XDPBasic | XDPRedirect | XDPZeroCopy, ZCSegments: 1}, true, "basic redirect xsk-zerocopy"},
	{"virtio_net", "0101000008000100040000000c0003002b000000000000000c00050000000000000000000c00060000000000000000000800040001000000",
		Features{Known: true, XDP: XDPBasic | XDPRedirect | XDPZeroCopy | XDPRxSG, ZCSegments: 1}, true, "basic redirect xsk-zerocopy rx-sg"},
	{"veth", "0101000008000100070000000c00030023000000000000000c00050007000000000000000c0006000000000000000000",
		Features{Known: true, XDP: XDPBasic | XDPRedirect | XDPRxSG, Metadata: MetadataTimestamp | MetadataHash | MetadataVLANTag}, false, "basic redirect rx-sg"},
	{"tap", "0101000008000100080000000c00030007000000000000000c00050000000000000000000c0006000000000000000000",
		Features{Known: true, XDP: XDPBasic | XDPRedirect | XDPTransmit}, false, "basic redirect ndo-xmit"},
	{"lo", "0101000008000100010000000c00030000000000000000000c00050000000000000000000c0006000000000000000000",
		Features{Known: true}, false, ""},
}

func TestParseFeatures(t *testing.T) {
	t.Parallel()
	for _, c := range recordedFeatures {
		answer, err := hex.DecodeString(c.hex)
		must(t, err)
		got, err := parseFeatures(answer)
		must(t, err)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if got.ZeroCopy() != c.zeroCopy || strings.Join(got.XDP.Names(), " ") != c.xdp {
			t.Errorf("%s: zero-copy %t, %q, want %t, %q", c.name, got.ZeroCopy(), got.XDP.Names(), c.zeroCopy, c.xdp)
		}
		for n := range answer { // cut short anywhere it is an error, or tells less
			f, err := parseFeatures(answer[:n])
			if n < 4 && err == nil || f.XDP&^got.XDP != 0 || f.Metadata&^got.Metadata != 0 || f.ZCSegments > got.ZCSegments {
				t.Errorf("%s, the first %d bytes: %+v, %v", c.name, n, f, err)
			}
		}
	}
	// Attributes of other sizes, and bits that have no name yet.
	odd, err := hex.DecodeString("01010000" + "0800030023000000" + "0600040001000000" + "0c000500f8ffffffffffffff")
	must(t, err)
	f, err := parseFeatures(odd)
	if err != nil || f.XDP != 0 || f.ZCSegments != 0 || len(f.Metadata.Names()) != 0 {
		t.Errorf("odd attributes: %+v, %v", f, err)
	}
}

// The kernel answers for one interface after the other, with what their drivers have.
func TestFeaturesOf(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	told, err := lab.KernelHas("netdev_nl_dev_get_doit") // since 6.3
	must(t, err)
	if f, err := FeaturesOf(lookup(t, "va").Index); !told && (f != (Features{}) || err != nil) {
		t.Errorf("this kernel does not tell, and told %+v, %v", f, err)
	}
	if !told {
		return
	}
	tags, err := lab.KernelHas("bpf_xdp_metadata_rx_vlan_tag")
	must(t, err)
	for _, name := range []string{"va", "vb", "va"} {
		f, err := FeaturesOf(lookup(t, name).Index)
		must(t, err)
		if !f.Known || f.ZeroCopy() || f.XDP&(XDPBasic|XDPRedirect) != XDPBasic|XDPRedirect || slices.Contains(f.Metadata.Names(), "vlan-tag") != tags {
			t.Errorf("%s: %+v (a veth has native XDP and no zero-copy)", name, f)
		}
	}
	if f, err := FeaturesOf(lookup(t, "lo").Index); err != nil || !f.Known || f.XDP != 0 {
		t.Errorf("lo: %+v, %v", f, err)
	}
	if f, err := askFeatures("netdev-later", lookup(t, "va").Index); err != nil || f != (Features{}) {
		t.Errorf("a kernel without the family: %+v, %v", f, err)
	}
	if r := RingsOf("va"); r != (Rings{}) {
		t.Errorf("a veth has rings of its own: %+v", r)
	}
	if f, err := FeaturesOf(9999); err == nil || f.Known {
		t.Errorf("an interface that is not there: %+v", f)
	}
}
