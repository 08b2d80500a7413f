package gateway

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// churnTime is how long VNIs come and go. VXGW_CHURN=1m in the environment makes it
// a minute.
func churnTime(t *testing.T) time.Duration {
	d := 3 * time.Second
	if text := os.Getenv("VXGW_CHURN"); text != "" {
		var err error
		d, err = time.ParseDuration(text)
		must(t, err)
	}
	return d
}

// churned are the VNIs that come and go, each with a port and a container of its own.
// All say the same addresses, so that whatever is left of one index would serve the next.
const churned = 5

func churnVNI(k int) uint32 { return uint32(100 + 1000*k) }

// tagged is a frame that says which VNI it is of and how many were before it.
func tagged(dst, src byte, vni uint32, seq uint64) []byte {
	f := frame(dst, src, 60)
	binary.BigEndian.PutUint32(f[14:], vni)
	binary.BigEndian.PutUint64(f[18:], seq)
	return f
}

// listener counts tagged frames on a link, and those of a VNI that must not be there.
type listener struct {
	steady, others, strange atomic.Uint64
}

// listen starts a listener. vniOf finds the inner frame and the VNI that it may be of.
func listen(t *testing.T, done *sync.WaitGroup, stop *atomic.Bool, h *lab.Host, link string, vniOf func([]byte) (inner []byte, vni uint32)) *listener {
	t.Helper()
	fd := packetSocket(t, h, link, unix.ETH_P_ALL)
	must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20))
	must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}))
	l := &listener{}
	done.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				if stop.Load() {
					return
				}
				continue
			}
			inner, vni := vniOf(buf[:n])
			if len(inner) < 26 || inner[12] != 0x88 || inner[13] != 0xb5 {
				continue
			}
			switch tag := binary.BigEndian.Uint32(inner[14:]); {
			case tag != vni:
				l.strange.Add(1)
			case tag == 42:
				l.steady.Add(1)
			default:
				l.others.Add(1)
			}
		}
	})
	return l
}

// VNIs come and go under traffic, by verbs and by reloads, so that indices of domains
// and ports stand for one after another. No frame of one appears in another, and one
// that stays loses none.
func TestChurn(t *testing.T) {
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(_ *bed, cfg *config.Config) {
		cfg.Dataplane.Workers = uint32(min(2, runtime.NumCPU())) // frames cross between them, too
	})
	b.direct()
	var boxes []*lab.Host
	for k := range churned {
		c, err := b.host.BridgePort(fmt.Sprintf("p%d", k), fmt.Sprintf("box%d", k), fmt.Sprintf("172.20.%d.2/24", k), lab.VethOptions{})
		must(t, err)
		boxes = append(boxes, c)
	}

	var listening, sending sync.WaitGroup
	var stop, deaf atomic.Bool
	defer listening.Wait()
	defer deaf.Store(true)
	wire := listen(t, &listening, &deaf, b.remote, "ens18", func(p []byte) ([]byte, uint32) {
		if len(p) < vxlan.Overhead || p[23] != unix.IPPROTO_UDP || binary.BigEndian.Uint16(p[36:]) != 4789 {
			return nil, 0
		}
		return p[vxlan.Overhead:], binary.BigEndian.Uint32(p[46:]) >> 8
	})
	inside := []*listener{listen(t, &listening, &deaf, b.container, "veth0", func(p []byte) ([]byte, uint32) { return p, 42 })}
	for k, box := range boxes {
		inside = append(inside, listen(t, &listening, &deaf, box, "veth0", func(p []byte) ([]byte, uint32) { return p, churnVNI(k) }))
	}

	// The steady VNI, counted, and all others, as fast as the same pace allows. Each says
	// to both sides where the address is that the other one sends to.
	pace := func(fd int, sent *atomic.Uint64, may func() bool, frames func(seq uint64) [][]byte) {
		sending.Go(func() {
			for ; !stop.Load(); time.Sleep(500 * time.Microsecond) {
				if !may() {
					continue
				}
				for _, f := range frames(sent.Load()) {
					send(t, fd, f)
				}
				sent.Add(1)
			}
		})
	}
	// Whoever is kept from its CPU, the kernel is to lose no frame for want of room: steady frames wait for those before them,
	// and the others for steady ones.
	const ahead = 8 // and 11 packets each time are fewer than a veth keeps (VETH_RING_SIZE)
	behind := func(sent, arrived *atomic.Uint64) func() bool {
		return func() bool { return sent.Load() < arrived.Load()+ahead }
	}
	beside := func() func() bool {
		seen, times := uint64(0), 0
		return func() bool {
			if n := wire.steady.Load() + inside[0].steady.Load(); n != seen {
				seen, times = n, 0
			}
			times++
			return times <= ahead
		}
	}
	var out, in atomic.Uint64
	pace(packetSocket(t, b.container, "veth0", 0), &out, behind(&out, &wire.steady), func(seq uint64) [][]byte { return [][]byte{tagged(9, 7, 42, seq)} })
	pace(packetSocket(t, b.remote, "ens18", 0), &in, behind(&in, &inside[0].steady), func(seq uint64) [][]byte {
		return [][]byte{b.packetOf(42, tagged(7, 9, 42, seq))}
	})
	pace(packetSocket(t, b.remote, "ens18", 0), new(atomic.Uint64), beside(), func(seq uint64) (all [][]byte) {
		for k := range churned {
			// To the box, and to an address that only another one's VNI ever learned.
			all = append(all, b.packetOf(churnVNI(k), tagged(7, 9, churnVNI(k), seq)))
			all = append(all, b.packetOf(churnVNI(k), tagged(20+byte(seq%churned), 9, churnVNI(k), seq)))
		}
		return all
	})
	for k, box := range boxes {
		pace(packetSocket(t, box, "veth0", 0), new(atomic.Uint64), beside(), func(seq uint64) [][]byte {
			return [][]byte{tagged(9, []byte{7, 20 + byte(k)}[seq%2], churnVNI(k), seq)}
		})
	}

	// Entries at ports that come and go, at any moment: most are refused.
	sending.Go(func() {
		for k := 0; !stop.Load(); k++ {
			_ = b.g.ChangeFDB("replace", control.FDBChange{
				MAC: macText(0x020000000000 + 20 + uint64(k%churned)), Dev: fmt.Sprintf("p%d", k%churned), Master: true,
			})
			time.Sleep(200 * time.Microsecond)
		}
	})

	turns := b.churn(churnTime(t), func() bool {
		return min(out.Load(), in.Load()) >= 100 && !slices.ContainsFunc(inside[1:], func(l *listener) bool { return l.others.Load() == 0 })
	})
	stop.Store(true)
	sending.Wait()
	b.quiet()
	b.await("the last frames have come", func() bool {
		return wire.steady.Load() >= out.Load() && inside[0].steady.Load() >= in.Load()
	})
	if wire.steady.Load() != out.Load() || inside[0].steady.Load() != in.Load() || out.Load() < 100 {
		t.Errorf("the steady VNI: %d of %d frames went out, %d of %d came in", wire.steady.Load(), out.Load(), inside[0].steady.Load(), in.Load())
	}
	others := wire.others.Load()
	for k, l := range append(inside, wire) {
		if n := l.strange.Load(); n > 0 {
			t.Errorf("listener %d: %d frames of other VNIs", k, n)
		}
		if k > 0 && k <= churned {
			others = min(others, l.others.Load())
		}
	}
	if others == 0 {
		t.Errorf("nothing of the others came in %d turns", turns)
	}
	t.Logf("%d turns; %d frames out and %d in of the steady VNI; %d out of the others", turns, out.Load(), in.Load(), wire.others.Load())
	if n := b.g.domainNumbers.used; n > 2*churned {
		t.Errorf("%d bridge domain indices were given out", n)
	}
	b.close() // counts the frames
}

