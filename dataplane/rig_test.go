package dataplane

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// rig is one worker or several over loopback rings on heap memory; the test plays the
// kernel and, through fakeSender, the slow path's kernel too.
type rig struct {
	t       testing.TB
	plane   *Plane
	workers []*Worker
	worker  *Worker // the first
	wire    end     // of the first worker
	ports   []end
	more    []end                     // further queues
	snap    Snapshot                  // of the next publish
	watch   func(e end, frame []byte) // is told what deliver is to deliver
}

// end is one queue of an interface, as its worker has it, and the kernel's side of it.
type end struct {
	queue  *Queue
	kernel *ring.Kernel
	worker int
}

const (
	ourMAC  = 0x0200000000aa
	peerMAC = 0x0200000000bb
	hostA   = 0x020000000001 // behind port 0
	hostB   = 0x020000000002 // behind port 1
	hostR   = 0x020000000009 // behind the remote
	device  = 0x0200000000dd
	bcast   = 0xffffffffffff

	bridgeGroup = 0x0180c2000000
)

var (
	local  = netip.MustParseAddr("10.0.0.1")
	remote = netip.MustParseAddr("10.0.0.2")
	third  = netip.MustParseAddr("10.0.0.3")

	local6  = netip.MustParseAddr("2001:db8::1")
	remote6 = netip.MustParseAddr("2001:db8::2")
)

func sourceFor(dst netip.Addr) netip.Addr {
	if dst.Is4() {
		return local
	}
	return local6
}

// newRig makes a worker with the underlay and a number of ports in VNI 42, which
// floods to remote, and publishes a first snapshot with the way to it open.
func newRig(t testing.TB, ports int) *rig {
	t.Helper()
	return newRigWith(t, 1, make([]int, ports)...)
}

// newRigWith is newRig with a number of workers, and with the worker of each port.
func newRigWith(t testing.TB, workers int, ports ...int) *rig {
	t.Helper()
	mem, err := ring.NewHeapMemory(1024*workers*workers, 4096) // and so that lanes can be filled
	must(t, err)
	table, err := fdb.New(fdb.Config{Heap: true, MaxEntries: 1 << 16})
	must(t, err)
	t.Cleanup(func() { table.Close() })
	r := &rig{t: t, plane: NewPlane(mem, table, NewRemotes(64))}
	for range workers {
		w, err := r.plane.AddWorker(-1)
		must(t, err)
		t.Cleanup(w.Close)
		r.workers = append(r.workers, w)
	}
	r.worker = r.workers[0]
	r.wire = r.open(Underlay, 0)
	tunnel := &Tunnel{
		Outer:  vxlan.TemplateConfig{SrcPorts: [2]uint16{49152, 65535}, InheritTOS: true, DstPort: vxlan.Port, SrcMAC: macBytes(ourMAC)},
		Source: sourceFor}
	d := &Domain{Index: 0, VNI: 42, Learning: true, DeviceMAC: device, Tunnel: tunnel}
	for i, worker := range ports {
		r.ports = append(r.ports, r.open(uint32(i), worker))
		r.snap.Ports = append(r.snap.Ports, &Port{Index: uint32(i), Account: uint32(i), MTU: 1500, Up: true})
		d.FloodPorts = append(d.FloodPorts, uint32(i))
	}
	n, err := r.plane.Remotes.Add(remote)
	must(t, err)
	d.FloodRemotes = []uint32{n}
	r.snap.Domains = []*Domain{d}
	r.snap.LocalMAC, r.snap.Underlay, r.snap.Locals = ourMAC, true, []vxlan.Addr{vxlan.AddrOf(local), vxlan.AddrOf(local6)}
	r.snap.Martians = []vxlan.Addr{vxlan.Addr4(0x0a000001), vxlan.Addr4(0x0a00004d), vxlan.Addr4(0x0a0000ff)} // 10.0.0.1/24 and 10.0.0.77
	r.snap.Paths = [][]Path{make([]Path, 1)}
	r.path(n, PathDirect)
	r.plane.Tick(1)
	r.publish()
	return r
}

func (r *rig) open(port uint32, worker int) end {
	pool := r.plane.Depot.NewPool()
	s, k := ring.NewLoopback(r.plane.Memory, 128, pool)
	pool.Drain()
	return end{&Queue{Socket: s, Port: port}, k, worker}
}

