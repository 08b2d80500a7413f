package bpf

import (
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// A veth with an MTU of 9,050 refuses the programs, and takes them where they are loaded for packets longer than a page. They
// see such a packet, by its start, as they see any other.
func TestFrags(t *testing.T) {
	has, err := lab.KernelHas("bpf_xdp_get_buff_len")
	if err != nil {
		t.Fatal(err)
	}
	if !has {
		t.Skip("this kernel's XDP has no packets longer than a page (Linux 5.18 has)")
	}
	type program interface {
		Attach(int, string, Mode) error
		Counters() (Counters, error)
		Close() error
	}
	underlay := func(frags bool, _ int) (program, error) {
		u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 1, Frags: frags})
		if err != nil {
			return nil, err
		}
		return u, errors.Join(u.AddAddr(testLocal), u.AddVNI(42))
	}
	vlan := func(frags bool, _ int) (program, error) {
		u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 1, Frags: frags, VLAN: testVLAN})
		if err != nil {
			return nil, err
		}
		return u, errors.Join(u.AddAddr(testLocal), u.AddVNI(42))
	}
	port := func(frags bool, _ int) (program, error) {
		return LoadPort(PortConfig{Queues: 1, Frags: frags})
	}
	tags := func(frags bool, ifindex int) (program, error) {
		return LoadPort(PortConfig{Queues: 1, TagsOf: ifindex, Types: btf.NewCache(), Frags: frags})
	}
	for _, tt := range []struct {
		name string
		load func(frags bool, ifindex int) (program, error)
	}{{"underlay", underlay}, {"vlan", vlan}, {"port", port}, {"porttags", tags}} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "porttags" {
				needTags(t)
			}
			newNamespace(t)
			a := pair(t, 1, 1)
			for _, name := range []string{"a", "b"} {
				if err := netlink.LinkSetMTU(device(t, name), 9050); err != nil {
					t.Fatal(err)
				}
			}
			plain, err := tt.load(false, a.Attrs().Index)
			if err != nil {
				t.Fatal(err)
			}
			defer closeIt(t, plain)
			if err := plain.Attach(a.Attrs().Index, "a", Native); !errors.Is(err, unix.ERANGE) {
				t.Errorf("without: %v, want ERANGE", err)
			}
			p, err := tt.load(true, a.Attrs().Index)
			if err != nil {
				t.Fatal(err)
			}
			defer closeIt(t, p)
			if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
				t.Fatal(err)
			}
			const frames = 10
			long := append(good(), make([]byte, 9000-60)...)
			if tt.name == "vlan" {
				long = tagged(long, testVLAN.Type, testVLAN.ID)
			}
			send(t, "b", long, frames)
			for patience := 5000; ; patience-- {
				c, err := p.Counters()
				if err != nil {
					t.Fatal(err)
				}
				if c.NoSocket == frames {
					break
				}
				if c.NoSocket > frames || patience == 0 {
					t.Fatalf("counters %+v after %d frames of ours", c, frames)
				}
				time.Sleep(time.Millisecond) // receiving is asynchronous
			}
		})
	}
}
