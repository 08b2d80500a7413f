package bpf

import (
	"bytes"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// newPortTags loads the program that reads tags for veth a.
func newPortTags(t testing.TB, ifindex int) *Port {
	t.Helper()
	p, err := LoadPort(PortConfig{Queues: 1, TagsOf: ifindex, Types: btf.NewCache()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, p) })
	return p
}

// needTags skips a test where the kernel tells no tags.
func needTags(t *testing.T) {
	t.Helper()
	if !tagsTold(t) {
		t.Skip("this kernel has no bpf_xdp_metadata_rx_vlan_tag (Linux 6.8 has): see TestPortTagsRefused")
	}
}

// tagsTold says whether the kernel has what the program calls.
func tagsTold(t *testing.T) bool {
	t.Helper()
	has, err := lab.KernelHas("bpf_xdp_metadata_rx_vlan_tag")
	if err != nil {
		t.Fatal(err)
	}
	return has
}

// pushTag has what leaves by an interface tagged, beside the frame.
func pushTag(t testing.TB, ifindex int, tci int32) {
	t.Helper()
	const pass = 0 // TCX_PASS
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R2, 0), // 802.1Q
		asm.Mov.Imm(asm.R3, tci),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R0, pass),
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	l, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: prog, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, l) })
}

// TestPortTagsSteers sends real frames: the kernel runs no test of a program
// that is bound to an interface. That the tags are in the frames is tested where
// there are sockets to see it (TestVLANTags of cmd/gw).
func TestPortTagsSteers(t *testing.T) {
	needTags(t)
	const frames = 10
	lldp := set(0, 1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 2, 0x88, 0xcc)
	for _, tt := range []struct {
		name   string
		frame  []byte
		tagged bool
		want   Counters
	}{
		{"IPv4", good(), false, Counters{Redirected: frames}},
		{"IPv4, tagged", good(), true, Counters{Redirected: frames}},
		{"shortest", bytes.Repeat([]byte{2}, 14), true, Counters{Redirected: frames}},
		{"LLDP", lldp, false, Counters{Passed: frames}},
		{"LLDP, tagged", lldp, true, Counters{Redirected: frames}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			p := newPortTags(t, a.Attrs().Index)
			if err := p.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			if tt.tagged {
				pushTag(t, device(t, "b").Attrs().Index, 42)
			}
			if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
				t.Fatal(err)
			}
			before, err := p.Counters() // the kernel itself speaks once the link is up
			if err != nil {
				t.Fatal(err)
			}
			send(t, "b", tt.frame, frames)
			for patience := 5000; ; patience-- {
				c, err := p.Counters()
				if err != nil {
					t.Fatal(err)
				}
				c.Redirected -= before.Redirected
				c.Passed -= before.Passed
				if c.Redirected >= tt.want.Redirected && c.Passed == tt.want.Passed && c.NoSocket == 0 {
					break
				}
				if patience == 0 {
					t.Fatalf("counters %+v after %d frames, want %+v", c, frames, tt.want)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestPortTagsIsBound tries it where it cannot be.
func TestPortTagsIsBound(t *testing.T) {
	needTags(t)
	newNamespace(t)
	a := pair(t, 1, 1)
	p := newPortTags(t, a.Attrs().Index)
	wantError(t, p.Attach(a.Attrs().Index, "a", Generic), unix.EOPNOTSUPP, "attach XDP program porttags to a in generic mode", "in the driver only")
	if err := p.Attach(device(t, "b").Attrs().Index, "b", Native); err == nil {
		t.Error("attached to another interface than its own")
	}
	if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Error(err)
	}
	_, err := LoadPort(PortConfig{Queues: 1, TagsOf: device(t, "lo").Attrs().Index})
	wantError(t, err, unix.EOPNOTSUPP, "load XDP program porttags")
	_, err = LoadPort(PortConfig{Queues: 1, TagsOf: 9999})
	wantError(t, err, nil, "load XDP program porttags")
}

// TestPortTagsRefused tries it on a kernel that is too old.
func TestPortTagsRefused(t *testing.T) {
	if tagsTold(t) {
		t.Skip("this kernel has bpf_xdp_metadata_rx_vlan_tag: see TestPortTagsSteers")
	}
	newNamespace(t)
	_, err := LoadPort(PortConfig{Queues: 1, TagsOf: pair(t, 1, 1).Attrs().Index})
	wantError(t, err, ebpf.ErrNotSupported, "load XDP program porttags", "bpf_xdp_metadata_rx_vlan_tag", "needs Linux 6.8")
}
