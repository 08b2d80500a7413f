package netdev

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes files, and folders of those that end in a slash, below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if name[len(name)-1] == '/' {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.WriteFile(path, []byte(text+"\n"), 0o644))
	}
	return dir
}

func TestPlacement(t *testing.T) {
	t.Parallel()
	irqs := tree(t, map[string]string{
		"24/ens18/": "", "24/effective_affinity_list": "0",
		"25/ens18-rx-0/": "", "25/effective_affinity_list": "3", "25/smp_affinity_list": "0-3",
		"26/ens18-rx-1/": "", "26/smp_affinity_list": "1-2",
		"27/smp_affinity_list": "0", // nobody's
		"28/virtio2-config/":   "", "28/effective_affinity_list": "1",
		"29/virtio2-input.0/": "", "29/effective_affinity_list": "1",
	})
	dir := tree(t, map[string]string{
		"class/net/ens18/ifindex": "2", "class/net/ens18/device/numa_node": "1",
		"class/net/ens18/device/msi_irqs/24": "", "class/net/ens18/device/msi_irqs/25": "", "class/net/ens18/device/msi_irqs/26": "", "class/net/ens18/device/msi_irqs/27": "",
		"devices/system/node/node1/cpulist": "2-3,6-7",
		"class/net/eth0/ifindex":            "3", "pci/msi_irqs/28": "", "pci/msi_irqs/29": "", "pci/virtio2/": "",
		"class/net/veth1/ifindex": "4",
	})
	must(t, os.Symlink(filepath.Join(dir, "pci/virtio2"), filepath.Join(dir, "class/net/eth0/device")))
	f, err := os.Open(dir)
	must(t, err)
	root := sysfs{f}
	defer root.Close()
	for name, want := range map[string]struct {
		link LinkID
		is   Placement
		err  error
	}{
		"card": {link: LinkID{Name: "ens18", Index: 2}, is: Placement{
			Node:       []int{2, 3, 6, 7},
			Interrupts: []Interrupt{{24, "ens18", []int{0}}, {25, "ens18-rx-0", []int{3}}, {26, "ens18-rx-1", []int{1, 2}}},
		}},
		"virtio":      {link: LinkID{Name: "eth0", Index: 3}, is: Placement{Interrupts: []Interrupt{{29, "virtio2-input.0", []int{1}}}}},
		"no hardware": {link: LinkID{Name: "veth1", Index: 4}, err: fs.ErrNotExist},
	} {
		got, err := placementAt(root, irqs, want.link)
		if d := cmp.Diff(want.is, got); d != "" || !errors.Is(err, want.err) {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, d)
		}
	}
}

func TestPlacementOfVeth(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	info, err := Lookup("va")
	must(t, err)
	if p, err := PlacementOf(info); err != nil || p.Node != nil || p.Interrupts != nil {
		t.Errorf("%+v, %v", p, err)
	}
}
