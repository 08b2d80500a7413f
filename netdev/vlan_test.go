package netdev

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestVLANAdvice(t *testing.T) {
	names := []string{"ens18", "veth1"}
	const lacks = "; this kernel has no VLAN devices now, which the module 8021q brings (CONFIG_VLAN_8021Q)"
	_, err := os.Stat("/proc/net/vlan")
	for name, want := range map[string]string{
		"ens18.100":  "make the VLAN: ip link add link ens18 name ens18.100 type vlan id 100",
		"veth1.4094": "make the VLAN: ip link add link veth1 name veth1.4094 type vlan id 4094",
		"ens18.0":    "", "ens18.4095": "", "ens18.": "", "ens18.1.2": "", "ens18.x": "", "ens19.1": "", ".1": "", "ens18": "",
	} {
		if want != "" && err != nil {
			want += lacks
		}
		if got := vlanAdvice(name, names); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// What a VLAN device is, on kernels that have them.
func TestLookupVLAN(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "ens18", "peer")
	index := link(t, "ens18").Attrs().Index
	err := netlink.LinkAdd(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "ens18.100", ParentIndex: index}, VlanId: 100, VlanProtocol: netlink.VLAN_PROTOCOL_8021AD})
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel has no VLAN devices (TestVLANUnderlay of make vmlab has them)")
	}
	must(t, err)
	info, err := Lookup("ens18.100")
	must(t, err)
	if want := (VLAN{Type: 0x88a8, ID: 100, Below: index}); info.VLAN != want || info.Kind != "vlan" || !info.Ethernet {
		t.Errorf("%+v, want VLAN %+v", info, want)
	}
	below, err := LookupIndex(info.VLAN.Below)
	must(t, err)
	if below.Name != "ens18" || below.VLAN != (VLAN{}) {
		t.Errorf("below it is %+v", below)
	}
	if _, err := LookupIndex(1 << 20); err == nil || !strings.Contains(err.Error(), "look up interface 1048576") {
		t.Errorf("error %v", err)
	}
}