// path sets the state of the way to remote n; takes effect with publish.
func (r *rig) path(n uint32, state PathState) {
	r.t.Helper()
	paths := make([]Path, max(len(r.snap.Paths[0]), int(n)+1))
	copy(paths, r.snap.Paths[0])
	headers, err := r.snap.Domains[0].Tunnel.Headers(r.plane.Remotes.Addrs()[n], macBytes(peerMAC))
	must(r.t, err)
	paths[n] = Path{State: state, MTU: 1500, Headers: headers}
	r.snap.Paths = [][]Path{paths}
}

func (r *rig) publish() {
	s := r.snap
	s.VNIs = NewVNITable(s.Domains)
	s.Queues = make([][]*Queue, len(r.workers))
	for _, e := range r.ends() {
		s.Queues[e.worker] = append(s.Queues[e.worker], e.queue)
	}
	r.plane.Publish(&s)
}

// ends returns all queues, the underlay's first.
func (r *rig) ends() []end { return slices.Concat([]end{r.wire}, r.ports, r.more) }

// deliver has the kernel receive a frame on an interface.
func (r *rig) deliver(e end, frame []byte) {
	r.t.Helper()
	if r.watch != nil {
		r.watch(e, frame)
	}
	if !e.kernel.Deliver(frame) {
		r.t.Fatal("the kernel's end has no room to receive")
	}
}

// run works until nothing moves any more.
func (r *rig) run() {
	for work := 1; work > 0; {
		work = 0
		for _, w := range r.workers {
			work += w.Round()
		}
	}
}

// taken is what the kernel was given to send.
type taken struct {
	addr uint64
	data []byte
}

// take has the kernel send what is on an interface's tx ring.
func (r *rig) take(e end) []taken {
	var out []taken
	e.kernel.Take(func(addr uint64, frame []byte) {
		out = append(out, taken{addr, append([]byte(nil), frame...)})
	})
	return out
}

// verdicts returns how often v was given, to frames and to copies.
func (r *rig) verdicts(v Verdict) (frames, copies uint64) {
	for _, w := range r.workers {
		frames += w.Counters.Verdicts[v].Load()
		copies += w.Counters.Copies[v].Load()
	}
	return frames, copies
}

// ipFrame is an Ethernet frame with an IPv4 UDP datagram of payload bytes.
func ipFrame(dst, src uint64, flow uint16, payload int) []byte {
	f := make([]byte, 14+20+8+payload)
	putMAC(f, dst)
	putMAC(f[6:], src)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+payload))
	copy(ip[12:], []byte{172, 17, 1, 2, 172, 17, 1, 3})
	binary.BigEndian.PutUint16(ip[10:], ^vxlan.Fold(vxlan.Sum(ip[:20], 0)))
	binary.BigEndian.PutUint16(ip[20:], flow)
	binary.BigEndian.PutUint16(ip[22:], 7)
	binary.BigEndian.PutUint16(ip[24:], uint16(8+payload))
	for i := range payload {
		f[42+i] = byte(i)
	}
	return f
}

// tunnelled wraps an inner frame as the remote would send it.
func tunnelled(t testing.TB, from netip.Addr, vni uint32, tos uint8, inner []byte) []byte {
	t.Helper()
	tpl, err := vxlan.NewTemplate(vxlan.TemplateConfig{
		SrcMAC: macBytes(peerMAC), DstMAC: macBytes(ourMAC), Src: from, Dst: local, DstPort: vxlan.Port, TTL: 64, InheritTOS: true,
	})
	must(t, err)
	pkt := make([]byte, vxlan.Overhead+len(inner))
	tpl.Put((*[vxlan.Overhead]byte)(pkt), len(pkt)-vxlan.Overhead, vni, vxlan.MakeFlow(0, tos, false), 1)
	copy(pkt[vxlan.Overhead:], inner)
	return pkt
}

func putMAC(b []byte, mac uint64) {
	m := macBytes(mac)
	copy(b, m[:])
}

func macBytes(mac uint64) (b [6]byte) {
	for i := range b {
		b[i] = byte(mac >> (40 - 8*i))
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
