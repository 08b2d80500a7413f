package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// What a change from one gateway to the next may break, watched from outside while it happens.

// trickle is datagrams that one host sends to another, some thousand a second.
type trickle struct {
	stop func()
	mu   sync.Mutex
	got  int
	last time.Time
	gap  time.Duration // the longest without a datagram
}

// newTrickle starts one. It is watched from its first datagram on.
func newTrickle(t *testing.T, from, to *lab.Host, addr string, port int) *trickle {
	t.Helper()
	s := &trickle{}
	var in, out net.Conn
	must(t, to.Do(func() error {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		in = c
		return err
	}))
	must(t, from.Do(func() (err error) {
		out, err = net.Dial("udp4", net.JoinHostPort(addr, fmt.Sprint(port)))
		return err
	}))
	var done sync.WaitGroup
	quit := make(chan struct{})
	done.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		payload := make([]byte, 200)
		for n := uint64(0); ; n++ {
			select {
			case <-quit:
				return
			case <-tick.C:
				binary.BigEndian.PutUint64(payload, n)
				out.Write(payload) // refused while nobody listens there any more
			}
		}
	})
	done.Go(func() {
		payload := make([]byte, 2000)
		for {
			if _, err := in.Read(payload); err != nil {
				return
			}
			now := time.Now()
			s.mu.Lock()
			if s.got > 0 {
				s.gap = max(s.gap, now.Sub(s.last))
			}
			s.got, s.last = s.got+1, now
			s.mu.Unlock()
		}
	})
	s.stop = sync.OnceFunc(func() {
		close(quit)
		in.Close()
		done.Wait()
		out.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// flows waits until more datagrams have come.
func (s *trickle) flows(t *testing.T) {
	t.Helper()
	begin := s.count()
	eventually(t, func() string {
		if n := s.count() - begin; n < 50 {
			return fmt.Sprintf("%d datagrams have come", n)
		}
		return ""
	})
}

func (s *trickle) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// longest is the longest gap since the last call.
func (s *trickle) longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gap
	s.gap = 0
	return g
}

// longTransfer keeps a TCP connection busy until finish is called, which says what did not arrive as it was sent.
func longTransfer(t *testing.T, from, to *lab.Host, addr string, port int) (finish func()) {
	t.Helper()
	var l net.Listener
	var out net.Conn
	must(t, to.Do(func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	}))
	must(t, from.Do(func() (err error) {
		out, err = net.DialTimeout("tcp4", net.JoinHostPort(addr, fmt.Sprint(port)), patience)
		return err
	}))
	quit, sent, result := make(chan struct{}), make(chan uint64, 1), make(chan string, 1)
	go func() {
		block := make([]byte, 16<<10)
		for n := uint64(0); ; {
			for i := range block {
				block[i] = byte((n + uint64(i)) * 7)
			}
			k, err := out.Write(block)
			n += uint64(k)
			select {
			case <-quit:
			default:
				if err == nil {
					time.Sleep(time.Millisecond) // a machine with two CPUs has other things to do
					continue
				}
			}
			out.Close()
			sent <- n
			return
		}
	}()
	go func() {
		defer l.Close()
		in, err := l.Accept()
		if err != nil {
			result <- err.Error()
			return
		}
		defer in.Close()
		n, block := uint64(0), make([]byte, 64<<10)
		for {
			k, err := in.Read(block)
			for i := range k {
				if block[i] != byte((n+uint64(i))*7) {
					result <- fmt.Sprintf("byte %d is wrong", n+uint64(i))
					return
				}
			}
			n += uint64(k)
			if err == io.EOF {
				result <- fmt.Sprint(n)
				return
			}
			if err != nil {
				result <- err.Error()
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		t.Helper()
		close(quit)
		out.SetDeadline(time.Now().Add(patience))
		want := fmt.Sprint(<-sent)
		select {
		case got := <-result:
			if got != want || want == "0" {
				t.Errorf("TCP: sent %s bytes, received %s", want, got)
			}
		case <-time.After(patience):
			t.Error("TCP: the connection does not end")
		}
	})
}

// watch is what was seen of a host's interfaces without a pause.
type watch struct {
	stop     func()
	programs map[string][]uint32 // ids, in order
	troubles []string
	looks    int
}

// watchLinks looks on until stop is called: whether each interface keeps its index and its carrier, and the steered ones
// a program.
func watchLinks(t *testing.T, h *lab.Host, steered []string, others ...string) *watch {
	t.Helper()
	w := &watch{programs: map[string][]uint32{}}
	index := map[string]int{}
	names := slices.Concat(steered, others)
	for _, n := range names {
		l, err := h.Link(n)
		must(t, err)
		index[n] = l.Attrs().Index
	}
	ctx, cancel := context.WithCancel(context.Background())
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- h.Do(func() error {
			for last := false; !last; w.looks++ {
				last = ctx.Err() != nil // one look when it is over, however rarely it had a CPU
				for _, n := range names {
					w.look(n, index[n], slices.Contains(steered, n))
				}
				if w.looks == 0 {
					close(begun)
				}
				time.Sleep(200 * time.Microsecond)
			}
			return nil
		})
	}()
	<-begun
	w.stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-ended)
	})
	t.Cleanup(w.stop)
	return w
}

