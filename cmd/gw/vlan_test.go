package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// vlanBed is gw with two ports, and the kernel's vxlan device as the far end.
type vlanBed struct {
	gw    *vtep
	ends  []vlanEnd // behind either port, and the vxlan device
	wire  *lab.Capture
	count int
}

// vlanEnd is where tagged frames are sent and seen.
type vlanEnd struct {
	host *lab.Host
	dev  string
	mac  net.HardwareAddr // of a station there, which only the test speaks for
	seen *lab.Capture
}

// newVLANBed has the ports' other ends in namespaces of their own, or all in gw's.
func newVLANBed(t *testing.T, apart bool, mode string) *vlanBed {
	t.Helper()
	l := newLab(t)
	node1, node2 := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(node1, "ens18", node2, "ens18", lab.VethOptions{MTU: 1600}))
	must(t, node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, node2.AddAddress("ens18", "10.65.132.188/24"))
	b := &vlanBed{}
	for i, port := range []string{"veth1", "veth2"} {
		e := vlanEnd{host: node1, dev: fmt.Sprintf("inside%d", i+1), mac: net.HardwareAddr{2, 0, 0, 0, 5, byte(i + 1)}}
		if apart {
			e.host = newHost(t, l, fmt.Sprintf("box%d", i+1))
		}
		must(t, l.Veth(node1, port, e.host, e.dev, lab.VethOptions{}))
		if apart {
			keepTagsWithin(t, e.host, e.dev)
		}
		b.ends = append(b.ends, e)
	}
	must(t, node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1}))
	b.ends = append(b.ends, vlanEnd{host: node2, dev: "vxlan0", mac: net.HardwareAddr{2, 0, 0, 0, 5, 3}})
	for i := range b.ends {
		e := &b.ends[i]
		seen, err := e.host.Capture(e.dev, func(f lab.Frame) bool { return !f.Outgoing })
		must(t, err)
		e.seen = seen
	}
	var err error
	b.wire, err = node2.Capture("ens18", nil)
	must(t, err)
	b.gw = start(t, node1, on("--remote", "10.65.132.188", "--port", "veth1", "--port", "veth2", "--mode", mode)...)
	return b
}

// tagCases are the tags in frames, outermost first; the first of them travels
// beside the frame when beside is true.
var tagCases = []struct {
	name   string
	beside bool
	tags   []lab.Tag
}{
	{"untagged", false, nil},
	{"802.1Q", true, []lab.Tag{{Type: 0x8100, TCI: 10}}},
	{"802.1Q in the frame", false, []lab.Tag{{Type: 0x8100, TCI: 10}}},
	{"802.1ad", true, []lab.Tag{{Type: 0x88a8, TCI: 20}}},
	{"802.1ad in the frame", false, []lab.Tag{{Type: 0x88a8, TCI: 20}}},
	{"priority, drop eligible", true, []lab.Tag{{Type: 0x8100, TCI: 6<<13 | 1<<12 | 4094}}},
	{"priority only", true, []lab.Tag{{Type: 0x8100, TCI: 5 << 13}}},
	{"priority 0 only", true, []lab.Tag{{Type: 0x8100}}},
	{"two, the outer one beside", true, []lab.Tag{{Type: 0x88a8, TCI: 30}, {Type: 0x8100, TCI: 31}}},
	{"two in the frame", false, []lab.Tag{{Type: 0x88a8, TCI: 30}, {Type: 0x8100, TCI: 31}}},
}

// push has every end put a tag beside what it sends, until the test is over.
func (b *vlanBed) push(t *testing.T, tag lab.Tag) {
	t.Helper()
	for _, e := range b.ends {
		p, err := e.host.PushTag(e.dev, tag)
		must(t, err)
		t.Cleanup(func() { must(t, p.Close()) })
	}
}

