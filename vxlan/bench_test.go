package vxlan

import "testing"

// frame64 is the smallest Ethernet frame that carries TCP, without its frame check sequence.
func frame64() []byte { return finished(ether("0800", ip4(6, 0, nil, tcp(make([]byte, 6))))) }

func packet64(t testing.TB, cfg TemplateConfig) []byte {
	pkt := append(make([]byte, Overhead), frame64()...)
	tmpl := mustTemplate(t, cfg)
	tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, 42, 0, 1)
	PutChecksum(pkt)
	return pkt
}

func TestNothingAllocates(t *testing.T) {
	cfg := goodConfig()
	tmpl := mustTemplate(t, cfg)
	pkt := packet64(t, cfg)
	tunnel := transports([]byte("bytes"))["tunnel"]
	streams := transports([]byte("bytes"))["SCTP"]
	ipv6 := transports([]byte("bytes"))["TCP over IPv6"]
	for name, run := range map[string]func(){
		"decap": func() {
			var o Outer
			var in Inner
			if ParseOuter(pkt, &o) != OK || ParseInner(pkt[o.HeaderLen:o.Len], &in) != OK || !o.ChecksumOK(pkt) {
				t.Error("packet refused")
			}
			Mend(pkt[o.HeaderLen:o.Len], &in)
			SetTOS(pkt[o.HeaderLen:o.Len], &in, in.TOS)
		},
		"encap": func() {
			var in Inner
			ParseInner(pkt[Overhead:], &in)
			Mend(pkt[Overhead:], &in)
			tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, 42, in.Flow(), 7)
			PutInherit(pkt, 9, false)
			PutChecksum(pkt)
		},
		"faults": func() {
			var o Outer
			var in Inner
			ParseOuter(tunnel, &o)
			ParseInner(tunnel[:5], &in)
			_ = ParseOuter(pkt[:40], &o).String()
		},
		"mending": func() {
			for _, frame := range [...][]byte{tunnel, streams, ipv6} {
				var in Inner
				ParseInner(frame, &in)
				switch in.Proto {
				case protoSCTP:
					clear(frame[42:46])
				case protoTCP:
					copy(frame[70:72], []byte{0, 0})
				}
				Mend(frame, &in)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func perPacket(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/packet")
	b.ReportMetric(0, "ns/op")
	b.ReportAllocs()
}

// Each stage over a batch of 64 packets of 64 bytes inside, as a worker runs it.
func BenchmarkBatch(b *testing.B) {
	const batch = 64
	tmpl := mustTemplate(b, goodConfig())
	var pkts [batch][]byte
	var frames [batch][]byte
	var outer [batch]Outer
	var inner [batch]Inner
	for i := range pkts {
		pkts[i] = packet64(b, goodConfig())
		frames[i] = pkts[i][Overhead:]
		ParseInner(frames[i], &inner[i])
	}
	for _, stage := range []struct {
		name string
		run  func()
	}{
		{"outer", func() {
			for i := range pkts {
				ParseOuter(pkts[i], &outer[i])
			}
		}},
		{"inner", func() {
			for i := range pkts {
				ParseInner(frames[i], &inner[i])
			}
		}},
		{"mend", func() {
			for i := range pkts {
				Mend(frames[i], &inner[i])
			}
		}},
		{"put", func() {
			for i := range pkts {
				tmpl.Put((*[Overhead]byte)(pkts[i]), len(pkts[i])-Overhead, 42, inner[i].Flow(), uint16(i))
			}
		}},
		{"decap", func() {
			for i := range pkts {
				ParseOuter(pkts[i], &outer[i])
				ParseInner(frames[i], &inner[i])
				Mend(frames[i], &inner[i])
				outer[i].ChecksumOK(pkts[i])
			}
		}},
		{"encap", func() {
			for i := range pkts {
				ParseInner(frames[i], &inner[i])
				Mend(frames[i], &inner[i])
				tmpl.Put((*[Overhead]byte)(pkts[i]), len(pkts[i])-Overhead, 42, inner[i].Flow(), uint16(i))
			}
		}},
	} {
		b.Run(stage.name, func(b *testing.B) {
			for b.Loop() {
				stage.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkParseInner(b *testing.B) {
	for name, frame := range map[string][]byte{
		"tcp4": frame64(), "tcp6": transports(make([]byte, 6))["TCP over IPv6"], "arp": ether("0806", make([]byte, 46)),
		"tcp4-vlan": transports(make([]byte, 6))["TCP, tagged"],
	} {
		b.Run(name, func(b *testing.B) {
			var in Inner
			for b.Loop() {
				if ParseInner(frame, &in) != OK {
					b.Fatal("refused")
				}
			}
			perPacket(b)
		})
	}
}

func BenchmarkMend(b *testing.B) {
	for name, frame := range map[string][]byte{
		"nothing-tcp4": frame64(), "nothing-tcp6": transports(make([]byte, 6))["TCP over IPv6"],
		"nothing-udp4": transports(make([]byte, 6))["UDP"], "nothing-tunnel": transports(make([]byte, 6))["tunnel"],
	} {
		b.Run(name, func(b *testing.B) {
			var in Inner
			ParseInner(frame, &in)
			for b.Loop() {
				if Mend(frame, &in) {
					b.Fatal("mended a right frame")
				}
			}
			perPacket(b)
		})
	}
	for name, size := range map[string]int{"tcp4-64B": 6, "tcp4-1500B": 1460} {
		b.Run(name, func(b *testing.B) {
			frame := ether("0800", ip4(6, 0, nil, tcp(make([]byte, size))))
			x, _ := slowFind(frame)
			x.leave(frame)
			left := [2]byte(x.value(frame))
			var in Inner
			ParseInner(frame, &in)
			for b.Loop() {
				if !Mend(frame, &in) {
					b.Fatal("not mended")
				}
				frame[x.at], frame[x.at+1] = left[0], left[1]
			}
			perPacket(b)
		})
	}
}

func BenchmarkPutChecksum(b *testing.B) {
	cfg := goodConfig()
	tmpl := mustTemplate(b, cfg)
	for name, size := range map[string]int{"64B": 64, "1450B": 1450} {
		b.Run(name, func(b *testing.B) {
			pkt := make([]byte, Overhead+size)
			tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, 42, 0, 1)
			for b.Loop() {
				PutChecksum(pkt)
			}
			perPacket(b)
		})
	}
}

func BenchmarkSum(b *testing.B) {
	for name, n := range map[string]int{"20B": 20, "64B": 64, "1500B": 1500, "4096B": 4096} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, n)
			sum := uint64(0)
			for b.Loop() {
				sum = Sum(buf, sum)
			}
			b.SetBytes(int64(n))
			perPacket(b)
		})
	}
}
