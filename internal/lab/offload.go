package lab

import (
	"fmt"
	"strings"

	"vxgw/internal/ethtool"
)

// offloadGroups are the short words of `ethtool -K`, each for the features whose names begin so.
var offloadGroups = map[string]string{
	"rx":     "rx-checksum",
	"tx":     "tx-checksum-",
	"tso":    "tx-tcp",
	"gso":    "tx-generic-segmentation",
	"gro":    "rx-gro",
	"rxvlan": "rx-vlan-hw-parse",
	"txvlan": "tx-vlan-hw-insert",
}

// Offloads returns the features of a link under the kernel's names (as `ethtool -k` lists the indented ones), and what
// is active.
func (h *Host) Offloads(link string) (out map[string]bool, err error) {
	err = h.Do(func() (err error) {
		out, err = ethtool.Active(link)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read offloads of %s of %s: %w", link, h.name, err)
	}
	return out, nil
}

// SetOffload switches a feature of a link: a kernel's name (tx-udp-segmentation), or one of rx, tx, tso, gso, gro,
// rxvlan, txvlan, which mean all that `ethtool -K` means by them. It is an error if the link cannot be made to obey.
func (h *Host) SetOffload(link, feature string, on bool) error {
	err := h.Do(func() error {
		state, err := ethtool.Features(link)
		if err != nil {
			return err
		}
		want := map[string]bool{}
		for name, s := range state {
			if group, ok := offloadGroups[feature]; name == feature || ok && strings.HasPrefix(name, group) && s.Available {
				want[name] = on
			}
		}
		if len(want) == 0 {
			return fmt.Errorf("no such feature")
		}
		if err := ethtool.Change(link, want); err != nil {
			return err
		}
		is, err := ethtool.Active(link)
		if err != nil {
			return err
		}
		for name := range want {
			if is[name] != on {
				return fmt.Errorf("the driver keeps %s as it is", name)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set %s of %s of %s to %t: %w", feature, link, h.name, on, err)
	}
	return nil
}
