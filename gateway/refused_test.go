package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vxgw/config"
	"vxgw/control"
)

// A family that only a refused reload, or a remote that has gone, was about is not in use: no source is looked for,
// and packets to it are not the gateway's.
func TestFamilyIsInUseNoMore(t *testing.T) {
	b := newBed(t)
	must(t, b.host.AddAddress("ens18", "2001:db8::1/64"))
	must(t, b.host.Bridge("taken"))
	six := netip.MustParseAddr("2001:db8::1")
	uses := func() bool { return slices.Contains(b.g.Status().Underlay.Locals, six.String()) }
	err := b.reload(func(cfg *config.Config) {
		a, c := cfg.NewVNI(200), cfg.NewVNI(201)
		a.Remotes = []config.Remote{{Dst: netip.MustParseAddr("2001:db8::2")}}
		c.Device = &config.Device{Name: "taken"}
		cfg.VNIs = append(cfg.VNIs[:1:1], a, c)
	})
	if err == nil || !strings.Contains(err.Error(), "vni 201: create device taken") {
		t.Fatalf("refused with %v", err)
	}
	gone := func() bool {
		_, watched := b.g.mirror.Path(netip.MustParseAddr("2001:db8::2"))
		return !watched && !uses() && !b.g.mirror.Link().Sources.Six.IsValid()
	}
	b.await("nothing is left of IPv6", gone)
	for range 2 {
		must(t, b.g.AddRemote(control.RemoteChange{VNI: 42, Address: netip.MustParseAddr("2001:db8::2")}))
		b.await("the remote has a source", uses)
		must(t, b.g.DeleteRemote(control.RemoteChange{VNI: 42, Address: netip.MustParseAddr("2001:db8::2")}))
		b.await("nothing is left of IPv6", gone)
	}
	if !slices.Contains(b.g.Status().Underlay.Locals, "10.0.0.1") {
		t.Error("IPv4 is not in use, which the configuration is about")
	}
}

// An address of the underlay is nobody else's, whether its family is in use or not, and whether it is the source or not.
func TestOwnAddressIsNoRemote(t *testing.T) {
	b := newBed(t)
	for _, a := range []string{"2001:db8::1/64", "10.0.1.1/24"} {
		must(t, b.host.AddAddress("ens18", a))
		own := netip.MustParsePrefix(a).Addr()
		b.await("the address is known", func() bool { return slices.Contains(b.g.mirror.Link().Own, own) })
		mac := "02:57:a7:1c:00:01"
		for what, do := range map[string]func() error{
			"reload": func() error {
				return b.reload(func(cfg *config.Config) {
					v := cfg.NewVNI(200)
					v.Remotes = []config.Remote{{Dst: own}}
					cfg.VNIs = append(cfg.VNIs[:1:1], v)
				})
			},
			"reload of an entry": func() error {
				return b.reload(func(cfg *config.Config) {
					v := cfg.NewVNI(200)
					v.FDB = []config.Static{{MAC: config.MAC{2, 0x57, 0xa7, 0x1c, 0, 1}, Dst: own}}
					cfg.VNIs = append(cfg.VNIs[:1:1], v)
				})
			},
			"vni add":    func() error { return b.g.AddVNI([]byte(`{"vni": 201, "remotes": ["` + own.String() + `"]}`)) },
			"remote add": func() error { return b.g.AddRemote(control.RemoteChange{VNI: 42, Address: own}) },
			"fdb add": func() error {
				return b.g.ChangeFDB("add", control.FDBChange{MAC: mac, Dev: "gw42", Dst: own})
			},
		} {
			if err := do(); err == nil || !strings.Contains(err.Error(), own.String()) || !strings.Contains(err.Error(), "own address") && !strings.Contains(err.Error(), "local address") {
				t.Errorf("%s of %s: %v", what, own, err)
			}
		}
	}
}

// A device that takes only the first of two addresses takes none, and the MTU stays.
func TestRefusedAddresses(t *testing.T) {
	b := newBed(t)
	must(t, b.g.AddVNI([]byte(`{"vni": 43, "device": {"addresses": ["172.17.43.1/24"]}}`)))
	must(t, b.host.SetSysctl("net.ipv6.conf.gw43.disable_ipv6", "1"))
	looks := func() string {
		t.Helper()
		text, err := b.host.Dump()
		must(t, err)
		// The kernel joins all hosts of IPv6 at a change of the MTU, whatever comes of it.
		return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool {
			return strings.Contains(l, "333300000001") || strings.Contains(l, "33:33:00:00:00:01")
		}), "\n")
	}
	b.direct() // the neighbour has its address
	before := ""
	b.await("addresses of IPv6 and their groups are there", func() bool {
		before = looks()
		time.Sleep(100 * time.Millisecond)
		return looks() == before
	})
	holds := b.holdings()
	err := b.reload(func(cfg *config.Config) {
		v := cfg.NewVNI(43)
		v.Ageing, v.Device = 0, &config.Device{Name: "gw43", MTU: 1400}
		for _, a := range []string{"172.17.43.1/24", "172.17.43.2/24", "172.17.44.1/24", "2001:db8:1::1/64"} {
			v.Device.Addresses = append(v.Device.Addresses, netip.MustParsePrefix(a))
		}
		cfg.VNIs = append(cfg.VNIs[:1:1], v)
	})
	if err == nil || !strings.Contains(err.Error(), "add address 2001:db8:1::1/64") || strings.Contains(err.Error(), "take it back") {
		t.Fatalf("refused with %v", err)
	}
	after := looks()
	if before != after || b.holdings() != holds {
		t.Error(cmp.Diff(before, after))
	}
	for _, v := range b.g.running().VNIs {
		if v.VNI == 43 && (v.Ageing == 0 || v.Device.MTU != 0) {
			t.Errorf("VNI 43 has %+v", v)
		}
	}
}
