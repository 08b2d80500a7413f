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
				l, err := NewLoop(LoopConfig{Direction: d, MACs: macs})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				l.Run(4096)
				var all Spent
				b.ReportAllocs()
				for b.Loop() {
					all.Add(l.Run(1))
				}
				worker, harness := all.NsPerPacket()
				b.ReportMetric(worker, "ns/packet")
				b.ReportMetric(harness, "harness-ns/packet")
				if err := l.Check(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
