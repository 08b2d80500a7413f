package ring

import "testing"

const benchBatch = 64

// recycle plays the kernel without touching a frame: everything on tx is completed, and up to n fill addresses come back as
// received packets.
func recycle(k *Kernel, n uint32) {
	if done := k.Completion.Reserve(k.Tx.Peek(benchBatch)); done > 0 {
		for i := range done {
			k.Completion.Set(i, k.Tx.At(i).Addr)
		}
		k.Tx.Release(done)
		k.Completion.Submit(done)
	}
	if n = k.Rx.Reserve(k.Fill.Peek(n)); n > 0 {
		for i := range n {
			slot := k.Rx.Slot(i)
			slot.Addr, slot.Len, slot.Options = k.Fill.At(i)+packetHeadroom, 64, 0
		}
		k.Fill.Release(n)
		k.Rx.Submit(n)
	}
}

func perPacket(b *testing.B, batch int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/packet")
}

// BenchmarkForward is what a worker spends on rings per packet: Receive, Send, Flush, Reap, Refill. The kernel's end runs in
// the same loop; BenchmarkKernel says what of it that is.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name string
		size uint32
	}{{"ring=256", 256}, {"ring=2048", 2048}} {
		b.Run(c.name, func(b *testing.B) {
			m, err := NewMemory(int(4*c.size), 4096)
			if err != nil {
				b.Fatal(err)
			}
			p := NewDepot(m).NewPool()
			s, k := NewLoopback(m, c.size, p)
			batch := make([]Desc, benchBatch)
			packets := 0
			b.ReportAllocs()
			for b.Loop() {
				recycle(k, benchBatch)
				n := s.Receive(batch)
				for _, d := range batch[:n] {
					s.Send(d)
				}
				s.Flush()
				s.Reap(p)
				s.Refill(p)
				packets += n
			}
			perPacket(b, benchBatch)
			if packets != b.N*benchBatch {
				b.Fatalf("forwarded %d, want %d", packets, b.N*benchBatch)
			}
		})
	}
}

// BenchmarkKernel is the share of BenchmarkForward that the kernel's end takes: the same moves, and our end's indices moved
// without a look at the slots.
func BenchmarkKernel(b *testing.B) {
	_, _, _, s, k := loop(b, 1024, 256)
	for b.Loop() {
		recycle(k, benchBatch)
		n := s.rx.Peek(benchBatch)
		s.rx.Release(n)
		s.tx.Reserve(n)
		s.tx.Submit(n)
		n = s.completion.Peek(benchBatch)
		s.completion.Release(n)
		s.fill.Submit(s.fill.Reserve(benchBatch))
	}
	perPacket(b, benchBatch)
}

func BenchmarkPool(b *testing.B) {
	p := NewDepot(heap(b, 1024, 2048)).NewPool()
	var held [benchBatch]uint64
	for b.Loop() {
		for i := range held {
			held[i], _ = p.Get()
		}
		for _, addr := range held {
			p.Put(addr)
		}
	}
	perPacket(b, benchBatch)
}

// BenchmarkPoolSwap alternates between more frames than a pool holds, so that every batch goes through the depot.
func BenchmarkPoolSwap(b *testing.B) {
	const frames = 4 * poolSize
	p := NewDepot(heap(b, frames, 2048)).NewPool()
	var held [frames]uint64
	for b.Loop() {
		for i := range held {
			held[i], _ = p.Get()
		}
		for _, addr := range held {
			p.Put(addr)
		}
	}
	perPacket(b, frames)
}
