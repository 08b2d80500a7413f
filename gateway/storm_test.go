package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/dataplane"
	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// TestFlappingNeighbours changes the hardware addresses of a thousand neighbours, and
// removes them, as fast as the kernel takes it. There are at most a hundred snapshots a second, and
// none of the frames to another remote is lost.
func TestFlappingNeighbours(t *testing.T) {
	const remotes, frames = 1000, 1000
	b := newBed(t)
	b.direct()
	b.crowd(remotes)
	arrived := func(f lab.Frame) bool {
		return !f.Outgoing && len(f.Data) == 50+100 && binary.BigEndian.Uint16(f.Data[36:]) == 4789
	}
	tap, err := b.remote.Capture("ens18", arrived)
	must(t, err)

	begin := time.Now() // before the first is looked at, and the last is before took: whoever is kept from running in between does not miss one
	first := b.g.plane.Snapshot().Seq
	calm, ended := make(chan struct{}), make(chan error, 1)
	stop := sync.OnceFunc(func() { close(calm) })
	t.Cleanup(stop)
	turns := 0
	go func() {
		var err error
		turns, err = b.storm(remotes, calm)
		ended <- err
	}()
	const way = 150 // fewer than a veth keeps (VETH_RING_SIZE): the kernel is to lose none when softirqs wait for a CPU
	for sent := 0; sent < frames; sent += 10 {
		b.await("most of the frames have arrived", func() bool { return sent-len(tap.Frames()) < way })
		must(t, b.container.SendFrame("veth0", slices.Repeat([][]byte{frame(0xff, 1, 100)}, 10)...))
	}
	stop()
	must(t, <-ended)
	b.await("the last addresses are in force", func() bool {
		paths := b.g.plane.Snapshot().Paths[0]
		for i := range remotes {
			want := crowdedMAC(i, turns)
			if n, _ := b.g.plane.Remotes.Find(crowded(i)); macOf(paths[n]) != [6]byte(want) {
				return false
			}
		}
		return true
	})
	snapshots := b.g.plane.Snapshot().Seq - first
	took := time.Since(begin)
	if most := uint64(took/minGap) + 2; snapshots > most || snapshots == 0 {
		t.Errorf("%d snapshots in %v, want at most %d", snapshots, took, most)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := tap.Wait(ctx, frames, arrived); err != nil {
		t.Errorf("of %d frames %d arrived: %v", frames, len(tap.Frames()), err)
	}
	t.Logf("%d changes in %v: %d snapshots, %+v", remotes*turns, took, snapshots, b.g.mirror.Stats())
}

// storm gives each of the crowd another hardware address, over and over, and returns
// how often. A tenth of them are removed before.
func (b *bed) storm(remotes int, calm <-chan struct{}) (turns int, err error) {
	link, err := b.host.Link("ens18")
	if err != nil {
		return 0, err
	}
	err = b.host.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		n := netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT}
		for {
			select {
			case <-calm:
				return nil
			default:
			}
			turns++
			for i := range remotes {
				n.IP, n.HardwareAddr = crowded(i).AsSlice(), crowdedMAC(i, turns)
				if i%10 == turns%10 { // what is gone, the gateway has resolved anew
					if err := h.NeighDel(&n); err != nil && !errors.Is(err, unix.ENOENT) {
						return err
					}
				}
				if err := h.NeighSet(&n); err != nil {
					return err
				}
			}
		}
	})
	return turns, err
}

// macOf is where packets by a path go.
func macOf(p dataplane.Path) [6]byte {
	var head [vxlan.Overhead]byte
	p.Headers.Template.Put(&head, 100, 42, 0, 0)
	return [6]byte(head[:6])
}

// BenchmarkPublish builds snapshots with ten thousand remotes, the ways to which are
// known.
func BenchmarkPublish(b *testing.B) {
	const remotes = 10000
	bed := newBed(b)
	bed.crowd(remotes)
	must(b, bed.g.order(func() (bool, error) {
		b.ReportAllocs()
		for b.Loop() {
			bed.g.publish()
		}
		return false, nil
	}))
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/snapshot")
}

// crowd has the gateway follow the ways to so many remotes on its link, which have
// static neighbour entries.
func (b *bed) crowd(remotes int) {
	b.t.Helper()
	must(b.t, b.host.AddAddress("ens18", "10.1.0.1/16"))
	link, err := b.host.Link("ens18")
	must(b.t, err)
	must(b.t, b.host.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		for i := range remotes {
			if err := h.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: crowded(i).AsSlice(), HardwareAddr: crowdedMAC(i, 0)}); err != nil {
				return err
			}
		}
		return nil
	}))
	must(b.t, b.g.order(func() (bool, error) {
		for i := range remotes {
			if _, err := b.g.remote(crowded(i)); err != nil {
				return false, err
			}
		}
		return true, nil
	}))
	b.await("the ways to all are direct", func() bool {
		s := b.g.plane.Snapshot()
		if len(s.Paths[0]) <= remotes {
			return false
		}
		for _, p := range s.Paths[0][1:] {
			if p.State != dataplane.PathDirect {
				return false
			}
		}
		return true
	})
}

// crowded is the address of a remote of the crowd.
func crowded(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 1 + byte(i>>8), byte(i)}) }

// crowdedMAC is one of its hardware addresses.
func crowdedMAC(i, turn int) []byte {
	return []byte{2, 1, byte(turn >> 8), byte(turn), byte(i >> 8), byte(i)}
}
