package dataplane

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"vxgw/ring"
	"vxgw/vxlan"
)

// Packets that came by way of the kernel, and are ours: Run reads them into frames
// -> queue -> the worker takes them in its round as if the underlay's rx ring had
// had them.

// Inject carries outer packets from one goroutine that reads them to one worker. The
// queue is bounded: what finds it full is dropped.
type Inject struct {
	Packets, Bytes atomic.Uint64 // taken by the worker, which gives each one verdict; bytes from the Ethernet header on

	TooLong   atomic.Uint64 // dropped: longer than a frame has room for
	QueueFull atomic.Uint64 // dropped: the worker is behind
	NoFrame   atomic.Uint64 // dropped: no frame was free

	worker *Worker
	queue  *Exchange[ring.Desc]
	pool   *ring.Pool // of the goroutine that runs Run
}

// injectQueue is how many packets may wait for the worker.
const injectQueue = 512

// A packet lies in its frame where the kernel would have put it: behind the headroom
// and an Ethernet header.
const injectAt = copyHeadroom + ethernet

// Reader delivers packets, from the IP header on. Read waits for one, and cuts what
// does not fit.
type Reader interface {
	Read(buf []byte) (int, error)
}

func newInject(w *Worker) *Inject {
	return &Inject{worker: w, queue: NewExchange[ring.Desc](injectQueue), pool: w.plane.Depot.NewPool()}
}

// Run hands over what in delivers until that fails, and returns its error. One
// goroutine; it has returned before the worker is closed.
func (j *Inject) Run(in Reader) error {
	mem := j.worker.mem
	room := uint32(mem.FrameSize() - injectAt)
	var scratch [1]byte
	for {
		addr, ok := j.pool.Get()
		if !ok {
			if _, err := in.Read(scratch[:]); err != nil {
				return fmt.Errorf("read what the kernel was left: %w", err)
			}
			j.NoFrame.Add(1)
			continue
		}
		n, err := in.Read(mem.Bytes(addr+injectAt, room))
		switch {
		case err != nil:
			j.pool.Put(addr)
			return fmt.Errorf("read what the kernel was left: %w", err)
		case uint32(n) >= room:
			j.TooLong.Add(1)
		case !j.push(addr, n):
			j.QueueFull.Add(1)
		default:
			continue
		}
		j.pool.Put(addr)
	}
}

// push puts an Ethernet header in front of the n bytes of a packet in the frame addr
// and hands it over.
func (j *Inject) push(addr uint64, n int) bool {
	desc := ring.Desc{Addr: addr + copyHeadroom, Len: uint32(ethernet + n)}
	finish(j.worker.mem.Bytes(desc.Addr, desc.Len))
	if !j.queue.Push(desc) {
		return false
	}
	if j.queue.Publish() && j.worker.asleep.Load() {
		j.worker.Wake()
	}
	return true
}

// finish makes a packet from the kernel one from the wire: its Ethernet header lacks
// nothing but the destination, and the checksum of its IPv4 header is right again. The
// kernel has checked that, and may have written into options since.
func finish(pkt []byte) {
	clear(pkt[:ethernet])
	ip := pkt[ethernet:]
	if len(ip) > 0 && ip[0]>>4 == 6 {
		binary.BigEndian.PutUint16(pkt[12:], 0x86dd)
		return
	}
	binary.BigEndian.PutUint16(pkt[12:], 0x0800)
	if len(ip) < 20 {
		return
	}
	header := ip[:min(max(20, int(ip[0]&0x0f)*4), len(ip))]
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^vxlan.Fold(vxlan.Sum(header, 0)))
}

// injected works on what was handed over since the last round and returns how many
// packets that were. Worker only.
func (w *Worker) injected() int { return w.take(w.Inject) + w.take(w.Inject6) }

func (w *Worker) take(j *Inject) int {
	b := &w.batch
	n := j.queue.Take(b.desc[:])
	if n == 0 {
		return 0
	}
	mac := w.snap.LocalMAC // the kernel has compared the one that was there
	for _, desc := range b.desc[:n] {
		pkt := w.mem.Bytes(desc.Addr, ethernet)
		binary.BigEndian.PutUint32(pkt, uint32(mac>>16))
		binary.BigEndian.PutUint16(pkt[4:], uint16(mac))
	}
	w.way = 0
	j.Packets.Add(uint64(n))
	if w.taps != nil {
		w.tapReceived(Underlay, n, MarkViaKernel)
	}
	j.Bytes.Add(w.fromTunnel(n))
	if w.taps != nil {
		w.tapJudged()
	}
	return n
}

// drain frees what nobody took. Run has returned.
func (j *Inject) drain() {
	j.queue.drain(func(d ring.Desc) { j.pool.Put(d.Addr) })
	j.pool.Drain()
}
