package lab

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// The kernel tells what it has.
func TestKernelHas(t *testing.T) {
	for function, want := range map[string]bool{"dev_get_by_name": true, "vxgw_no_such_function": false} {
		if has, err := KernelHas(function); err != nil || has != want {
			t.Errorf("%s: %v, %v", function, has, err)
		}
	}
}

// A tag that is pushed travels beside the frame, and hosts of one VLAN find one another as those of different ones do not.
func TestVLAN(t *testing.T) {
	l := newLab(t)
	a, b := newTestHost(t, l, "a"), newTestHost(t, l, "b")
	if err := l.Veth(a, "eth0", b, "eth0", VethOptions{}); err != nil {
		t.Fatal(err)
	}
	c, err := b.Capture("eth0", func(f Frame) bool { return !f.Outgoing })
	if err != nil {
		t.Fatal(err)
	}
	service := Tag{Type: 0x88a8, TCI: 3<<13 | 7}
	push, err := a.PushTag("eth0", service)
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 9, 0x88, 0xb5}, make([]byte, 46)...)
	if err := a.SendFrame("eth0", frame); err != nil {
		t.Fatal(err)
	}
	got, err := c.Wait(testContext(t), 1, func(f Frame) bool { return bytes.Equal(f.Data, frame) })
	if err != nil || !got[0].Tagged || got[0].VLAN != service.TCI || got[0].VLANType != service.Type {
		t.Fatalf("got %+v, %v: want the frame with %+v beside it", got, err, service)
	}
	if err := push.Close(); err != nil {
		t.Fatal(err)
	}

	if err := a.AddAddress("eth0", "192.0.2.1/24"); err != nil {
		t.Fatal(err)
	}
	if err := b.AddAddress("eth0", "192.0.2.2/24"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at, other Tag
		received  int
	}{
		{Tag{0x8100, 10}, Tag{0x8100, 20}, 0},
		{Tag{0x8100, 10}, Tag{0x88a8, 10}, 0},
		{Tag{0x8100, 10}, Tag{0x8100, 10}, 1},
	} {
		ja, err := a.JoinVLAN("eth0", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		jb, err := b.JoinVLAN("eth0", tt.other)
		if err != nil {
			t.Fatal(err)
		}
		timeout := 10 * time.Second
		if tt.received == 0 {
			timeout = 100 * time.Millisecond
		}
		// No question for the other one is left, whose last tag was another one and which is given up after three seconds.
		if err := a.FlushNeighbours("eth0"); err != nil {
			t.Fatal(err)
		}
		res, err := a.Ping(testContext(t), netip.MustParseAddr("192.0.2.2"), PingOptions{Timeout: timeout})
		if err != nil || res.Received != tt.received {
			t.Errorf("%+v and %+v: %+v, %v: want %d answers", tt.at, tt.other, res, err, tt.received)
		}
		if err := ja.Close(); err != nil {
			t.Error(err)
		}
		if err := jb.Close(); err != nil {
			t.Error(err)
		}
	}
}
