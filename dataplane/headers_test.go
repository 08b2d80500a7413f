package dataplane

import (
	"bytes"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// A path whose headers are longer than plain ones is used like any other, for as much as fits its way.
func TestLongerHeaders(t *testing.T) {
	r := newRig(t, 1)
	n, _ := r.plane.Remotes.Find(remote)
	r.snap.Domains[0].Tunnel.Outer.Tag = 0x81000007
	r.path(n, PathDirect)
	r.publish()
	r.pin(hostR, fdb.RemoteDest(n))
	h := &r.snap.Paths[0][n].Headers
	if h.Len() != vxlan.Overhead+4 {
		t.Fatalf("%d bytes of headers", h.Len())
	}
	most := 1500 - h.Taken() - 42
	for _, c := range []struct {
		payload int
		verdict Verdict
	}{{100, ToRemote}, {most, ToRemote}, {most + 1, TooBig}} {
		frame := ipFrame(hostR, hostA, 1, c.payload)
		before, _ := r.verdicts(c.verdict)
		r.deliver(r.ports[0], frame)
		r.run()
		if got, _ := r.verdicts(c.verdict); got != before+1 {
			t.Errorf("%d bytes: no verdict %v", len(frame), c.verdict)
		}
		sent := r.take(r.wire)
		if c.verdict == TooBig {
			if len(sent) != 0 {
				t.Errorf("%d bytes: sent", len(frame))
			}
			continue
		}
		if len(sent) != 1 || !bytes.Equal(sent[0].data[12:18], []byte{0x81, 0, 0, 7, 8, 0}) || !bytes.Equal(sent[0].data[h.Len():], frame) {
			t.Errorf("%d bytes: sent %x", len(frame), sent)
		}
	}
	// There is room for plain headers, but not for these.
	k := r.ports[0].kernel
	k.Fill.Peek(1)
	addr := k.Fill.At(0) + vxlan.Overhead
	k.Fill.Release(1)
	frame := ipFrame(hostR, hostA, 1, 100)
	copy(r.plane.Memory.Bytes(addr, uint32(len(frame))), frame)
	k.DeliverDesc(ring.Desc{Addr: addr, Len: uint32(len(frame))})
	r.run()
	if got, _ := r.verdicts(NoHeadroom); got != 1 {
		t.Error("no verdict no_headroom")
	}
}
