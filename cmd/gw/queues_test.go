package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vxgw/control"
	"vxgw/internal/lab"
)

// queued is a host with two workers on an underlay of four queues, a port of two and
// one of one, and a host behind a kernel VXLAN device.
type queued struct {
	node1, node2  *lab.Host
	one, two, far end
}

func newQueued(t *testing.T) *queued {
	t.Helper()
	l := newLab(t)
	q := &queued{node1: newHost(t, l, "node1"), node2: newHost(t, l, "node2")}
	must(t, l.Veth(q.node1, "ens18", q.node2, "ens18", lab.VethOptions{AQueues: 4, BQueues: 4}))
	must(t, q.node1.AddAddress("ens18", under1.String()+"/24"))
	must(t, q.node2.AddAddress("ens18", under2.String()+"/24"))
	container := func(link, name, addr string, queues int) end {
		c, err := q.node1.BridgePort(link, name, addr+"/24", lab.VethOptions{MTU: 1450, AQueues: queues, BQueues: queues})
		must(t, err)
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	q.one = container("veth1", "one", "172.17.1.11", 2)
	q.two = container("veth2", "two", "172.17.1.12", 1)
	must(t, q.node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1}))
	must(t, q.node2.AddAddress("vxlan0", "172.17.1.13/24"))
	q.far = end{host: q.node2, dev: "vxlan0", addr: netip.MustParseAddr("172.17.1.13"), iface: "ens18", under: under2}
	return q
}

// Two workers carry what one does.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	q := newQueued(t)
	g := start(t, q.node1, "--iface", "ens18", "--vni", "42", "--remote", under2.String(), "--port", "veth1", "--port", "veth2", "--workers", "2")
	converse(t, q.one, q.far)
	converse(t, q.far, q.two)
	converse(t, q.two, q.one)
	checkVerdicts(t, g)
	g.stop()
}

// Many flows between all of them, that start again and again with next hops to be
// found: every queue receives and sends, frames cross from worker to worker, and no
// flow is reordered, also when it goes over from the kernel's way to the direct one.
func TestManyQueues(t *testing.T) {
	t.Parallel()
	q := newQueued(t)
	g := start(t, q.node1, "--iface", "ens18", "--vni", "42", "--remote", under2.String(), "--port", "veth1", "--port", "veth2", "--workers", "2")
	for _, pair := range [][2]end{{q.one, q.far}, {q.far, q.two}, {q.two, q.one}} {
		resolve(t, pair[0], pair[1])
	}

	var running sync.WaitGroup
	traffic := &tide{end: make(chan struct{})}
	few, many, enough := 8, 48, uint64(200) // so many flows that no queue of an interface gets none
	if testing.Short() {
		few, many, enough = 2, 16, 20
	}
	var all []*flow
	for _, pair := range [][2]end{{q.one, q.far}, {q.far, q.one}, {q.two, q.far}, {q.far, q.two}, {q.one, q.two}, {q.two, q.one}} {
		flows := few
		switch q.far {
		case pair[0]:
			flows = many / 2
		case pair[1]:
			flows = many
		}
		for range flows {
			f := newFlow(t, pair[0], pair[1])
			all = append(all, f)
			running.Go(func() { f.run(traffic) })
		}
	}
	changes := 0
	for _, some := range []uint64{enough / 4, enough / 2, enough} { // a busy machine takes its time for all of it
		eventually(t, func() string {
			changes++
			traffic.paused.Store(true)
			time.Sleep(20 * time.Millisecond)
			must(t, q.node1.FlushNeighbours("ens18"))
			time.Sleep(20 * time.Millisecond) // the way is the kernel's by now
			traffic.paused.Store(false)
			time.Sleep(20 * time.Millisecond)
			s := g.status()
			for _, i := range append([]control.Interface{s.Underlay.Interface}, s.Ports[0].Interface, s.Ports[1].Interface) {
				for _, queue := range i.Queues {
					if queue.RxPackets < some || queue.TxPackets < some {
						return fmt.Sprintf("queue %d of %s received %d and sent %d", queue.Queue, i.Name, queue.RxPackets, queue.TxPackets)
					}
				}
			}
			if by, _, _ := verdicts(s); by["to_kernel"] < some/2 {
				return fmt.Sprintf("only %d frames went through the kernel", by["to_kernel"])
			}
			return ""
		})
	}
	close(traffic.end)
	running.Wait()
	for _, f := range all {
		most := 0
		if f.toFar {
			most = farLate(changes)
		}
		if f.late > most {
			t.Errorf("%d numbers came behind greater ones, in %d changes of the way, at %v", f.late, changes, f.server.LocalAddr())
		}
	}
	s := g.status()
	if len(s.Workers) != 2 || s.Workers[0].Verdicts["to_port"] == 0 || s.Workers[1].Verdicts["to_port"] == 0 {
		t.Errorf("workers %+v", s.Workers)
	}
	for i, queue := range s.Underlay.Queues {
		if queue.Worker != i%2 {
			t.Errorf("queue %d of the underlay is worker %d's", i, queue.Worker)
		}
	}
	checkVerdicts(t, g)
	g.stop()
}

// flow is numbered datagrams from one host to another.
type flow struct {
	t      *testing.T
	server *net.UDPConn
	client net.Conn
	toFar  bool // see farLate
	late   int  // set when run returns
}

func newFlow(t *testing.T, from, to end) *flow {
	t.Helper()
	f := &flow{t: t, toFar: to.under.IsValid()} // which is a VTEP of the kernel
	must(t, to.host.Do(func() (err error) {
		f.server, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.addr, 0)))
		return err
	}))
	t.Cleanup(func() { f.server.Close() })
	must(t, from.host.Do(func() (err error) {
		f.client, err = net.Dial("udp", f.server.LocalAddr().String())
		return err
	}))
	t.Cleanup(func() { f.client.Close() })
	return f
}

// tide is what flows are told.
type tide struct {
	paused atomic.Bool
	end    chan struct{} // closed
}

// run sends until the end, then the last number until it is there.
func (f *flow) run(traffic *tide) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.late = ascending(f.t, f.server)
	}()
	// The first one goes ahead: a host that looks for its neighbour may overtake itself.
	sent := uint64(1)
	f.client.Write(binary.BigEndian.AppendUint64(nil, sent))
	time.Sleep(100 * time.Millisecond)
	for {
		select {
		case <-ended:
			return
		case <-traffic.end:
			f.client.Write(binary.BigEndian.AppendUint64(nil, sent|endOfFlow))
			time.Sleep(10 * time.Millisecond)
		default:
			for range 8 {
				if traffic.paused.Load() {
					break
				}
				sent++
				f.client.Write(binary.BigEndian.AppendUint64(nil, sent))
			}
			time.Sleep(time.Millisecond)
		}
	}
}