// leastTurns is how often what comes and goes does so on a machine that is busy, however long that takes.
const leastTurns = 10

// again reports whether churn of some length that began at a time is to go on after so many turns: until enough came of it, but
// not for ever.
func again(turns int, begin time.Time, long time.Duration, enough func() bool) bool {
	past := time.Since(begin)
	return turns < leastTurns || past < long || !enough() && past < long+patience
}

// churn adds and removes VNIs for some time, one way or another, and returns how often.
func (b *bed) churn(long time.Duration, enough func() bool) (turns int) {
	b.t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	var has [churned]int // 0 nothing, 1 a VNI without port, 2 one with its port
	for begin := time.Now(); again(turns, begin, long, enough); turns++ {
		if rnd.IntN(4) == 0 { // several at once
			must(b.t, b.reload(func(cfg *config.Config) {
				cfg.VNIs = cfg.VNIs[:1]
				for k := range churned {
					if has[k] = rnd.IntN(3); has[k] == 0 {
						continue
					}
					v := cfg.NewVNI(churnVNI(k))
					v.Remotes, v.Ports = cfg.VNIs[0].Remotes, []config.Port{{Name: fmt.Sprintf("p%d", k)}}[:has[k]-1]
					cfg.VNIs = append(cfg.VNIs, v)
				}
			}))
			continue
		}
		k := rnd.IntN(churned)
		vni, port, will := churnVNI(k), fmt.Sprintf("p%d", k), (has[k]+1+rnd.IntN(2))%3
		switch {
		case will == 0:
			must(b.t, b.g.DeleteVNI(vni))
		case has[k] == 0:
			ports := []string{}
			if will == 2 {
				ports = append(ports, port)
			}
			text, err := json.Marshal(map[string]any{"vni": vni, "remotes": []string{"10.0.0.2"}, "device": nil, "ports": ports})
			must(b.t, err)
			must(b.t, b.g.AddVNI(text))
		case will == 1:
			must(b.t, b.g.DeletePort(control.PortChange{Name: port}))
		default:
			must(b.t, b.g.AddPort(control.PortChange{VNI: vni, Name: port}))
		}
		has[k] = will
	}
	return turns
}

// reload is what SIGHUP does, with another configuration.
func (b *bed) reload(change func(*config.Config)) error {
	_, err := b.g.Reload(func() (*config.Config, error) {
		cfg := *b.g.cfg
		change(&cfg)
		return &cfg, cfg.Validate()
	})
	return err
}

// packetOf is a frame of a VNI as the remote would send it.
func (b *bed) packetOf(vni uint32, inner []byte) []byte {
	p := b.packet(inner)
	binary.BigEndian.PutUint32(p[46:], vni<<8)
	return p
}
