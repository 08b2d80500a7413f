package bench

import (
	"fmt"
	"testing"
)

var directions = []Direction{Encap, Decap}

// BenchmarkWorker is what a packet costs the worker: R1 with 1k MACs, R2 with 1M.
func BenchmarkWorker(b *testing.B) {
	for _, macs := range []int{1_000, 1_000_000} {
		for _, d := range directions {
			b.Run(fmt.Sprintf("%v/macs=%d", d, macs), func(b *testing.B) {
				benchLoop(b, LoopConfig{Direction: d, MACs: macs})
			})
		}
	}
}

// BenchmarkMix is what a packet costs that takes another way than most. bench/instructions.sh counts its instructions, and
// BenchmarkWorker's.
func BenchmarkMix(b *testing.B) {
	for _, c := range mixes {
		for c.Direction = range Direction(2) {
			b.Run(fmt.Sprintf("%v/%v", c.Mix, c.Direction), func(b *testing.B) { benchLoop(b, c) })
		}
	}
}

// benchLoop has a hash whose seed is always the same, so that instructions can be compared.
func benchLoop(b *testing.B, c LoopConfig) {
	c.Seed = 1
	l, err := NewLoop(c)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	l.warm()
	var all Spent
	b.ReportAllocs()
	for b.Loop() {
		all.Add(l.Run(1))
	}
	worker, harness := all.NsPerPacket()
	b.ReportMetric(worker, "ns/packet")
	b.ReportMetric(harness, "harness-ns/packet")
	b.ReportMetric(float64(all.Packets), "packets")
	if err := l.Check(); err != nil {
		b.Error(err)
	}
}
