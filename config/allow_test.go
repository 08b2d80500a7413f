package config

import "testing"

// The word remotes is for VNIs that name some: beside a group too, in the flood list or in an entry.
func TestAllowRemotesBesideGroup(t *testing.T) {
	for text, right := range map[string]bool{
		"{vni: 1, group: 224.1.1.1, allow: remotes}":                                                         false,
		"{vni: 1, group: 224.1.1.1, allow: remotes, remotes: [10.0.0.1]}":                                    true,
		"{vni: 1, group: 224.1.1.1, allow: remotes, fdb: [{mac: '02:00:00:00:00:01', dst: 10.0.0.1}]}":       true,
		"{vni: 1, group: 224.1.1.1, allow: remotes, fdb: [{mac: '02:00:00:00:00:01', port: a}], ports: [a]}": false,
	} {
		if _, err := Parse([]byte("underlay: {iface: u}\nvnis: ["+text+"]\n"), "f"); (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
	}
}
