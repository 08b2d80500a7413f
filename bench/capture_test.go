package bench

import (
	"testing"

	"vxgw/dataplane"
	"vxgw/filter"
)

// BenchmarkCapture is what a packet costs the worker while somebody looks at packets: nobody, at all with nobody to read them, so that
// they find no room, at all and they are read, and at such as there are none of.
func BenchmarkCapture(b *testing.B) {
	for _, c := range []struct {
		name, filter string
		tap, read    bool
	}{{"off", "", false, false}, {"unread", "", true, false}, {"read", "", true, true}, {"unmatched", "host 192.0.2.1", true, false}} {
		for d := range Direction(2) {
			b.Run(d.String()+"/"+c.name, func(b *testing.B) { benchCapture(b, d, c.filter, c.tap, c.read) })
		}
	}
}

func benchCapture(b *testing.B, d Direction, text string, tapped, read bool) {
	l, err := NewLoop(LoopConfig{Direction: d, MACs: 1000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	l.warm()
	p, err := filter.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	stop, ended, records := make(chan struct{}), make(chan struct{}), 0
	var tap *dataplane.Tap
	if tapped {
		cfg := dataplane.TapConfig{Received: true, Sent: true, Dropped: true, VNI: dataplane.NoVNI, Snaplen: 96, Filter: p}
		if tap, err = l.site.plane.AddTap(cfg); err != nil {
			b.Fatal(err)
		}
	}
	go func() {
		defer close(ended)
		for read {
			records += tap.Read(func(*dataplane.Record, []byte) bool { return true })
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	var all Spent
	b.ReportAllocs()
	for b.Loop() {
		all.Add(l.Run(1))
	}
	close(stop)
	<-ended
	worker, _ := all.NsPerPacket()
	b.ReportMetric(worker, "ns/packet")
	b.ReportMetric(float64(records)/float64(all.Packets), "records/packet")
	if tapped && text == "" && tap.Lost() == 0 && !read {
		b.Error("nothing was lost")
	}
}
