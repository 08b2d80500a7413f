package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
)

func namespaceHere(t *testing.T) string {
	t.Helper()
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	must(t, err)
	return ns
}

func TestDoNests(t *testing.T) {
	_, a, b := pair(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home := namespaceHere(t)
	failure := errors.New("failure")
	err := a.Do(func() error {
		inA := namespaceHere(t)
		err := b.Do(func() error {
			if inB := namespaceHere(t); inB == inA || inB == home || inA == home {
				t.Errorf("home %s, a %s, b %s", home, inA, inB)
			}
			return failure
		})
		if namespaceHere(t) != inA {
			t.Error("did not come back to a")
		}
		return err
	})
	if !errors.Is(err, failure) {
		t.Errorf("error: %v", err)
	}
	if namespaceHere(t) != home {
		t.Error("did not come home")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = a.Do(func() error { panic("stop") })
	}()
	if namespaceHere(t) != home {
		t.Error("did not come home after a panic")
	}
}

func TestDoSurvivesGoexit(t *testing.T) {
	_, a, _ := pair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = a.Do(func() error { runtime.Goexit(); return nil })
	}()
	<-done
	// Were a thread left in the namespace, one of many goroutines would meet it.
	home, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", os.Getpid()))
	must(t, err)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if ns, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || ns != home {
				t.Errorf("a thread is in %s, home is %s: %v", ns, home, err)
			}
		})
	}
	wg.Wait()
}

// A socket made inside serves outside, from any goroutine.
func TestSocketsStayInside(t *testing.T) {
	_, a, b := pair(t)
	var server net.PacketConn
	var client net.Conn
	must(t, b.Do(func() (err error) { server, err = net.ListenPacket("udp", "10.65.132.188:4789"); return err }))
	defer server.Close()
	must(t, a.Do(func() (err error) { client, err = net.Dial("udp", "10.65.132.188:4789"); return err }))
	defer client.Close()
	got := make(chan string)
	go func() {
		buf := make([]byte, 16)
		n, _, err := server.ReadFrom(buf)
		got <- fmt.Sprint(string(buf[:n]), err)
	}()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "hello<nil>" {
		t.Errorf("received %s", s)
	}
}

func TestSysctl(t *testing.T) {
	_, a, b := pair(t)
	for _, key := range []string{"net.ipv4.ip_forward", "net/ipv4/conf/ens18/forwarding"} {
		must(t, a.SetSysctl(key, "1"))
		if v, err := a.Sysctl(key); v != "1" || err != nil {
			t.Errorf("%s is %q, %v", key, v, err)
		}
		if v, err := b.Sysctl(key); v != "0" || err != nil {
			t.Errorf("%s of the other host is %q, %v", key, v, err)
		}
	}
	if err := a.SetSysctl("net.ipv4.no_such_key", "1"); err == nil {
		t.Error("set a key that is not there")
	}
	if _, err := a.Sysctl("net.ipv4.no_such_key"); err == nil {
		t.Error("read a key that is not there")
	}
}

func TestLinks(t *testing.T) {
	l := newLab(t)
	a, b := newTestHost(t, l, "a"), newTestHost(t, l, "b")
	amac, bmac := net.HardwareAddr{2, 0, 0, 0, 0, 0xa}, net.HardwareAddr{2, 0, 0, 0, 0, 0xb}
	must(t, l.Veth(a, "e0", b, "e1", VethOptions{MTU: 9000, AQueues: 4, BQueues: 2, AMAC: amac, BMAC: bmac}))
	for _, tc := range []struct {
		h      *Host
		link   string
		mac    net.HardwareAddr
		queues int
	}{{a, "e0", amac, 4}, {b, "e1", bmac, 2}} {
		link, err := tc.h.Link(tc.link)
		must(t, err)
		at := link.Attrs()
		if at.MTU != 9000 || at.HardwareAddr.String() != tc.mac.String() || at.NumRxQueues != tc.queues || at.NumTxQueues != tc.queues || at.Flags&net.FlagUp == 0 {
			t.Errorf("%s: %+v", tc.link, at)
		}
	}
	must(t, a.SetMAC("e0", bmac))
	if mac, err := a.MAC("e0"); err != nil || mac.String() != bmac.String() {
		t.Errorf("mac %s, %v", mac, err)
	}
	must(t, a.SetOffload("e0", "tx-udp-segmentation", false))
	must(t, a.SetOffload("e0", "tx", false))
	offloads, err := a.Offloads("e0")
	must(t, err)
	if offloads["tx-udp-segmentation"] || offloads["tx-checksum-ip-generic"] || offloads["tx-tcp-segmentation"] {
		t.Errorf("offloads: %v", offloads)
	}
	if err := a.SetOffload("e0", "warp", true); err == nil {
		t.Error("set a feature that is not there")
	}
	if err := a.SetOffload("lo", "rx-checksum", false); err == nil {
		t.Error("changed a feature that is fixed")
	}
	must(t, a.DeleteLink("e0"))
	if _, err := b.Link("e1"); err == nil {
		t.Error("a veth outlived its peer")
	}
}

func TestRoutesAndNeighbours(t *testing.T) {
	l := newLab(t)
	a, r, b := newTestHost(t, l, "a"), newTestHost(t, l, "router"), newTestHost(t, l, "b")
	must(t, l.Veth(a, "e0", r, "left", VethOptions{}))
	must(t, l.Veth(b, "e0", r, "right", VethOptions{}))
	must(t, a.AddAddress("e0", "192.0.2.1/25"))
	must(t, r.AddAddress("left", "192.0.2.2/25"))
	must(t, r.AddAddress("right", "192.0.2.130/25"))
	must(t, b.AddAddress("e0", "192.0.2.129/25"))
	must(t, r.SetSysctl("net.ipv4.ip_forward", "1"))
	must(t, a.AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.2")}))
	must(t, b.AddRoute(Route{Dst: netip.MustParsePrefix("192.0.2.0/25"), Via: netip.MustParseAddr("192.0.2.130"), Dev: "e0"}))
	expectPing(t, a, "192.0.2.129", PingOptions{})

	router := netip.MustParseAddr("192.0.2.2")
	has := func() bool {
		neighs, err := a.Neighbours("e0")
		must(t, err)
		for _, n := range neighs {
			if n.IP.String() == router.String() {
				return true
			}
		}
		return false
	}
	if !has() {
		t.Error("no neighbour after a ping")
	}
	must(t, a.FlushNeighbours("e0"))
	if has() {
		t.Error("flush left the neighbour")
	}
	mac, err := r.MAC("left")
	must(t, err)
	must(t, a.SetNeighbour("e0", router, mac))
	must(t, a.FlushNeighbours("e0"))
	if !has() {
		t.Error("flush took a permanent neighbour")
	}
	expectPing(t, a, "192.0.2.129", PingOptions{})
	for range 2 {
		must(t, a.DeleteNeighbour("e0", router))
	}
	must(t, a.DeleteRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: router}))
	if _, err := a.Ping(testContext(t), netip.MustParseAddr("192.0.2.129"), PingOptions{}); err == nil {
		t.Error("pinged without a route")
	}
}

// Labs with one prefix live beside one another with the same addresses.
func TestParallelLabs(t *testing.T) {
	needRoot(t)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			_, a, b := pair(t)
			expectPing(t, a, "10.65.132.188", PingOptions{Count: 5, Interval: 1})
			must(t, TransferTCP(testContext(t), b, a, "10.65.132.187:5001", 1<<20))
		})
	}
}
