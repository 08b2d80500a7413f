package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// VLANs of a trunk come and go under traffic, by verbs and by reloads. No frame of one is seen in
// another, nor in another's VNI, and one that stays loses none.
func TestTrunkChurn(t *testing.T) {
	vlanOf := func(k int) uint16 { return uint16(100 + k) }
	port := func(k int) config.Port { return config.Port{Name: "veth1", VLAN: config.VLAN(vlanOf(k))} }
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(b *bed, cfg *config.Config) {
		must(t, b.container.SetOffload("veth0", "txvlan", false))
		cfg.Dataplane.Workers = uint32(min(2, runtime.NumCPU()))
		cfg.VNIs[0].Ports = []config.Port{{Name: "veth1", VLAN: 42}}
	})
	b.direct()
	vniOf := func(vlan uint16) uint32 {
		if vlan == 42 {
			return 42
		}
		return churnVNI(int(vlan) - 100)
	}
	var out, in, others, strange atomic.Uint64 // frames that came, counted and not kept: there may be many
	_, err := b.remote.Capture("ens18", func(f lab.Frame) bool {
		if !f.Outgoing && len(f.Data) == vxlan.Overhead+60 && f.Data[62] == 0x88 {
			switch vni, tag := binary.BigEndian.Uint32(f.Data[46:])>>8, binary.BigEndian.Uint32(f.Data[vxlan.Overhead+14:]); {
			case vni != tag:
				strange.Add(1)
			case vni == 42:
				out.Add(1)
			default:
				others.Add(1)
			}
		}
		return false
	})
	must(t, err)
	_, err = b.container.Capture("veth0", func(f lab.Frame) bool {
		if !f.Outgoing && f.Data[12] == 0x88 {
			switch tag := binary.BigEndian.Uint32(f.Data[14:]); {
			case !f.Tagged || vniOf(f.VLAN) != tag:
				strange.Add(1)
			case tag == 42:
				in.Add(1)
			default:
				others.Add(1)
			}
		}
		return false
	})
	must(t, err)

	var sending sync.WaitGroup
	var stop atomic.Bool
	var steady atomic.Uint64
	fromTrunk, fromWire := packetSocket(t, b.container, "veth0", 0), packetSocket(t, b.remote, "ens18", 0)
	sending.Go(func() {
		for seq := uint64(0); !stop.Load(); time.Sleep(500 * time.Microsecond) {
			// The kernel is to lose none for want of room, whoever is kept from its CPU: so many times six are fewer than a veth keeps.
			if seq >= min(out.Load(), in.Load())+16 {
				continue
			}
			for k := range churned + 1 {
				vlan := vlanOf(k)
				if k == churned {
					vlan = 42
				}
				f := tagged(9, 7, vniOf(vlan), seq)
				send(t, fromTrunk, slices.Concat(f[:12], binary.BigEndian.AppendUint32(nil, 0x81000000|uint32(vlan)), f[12:]))
				send(t, fromWire, b.packetOf(vniOf(vlan), tagged(7, 9, vniOf(vlan), seq)))
			}
			seq++
			steady.Store(seq)
		}
	})

	rnd := rand.New(rand.NewPCG(3, 4))
	var has [churned]bool
	turns := 0
	enough := func() bool { return steady.Load() >= 100 && others.Load() > 0 }
	for begin := time.Now(); again(turns, begin, churnTime(t)/2, enough); turns++ {
		if rnd.IntN(4) == 0 { // several at once
			must(t, b.reload(func(cfg *config.Config) {
				cfg.VNIs = slices.Clone(cfg.VNIs[:1])
				for k := range churned {
					v := cfg.NewVNI(churnVNI(k))
					v.Remotes = cfg.VNIs[0].Remotes
					if has[k] = rnd.IntN(2) == 0; has[k] {
						v.Ports = []config.Port{port(k)}
					}
					cfg.VNIs = append(cfg.VNIs, v)
				}
			}))
			continue
		}
		k := rnd.IntN(churned)
		c := control.PortChange{Name: "veth1", VNI: churnVNI(k), VLAN: port(k).VLAN.String()}
		switch {
		case len(b.g.Status().VNIs) == 1: // before the first reload
		case has[k]:
			has[k] = false
			must(t, b.g.DeletePort(c))
		default:
			has[k] = true
			must(t, b.g.AddPort(c))
		}
	}
	stop.Store(true)
	sending.Wait()
	b.quiet()
	b.await("the last frames have come", func() bool { return min(out.Load(), in.Load()) >= steady.Load() })
	if n := steady.Load(); out.Load() != n || in.Load() != n || strange.Load() > 0 || others.Load() == 0 {
		t.Errorf("%d turns: of %d frames of the VLAN that stays %d went out and %d came in; %d of others, %d in the wrong place", turns, n, out.Load(), in.Load(), others.Load(), strange.Load())
	}
	t.Logf("%d turns; %d frames each way of the VLAN that stays, %d of others", turns, steady.Load(), others.Load())
	if n := b.g.portNumbers.used; n > 2*churned+4 {
		t.Errorf("%d port indices were given out", n)
	}
	b.close() // counts the frames
}
