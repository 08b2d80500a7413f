package gateway

import (
	"testing"

	"vxgw/dataplane"
)

// The queue of the underlay loses its socket and gets it back while packets come: they
// arrive by way of the kernel in between, each once.
func TestQueueLosesItsSocket(t *testing.T) {
	b := newBed(t)
	b.direct()
	wire := packetSocket(t, b.remote, "ens18", 0)
	packet := b.packet(frame(0xff, 3, 200))
	before := b.verdict(dataplane.Flooded)
	sent := uint64(0)
	burst := func(what string) {
		for range 50 {
			send(t, wire, packet)
			sent++
		}
		b.await(what, func() bool { return b.verdict(dataplane.Flooded) == before+sent })
	}
	injected := func() uint64 { return b.g.Status().Underlay.Injected.Packets }
	burst("packets come from the ring")
	if n := injected(); n != 0 {
		t.Errorf("%d packets came by way of the kernel too", n)
	}
	must(t, b.g.steer.ClearSocket(0))
	burst("packets come by way of the kernel")
	if n := injected(); n != 50 {
		t.Errorf("%d packets came by way of the kernel, want 50", n)
	}
	must(t, b.g.steer.DeleteVNI(42))
	for range 20 {
		send(t, wire, packet)
	}
	b.await("the kernel has packets of a VNI that is not ours", func() bool {
		c, err := b.g.steer.Counters()
		must(t, err)
		return c.NoSocket == 50 && c.Passed >= 20
	})
	must(t, b.g.steer.AddVNI(42))
	burst("packets come again with the VNI")
	must(t, b.g.steer.SetSocket(0, b.g.wire.queues[0].Socket.FD()))
	burst("packets come from the ring again")
	s := b.g.Status().Underlay
	if s.Injected.Packets != 100 || s.Steering.NoSocket != 100 || s.Injected.Bytes != 100*uint64(len(packet)) {
		t.Errorf("by way of the kernel came %+v, want 100 packets; %+v", s.Injected, s.Steering)
	}
	b.close()
}

// fragments cuts an IPv4 packet behind its Ethernet header in two, at offset at of its
// payload, and gives it an ID.
func fragments(p []byte, id uint16, at int) [2][]byte {
	const header = 14 + 20
	first := append([]byte(nil), p[:header+at]...)
	second := append(append([]byte(nil), p[:header]...), p[header+at:]...)
	first[20] |= 0x20
	second[21] = byte(at / 8)
	for _, f := range [][]byte{first, second} {
		length := len(f) - 14
		f[16], f[17], f[18], f[19], f[24], f[25] = byte(length>>8), byte(length), byte(id>>8), byte(id), 0, 0
		sum := uint32(0)
		for i := 14; i < header; i += 2 {
			sum += uint32(f[i])<<8 | uint32(f[i+1])
		}
		sum = sum&0xffff + sum>>16
		sum = ^(sum&0xffff + sum>>16)
		f[24], f[25] = byte(sum>>8), byte(sum)
	}
	return [2][]byte{first, second}
}
