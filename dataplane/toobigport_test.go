package dataplane

import (
	"bytes"
	"testing"

	"vxgw/fdb"
)

// Who sends to a port of a smaller MTU, such as the device by which the host routes,
// is told so like one who sends into the tunnel.
func TestTooBigForPort(t *testing.T) {
	for _, tc := range []struct {
		name string
		tags []byte
		want int // what the answer names
	}{
		{"plain", nil, 1000},
		{"tagged", []byte{0x81, 0, 0, 100}, 996},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 3)
			p := *r.snap.Ports[1]
			p.MTU = 1000
			r.snap.Ports = []*Port{r.snap.Ports[0], &p, r.snap.Ports[2]}
			r.publish()
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
			frame := func(dst uint64, size int) []byte {
				f := ipFrame(dst, hostA, 7, size-28)
				return append(append(append([]byte(nil), f[:12]...), tc.tags...), f[12:]...)
			}
			big := frame(hostB, 1005)
			r.deliver(r.ports[0], big)
			r.run()
			got := r.take(r.ports[0])
			if len(got) != 1 || !bytes.Equal(got[0].data, answerTo(t, big, tc.want)) {
				t.Errorf("answers %v, want one that names %d", got, tc.want)
			}
			if n, _ := r.verdicts(TooBig); n != 1 || r.worker.Counters.Answers.Load() != 1 {
				t.Errorf("verdicts %v, %d answers", r.nonzero(), r.worker.Counters.Answers.Load())
			}
			r.deliver(r.ports[0], frame(hostB, tc.want))
			// Flooded, so that the port of 1000 gets a copy: another one carries it.
			r.deliver(r.ports[0], frame(hostR, 1400))
			r.run()
			if counted, sent := r.answers(); counted != 1 || sent[0] != 0 || sent[1] != 1 || sent[2] != 1 {
				t.Errorf("%d answers, sent to ports %v, want 1 and [0 1 1]", counted, sent)
			}
			r.take(r.wire)
			r.account()
		})
	}
}
