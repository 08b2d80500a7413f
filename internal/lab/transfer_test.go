package lab

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTransferTCP(t *testing.T) {
	_, a, b := pair(t)
	for _, tc := range []struct {
		name string
		from *Host
		to   *Host
		addr string
		n    int64
	}{
		{"nothing", a, b, "10.65.132.188:0", 0},
		{"one byte", b, a, "10.65.132.187:0", 1},
		{"stream", a, b, "10.65.132.188:5001", 20<<20 + 17},
		{"ipv6", a, b, "[fd00::188]:0", 1 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) { must(t, TransferTCP(testContext(t), tc.from, tc.to, tc.addr, tc.n)) })
	}
	if err := TransferTCP(testContext(t), a, b, "10.65.132.200:0", 1); err == nil {
		t.Error("listened on an address of nobody")
	}
}

func TestTransferTCPTellsHowFar(t *testing.T) {
	_, a, b := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan error, 1)
	c, err := b.Capture("ens18", func(f Frame) bool { return len(f.Data) > 1000 })
	must(t, err)
	go func() { // once data flows, cut the wire
		_, err := c.Wait(testContext(t), 1, nil)
		cut <- errors.Join(err, a.SetDown("ens18"))
		cancel()
	}()
	err = TransferTCP(ctx, a, b, "10.65.132.188:0", 1<<40)
	must(t, <-cut)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), " of 1099511627776 bytes") {
		t.Errorf("cut off: %v", err)
	}
}

func TestTransferUDP(t *testing.T) {
	_, a, b := pair(t)
	var sizes []int
	for size := range 40 {
		sizes = append(sizes, size)
	}
	sizes = append(sizes, 1471, 1472, 1473, 9000, 65507)
	for _, addr := range []string{"10.65.132.188:0", "[fd00::188]:0"} {
		lost, err := TransferUDP(testContext(t), a, b, addr, sizes)
		must(t, err)
		if len(lost) != 0 {
			t.Errorf("%s: lost %v", addr, lost)
		}
	}
	// What the MTU of the far end does not let in is lost, what no datagram can hold is refused.
	must(t, b.SetMTU("ens18", 1000))
	lost, err := TransferUDP(testContext(t), a, b, "10.65.132.188:0", []int{100, 1472, 65508, 200})
	must(t, err)
	if len(lost) != 2 || lost[0] != (Loss{Index: 1, Size: 1472}) || lost[1].Index != 2 || !errors.Is(lost[1].Err, unix.EMSGSIZE) {
		t.Errorf("lost %v", lost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := TransferUDP(ctx, a, b, "10.65.132.188:0", sizes); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
}
