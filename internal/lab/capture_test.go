package lab

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// experimental is an EtherType for local experiments (IEEE 802, 0x88b5), which nothing else sends here.
func experimental(n byte, size int) []byte {
	f := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, n}, make([]byte, size)...)
	return f[:size]
}

func isExperimental(f Frame) bool {
	return len(f.Data) > 14 && f.Data[12] == 0x88 && f.Data[13] == 0xb5
}

func TestCapture(t *testing.T) {
	_, a, b := pair(t)
	in, err := b.Capture("ens18", isExperimental)
	must(t, err)
	out, err := a.Capture("ens18", nil)
	must(t, err)
	sent := [][]byte{experimental(1, 15), experimental(2, 60), experimental(3, 1514)}
	must(t, a.SendFrame("ens18", sent...))
	for _, tc := range []struct {
		c        *Capture
		outgoing bool
	}{{in, false}, {out, true}} {
		got, err := tc.c.Wait(testContext(t), len(sent), isExperimental)
		must(t, err)
		for i, f := range got {
			if !bytes.Equal(f.Data, sent[i]) || f.Outgoing != tc.outgoing || f.Tagged {
				t.Errorf("frame %d: %+v, sent %x", i, f, sent[i])
			}
		}
		if dropped, err := tc.c.Dropped(); dropped != 0 || err != nil {
			t.Errorf("dropped %d, %v", dropped, err)
		}
	}
	if err := a.SendFrame("ens18", experimental(4, 1600)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("a frame above the MTU: %v", err)
	}
	must(t, in.Close())
	must(t, in.Close())
	must(t, a.SendFrame("ens18", experimental(5, 60)))
	_, err = out.Wait(testContext(t), 4, isExperimental)
	must(t, err)
	if n := len(in.Frames()); n != 3 {
		t.Errorf("%d frames after Close", n)
	}
	if dropped, err := in.Dropped(); dropped != 0 || err != nil {
		t.Errorf("dropped %d after Close, %v", dropped, err)
	}
	if _, err := in.Wait(testContext(t), 4, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("wait on a closed capture: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := out.Wait(ctx, 1000, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("wait cancelled: %v", err)
	}
	if _, err := a.Capture("nowhere", nil); err == nil {
		t.Error("captured on a link that is not there")
	}
}

// The kernel moves a tag out of the frame, and leaves TCP checksums to a NIC that veth does not have.
func TestCaptureAuxiliary(t *testing.T) {
	_, a, b := pair(t)
	c, err := b.Capture("ens18", nil)
	must(t, err)
	tagged := append(experimental(1, 12), 0x81, 0x00, 0x20, 0x0a, 0x88, 0xb5, 7)
	must(t, a.SendFrame("ens18", append(tagged, make([]byte, 60)...)))
	got, err := c.Wait(testContext(t), 1, func(f Frame) bool { return f.Tagged })
	must(t, err)
	if f := got[0]; f.VLAN != 0x200a || f.VLANType != unix.ETH_P_8021Q || !isExperimental(f) {
		t.Errorf("tag: %+v", f)
	}
	isTCP := func(f Frame) bool { return len(f.Data) > 60 && f.Data[12] == 8 && f.Data[23] == unix.IPPROTO_TCP }
	must(t, TransferTCP(testContext(t), a, b, "10.65.132.188:0", 1000))
	got, err = c.Wait(testContext(t), 1, isTCP)
	must(t, err)
	if !got[0].ChecksumPending {
		t.Error("checksum of a local sender is not pending")
	}
	must(t, a.SetOffload("ens18", "tx", false))
	ports := func(f Frame) string { return string(f.Data[34:38]) }
	before := map[string]bool{} // connections, of which the last frames may be seen late
	for _, f := range c.Frames() {
		before[ports(f)] = true
	}
	must(t, TransferTCP(testContext(t), a, b, "10.65.132.188:0", 1000))
	after := func(f Frame) bool { return isTCP(f) && !f.Outgoing && !before[ports(f)] }
	_, err = c.Wait(testContext(t), 1, after)
	must(t, err)
	for _, f := range c.Frames() {
		if after(f) && f.ChecksumPending {
			t.Error("checksum is pending with tx off")
		}
	}
}
