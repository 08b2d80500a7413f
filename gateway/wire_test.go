package gateway

import (
	"errors"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/netdev"
)

// What is no VLAN is its own lower interface; a VLAN whose interface is elsewhere has none here. The
// others are tried where the kernel has VLAN devices (TestVLANUnderlay of cmd/gw).
func TestLower(t *testing.T) {
	plain := netdev.Info{Name: "ens18", Index: 7}
	if below, err := lower(plain); err != nil || below.Index != 7 {
		t.Errorf("below ens18 is %+v, %v", below, err)
	}
	away := netdev.Info{Name: "ens18.100", Index: 8, VLAN: netdev.VLAN{Type: 0x8100, ID: 100, Below: 7, Elsewhere: true}}
	_, err := lower(away)
	if wrong := (*config.Error)(nil); !errors.As(err, &wrong) || !strings.Contains(wrong.Problem, "VLAN 100 of an interface in another network namespace") {
		t.Errorf("error %v", err)
	}
	if v := tag(away.VLAN); v != 0x81000064 {
		t.Errorf("tag %#x", v)
	}
}