// cross sends one frame with tags and wants it at each of the ends to, once and
// with the same tags.
func (b *vlanBed) cross(t *testing.T, from int, dst net.HardwareAddr, beside bool, tags []lab.Tag, to ...int) {
	t.Helper()
	e := b.ends[from]
	b.count++
	plain := named(dst, e.mac, fmt.Sprintf("tagged frame %d", b.count))
	insert := func(tags []lab.Tag) []byte {
		var text []byte
		for _, tag := range tags {
			text = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(text, tag.Type), tag.TCI)
		}
		return slices.Insert(slices.Clone(plain), 12, text...)
	}
	want := insert(tags)
	if beside {
		tags = tags[1:] // the first is pushed
	}
	must(t, e.host.SendFrame(e.dev, insert(tags)))
	name := plain[14:60]
	for _, i := range to {
		got, err := b.ends[i].seen.Wait(testContext(t), 1, func(f lab.Frame) bool { return bytes.Contains(f.Data, name) })
		must(t, err)
		if frame := whole(got[0]); !bytes.Equal(frame, want) {
			t.Errorf("from %s to %s at %s: got\n% x, want\n% x", e.dev, dst, b.ends[i].dev, frame[:24], want[:24])
		}
		if b.ends[i].dev != "vxlan0" {
			continue
		}
		// Tags cross within the inner frame.
		on, err := b.wire.Wait(testContext(t), 1, func(f lab.Frame) bool { return bytes.Contains(f.Data, name) })
		must(t, err)
		if inner := on[0].Data[50:]; on[0].Tagged || !bytes.Equal(inner, want) {
			t.Errorf("from %s to %s on the underlay: got\n% x, want\n% x", e.dev, dst, inner[:24], want[:24])
		}
	}
}

// Tags survive, beside the frame and in it: flooded, from port to port, into the
// tunnel and out of it.
func TestVLANTags(t *testing.T) {
	t.Parallel()
	apart, together := control.TagsMetadata, control.TagsMetadata
	if !tagsTold(t) {
		apart, together = control.TagsLost, control.TagsOffloads // as far as gw sees
	}
	for _, way := range []struct {
		how, mode string
		apart     bool
	}{
		{apart, "auto", true},
		{together, "copy", false},
		{control.TagsOffloads, "generic", false},
	} {
		t.Run(way.how+" "+way.mode, func(t *testing.T) {
			t.Parallel()
			b := newVLANBed(t, way.apart, way.mode)
			for _, p := range b.gw.status().Ports {
				if p.VLAN != way.how || (p.VLANReason == "") != (way.how == control.TagsMetadata) {
					t.Errorf("%s: vlan %q because of %q, want %q", p.Name, p.VLAN, p.VLANReason, way.how)
				}
				if why := "Linux 6.8"; way.mode != "generic" && !tagsTold(t) && !strings.Contains(p.VLANReason, why) {
					t.Errorf("%s: vlan %q because of %q, which lacks %q", p.Name, p.VLAN, p.VLANReason, why)
				}
			}
			everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
			b.cross(t, 0, everyone, false, nil, 1, 2) // by way of the kernel, as the first ones go
			b.gw.awaitDirect(under2.String())
			for _, c := range tagCases {
				t.Run(c.name, func(t *testing.T) {
					if c.beside {
						b.push(t, c.tags[0])
					}
					for from := range b.ends {
						others := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == from })
						b.cross(t, from, everyone, c.beside, c.tags, others...)
						for _, to := range others {
							b.cross(t, to, b.ends[from].mac, c.beside, c.tags, from)
						}
					}
				})
			}
			checkVerdicts(t, b.gw)
			if by, _, _ := verdicts(b.gw.status()); by["to_port"] == 0 || by["to_remote"] == 0 || by["flooded"] == 0 {
				t.Errorf("verdicts %v: some of the ways were not taken", by)
			}
			b.gw.stop()
		})
	}
}

// Hosts of one VLAN talk through the tunnel, TCP with default offloads too, and
// those of another do not hear them although they have the same subnet.
func TestVLANHosts(t *testing.T) {
	t.Parallel()
	b := newBridged(t)
	for _, h := range []*lab.Host{b.node1, b.node2} {
		must(t, h.SetMTU("ens18", 1554)) // with room for a tag
	}
	join := func(e end, vlan uint16) {
		keepTagsWithin(t, e.host, e.dev)
		c, err := e.host.JoinVLAN(e.dev, lab.Tag{Type: 0x8100, TCI: vlan})
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
	}
	join(b.one, 10)
	join(b.far, 10)
	join(b.two, 20)
	g := start(t, b.node1, on("--group", "224.1.1.1", "--port", "veth1", "--port", "veth2")...)
	converse(t, b.one, b.far)
	for _, other := range []end{b.one, b.far} {
		res, err := b.two.host.Ping(testContext(t), other.addr, lab.PingOptions{Timeout: answerTime})
		must(t, err)
		if res.Received > 0 {
			t.Errorf("%s in VLAN 20 reaches %s in VLAN 10", b.two.addr, other.addr)
		}
	}
	checkVerdicts(t, g)
	g.stop()
}

