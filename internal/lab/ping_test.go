package lab

import (
	"net/netip"
	"testing"
	"time"
)

func TestPing(t *testing.T) {
	_, a, b := pair(t)
	for _, tc := range []struct {
		name string
		from *Host
		dst  string
		opts PingOptions
	}{
		{"one", a, "10.65.132.188", PingOptions{}},
		{"back", b, "10.65.132.187", PingOptions{}},
		{"many", a, "10.65.132.188", PingOptions{Count: 20, Interval: time.Millisecond}},
		{"odd size", a, "10.65.132.188", PingOptions{Size: 1001}},
		{"largest unfragmented", a, "10.65.132.188", PingOptions{Size: 1472, DontFragment: true}},
		{"fragments", a, "10.65.132.188", PingOptions{Size: 8000}},
		{"ipv6", a, "fd00::188", PingOptions{Count: 3, Interval: time.Millisecond}},
		{"ipv6 bound", b, "fd00::187", PingOptions{Device: "ens18"}},
		{"self", a, "127.0.0.1", PingOptions{}},
	} {
		t.Run(tc.name, func(t *testing.T) { expectPing(t, tc.from, tc.dst, tc.opts) })
	}
}

func TestPingTells(t *testing.T) {
	_, a, b := pair(t)
	res, err := a.Ping(testContext(t), netip.MustParseAddr("10.65.132.188"), PingOptions{Size: 1473, DontFragment: true, Timeout: 50 * time.Millisecond})
	must(t, err)
	if res.Received != 0 || len(res.Errors) == 0 {
		t.Errorf("too big a packet with DF: %+v", res)
	}
	must(t, b.SetDown("ens18"))
	res, err = a.Ping(testContext(t), netip.MustParseAddr("10.65.132.188"), PingOptions{Count: 2, Interval: time.Millisecond, Timeout: 50 * time.Millisecond})
	must(t, err)
	if res.Sent != 2 || res.Received != 0 {
		t.Errorf("nobody there: %+v", res)
	}
	if _, err := a.Ping(testContext(t), netip.MustParseAddr("192.0.2.1"), PingOptions{}); err == nil {
		t.Error("no route, no error")
	}
}