func (w *watch) look(name string, index int, steered bool) {
	const lowerUp = 1 << 16 // IFF_LOWER_UP
	trouble := func(what string) {
		if len(w.troubles) < 20 {
			w.troubles = append(w.troubles, name+" "+what)
		}
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		trouble("cannot be found: " + err.Error())
		return
	}
	a := l.Attrs()
	switch {
	case a.Index != index:
		trouble("is another one")
	case a.RawFlags&lowerUp == 0:
		trouble("has no carrier")
	case !steered:
	case a.Xdp == nil || !a.Xdp.Attached:
		trouble("has no program")
	default:
		ids := w.programs[name]
		if len(ids) == 0 || ids[len(ids)-1] != a.Xdp.ProgId {
			w.programs[name] = append(ids, a.Xdp.ProgId)
		}
	}
}

// sameButPrograms fails when the network of h is not as it was, but for which programs run.
func sameButPrograms(t *testing.T, before string, h *lab.Host) {
	t.Helper()
	strip := func(dump string) string {
		return strings.Join(slices.DeleteFunc(strings.Split(dump, "\n"), func(l string) bool { return strings.HasPrefix(l, "xdp ") }), "\n")
	}
	eventually(t, func() string {
		if d := cmp.Diff(strip(before), strip(dump(t, h))); d != "" {
			return "not as it was (-before +after):\n" + d
		}
		return ""
	})
}

// overlayRoute is a route by way of the peer, as somebody may have added by hand.
func overlayRoute(dev string) lab.Route {
	return lab.Route{Dst: netip.MustParsePrefix("10.99.0.0/24"), Via: netip.MustParseAddr(peerAddress), Dev: dev}
}

// tellsOfTheGap accepts what must not be seen on the underlay while one gateway follows another: ICMP destination unreachable for
// what nobody takes, and reports that a group is left (RFC 3376 section 4.2.12: to include nobody, or nobody any more).
func tellsOfTheGap(f lab.Frame) bool {
	if len(f.Data) < 34 || binary.BigEndian.Uint16(f.Data[12:]) != 0x0800 {
		return false
	}
	ip := f.Data[14:]
	payload := ip[int(ip[0]&15)*4:]
	switch {
	case ip[9] == 1:
		return len(payload) > 0 && payload[0] == 3
	case ip[9] == 2 && len(payload) > 8:
		return payload[0] == 0x17 || payload[0] == 0x22 && (payload[8] == 3 || payload[8] == 6)
	}
	return false
}
