package dataplane

import (
	"fmt"
	"testing"
)

// What the sockets of an interface carry bounds what leaves by it, by each way there is: directly, by another worker, and by a VLAN
// of a trunk, whose tag takes a part.
func TestMost(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, most := range []int{0, 1000, 9000} {
			t.Run(fmt.Sprintf("%d workers, %d", workers, most), func(t *testing.T) {
				r := newTrunkRig(t, workers, 0x8100)
				ports := make([]*Port, len(r.snap.Ports))
				for i, p := range r.snap.Ports {
					one := *p
					one.Most = most
					ports[i] = &one
				}
				r.snap.Ports = ports
				r.publish()
				r.run()
				carried := 1500
				if most == 1000 {
					carried = 1000
				}
				found := 0
				for _, w := range r.plane.Workers() {
					for way := range ways {
						for number, p := range ports {
							want := uint32(carried + 18)
							if p.Exit.Tag != 0 {
								want -= 4
							}
							if e := w.exits[way][number]; e.socket != nil && e.limit != want {
								t.Errorf("worker %d, port %d: frames of %d bytes leave, want %d", w.ID, number, e.limit, want)
							}
							if b := w.beyond[way][number]; b.socket != nil || b.lane != nil {
								found++
								if b.limit != want {
									t.Errorf("worker %d, port %d beyond: frames of %d bytes leave, want %d", w.ID, number, b.limit, want)
								}
							}
						}
					}
				}
				if found != workers*ways*len(ports) {
					t.Errorf("%d ways out of %d ports", found, len(ports))
				}
			})
		}
	}
}