// The answer to what is too big for the tunnel with its tag goes back into the
// sender's VLAN.
func TestVLANTooBig(t *testing.T) {
	t.Parallel()
	b := newBridged(t) // whose underlay has no room for a tag
	for _, e := range []end{b.one, b.far} {
		keepTagsWithin(t, e.host, e.dev)
		c, err := e.host.JoinVLAN(e.dev, lab.Tag{Type: 0x8100, TCI: 10})
		must(t, err)
		defer func() { must(t, c.Close()) }()
	}
	g := start(t, b.node1, on("--group", "224.1.1.1", "--port", "veth1")...)
	resolve(t, b.one, b.far)
	transfer(t, b.one, b.far, 10<<20)
	if s := g.status(); s.Workers[0].Answers == 0 {
		t.Error("nobody was told that a frame was too big")
	}
	g.stop()
}

// Where tags cannot be had, gw says so and what to type. What it switches off to
// have them is on again afterwards, also after a kill -9.
func TestVLANOffloads(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	must(t, l.Veth(a, "veth1", a, "inside", lab.VethOptions{MTU: 1450}))
	must(t, l.Veth(a, "veth2", b, "away", lab.VethOptions{MTU: 1450}))
	must(t, l.Veth(a, "lower", b, "lower", lab.VethOptions{MTU: 1450}))
	lower, err := a.Link("lower")
	must(t, err)
	addLink(t, a, &netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "upper", ParentIndex: lower.Attrs().Index}, Mode: netlink.MACVLAN_MODE_BRIDGE}, "above")
	must(t, a.SetUp("upper"))
	before, err := a.Offloads("inside")
	must(t, err)
	same := func(when string) {
		t.Helper()
		after, err := a.Offloads("inside")
		must(t, err)
		for feature, on := range before {
			if after[feature] != on {
				t.Errorf("%s of inside was %v and is %v %s", feature, on, after[feature], when)
			}
		}
	}
	args := on("--remote", "10.65.132.188", "--port", "veth1", "--port", "veth2", "--port", "upper", "--mode", "generic", "--device", "gw42")
	g := start(t, a, args...)
	now, err := a.Offloads("inside")
	must(t, err)
	for _, feature := range []string{"tx-vlan-hw-insert", "tx-vlan-stag-hw-insert"} {
		if !before[feature] || now[feature] {
			t.Errorf("%s of inside was %v and is %v while gw runs", feature, before[feature], now[feature])
		}
	}
	want := map[string]string{"veth1": control.TagsOffloads, "veth2": control.TagsLost, "upper": control.TagsLost, "gw42-x": control.TagsOffloads}
	for _, p := range g.status().Ports {
		if p.VLAN != want[p.Name] {
			t.Errorf("%s: vlan %q because of %q, want %q", p.Name, p.VLAN, p.VLANReason, want[p.Name])
		}
	}
	said := g.log.grep("VLAN tags")
	for _, word := range []string{"veth2", "in the stack", "another network namespace", "ethtool -K PEER txvlan off"} {
		if !strings.Contains(said, word) {
			t.Errorf("the warning %q lacks %q", said, word)
		}
	}
	if text := output(t, a, "status"); !strings.Contains(text, "veth2: VLAN tags are lost: ") || strings.Contains(text, "veth1: VLAN") {
		t.Errorf("gw status does not say it of veth2 alone:\n%s", text)
	}
	g.stop()
	same("after gw")

	g = start(t, a, args...)
	g.end(unix.SIGKILL)
	output(t, a, "cleanup", "--iface", "ens18")
	same("after kill -9 and gw cleanup")
}
