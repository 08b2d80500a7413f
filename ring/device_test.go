package ring

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestModeNames(t *testing.T) {
	for _, m := range []Mode{Auto, ZeroCopy, Copy, Generic} {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%v parsed as %v, %v", m, got, err)
		}
	}
	for _, name := range []string{"", "Auto", "native", "zero-copy"} {
		if _, err := ParseMode(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("mode %q: %v", name, err)
		}
	}
	if got := Mode(9).String(); got != "mode 9" {
		t.Errorf("unknown mode is called %q", got)
	}
}

func TestDeviceDefaults(t *testing.T) {
	m := heap(t, 8, 4096)
	got, err := DeviceConfig{Ifindex: 3, TxSize: 512}.complete(m)
	want := DeviceConfig{
		Ifindex: 3, RxSize: 2048, TxSize: 512, FillSize: 4096, CompletionSize: 512, BusyPollBudget: 64,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	m, _, _ := mapped(t, 8, 2048)
	for _, c := range []struct {
		config DeviceConfig
		want   string
	}{
		{DeviceConfig{}, "interface index 0"},
		{DeviceConfig{Ifindex: -1}, "interface index -1"},
		{DeviceConfig{Ifindex: 1, Mode: 4}, "mode 4"},
		{DeviceConfig{Ifindex: 1, RxSize: 100}, "rx ring of 100"},
		{DeviceConfig{Ifindex: 1, TxSize: 3}, "tx ring of 3"},
		{DeviceConfig{Ifindex: 1, FillSize: maxRing * 2}, "fill ring of 2097152"},
		{DeviceConfig{Ifindex: 1, CompletionSize: 65535}, "completion ring of 65535"},
		{DeviceConfig{Ifindex: 1, Headroom: 2048 - 256}, "headroom of 1792"},
		{DeviceConfig{Ifindex: 1, BusyPoll: -1}, "busy poll"},
		{DeviceConfig{Ifindex: 1, BusyPoll: time.Minute}, "busy poll 1m0s"},
		{DeviceConfig{Ifindex: 1, BusyPollBudget: -1}, "budget -1"},
	} {
		c.config.Name = "ens18"
		if _, err := m.Open(c.config); err == nil || !strings.HasPrefix(err.Error(), "open ens18: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
	if _, err := heap(t, 8, 2048).Open(DeviceConfig{Ifindex: 1, Name: "ens18"}); err == nil {
		t.Error("heap memory was opened")
	}
}

// TestAdvice wants the cure in the message and the cause in the chain.
func TestAdvice(t *testing.T) {
	d := &Device{config: DeviceConfig{Name: "no such interface", Ifindex: 77}}
	for _, c := range []struct {
		err  error
		is   error
		want string
	}{
		{adviseSocket(unix.EPERM), unix.EPERM, "AF_XDP socket: operation not permitted (needs CAP_NET_RAW)"},
		{adviseSocket(unix.EAFNOSUPPORT), unix.EAFNOSUPPORT, "CONFIG_XDP_SOCKETS"},
		{adviseSocket(unix.ENOSYS), unix.ENOSYS, "CONFIG_XDP_SOCKETS"},
		{adviseSocket(unix.EMFILE), unix.EMFILE, "AF_XDP socket: too many open files"},
		{adviseRegister(unix.ENOBUFS, 4096), unix.ENOBUFS, "RLIMIT_MEMLOCK"},
		{adviseRegister(unix.EINVAL, 4096), unix.EINVAL, "register 4096 bytes of frames: invalid argument"},
		{d.adviseBind(unix.EBUSY, 0, 0), unix.EBUSY, "another socket has the queue"},
		{d.adviseBind(unix.ENODEV, 0, 0), unix.ENODEV, "no interface with index 77"},
		{d.adviseBind(unix.ENETDOWN, 0, 0), unix.ENETDOWN, "set the interface up"},
		{d.adviseBind(unix.EPERM, 0, 0), unix.EPERM, "CAP_NET_RAW"},
		{d.adviseBind(unix.EOPNOTSUPP, unix.XDP_ZEROCOPY, 0), unix.EOPNOTSUPP, "zero-copy: operation not supported (try --mode copy)"},
		{d.adviseBind(unix.EINVAL, unix.XDP_COPY, 0), unix.EINVAL, "invalid argument"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%v: want %q", c.err, c.want)
		}
	}
}

// A kernel that does not know packets of several parts answers EINVAL, which alone says nothing.
func TestAdviseParts(t *testing.T) {
	d := &Device{config: DeviceConfig{Ifindex: 1, Name: "nosuch", Parts: true}}
	if err := d.adviseBind(unix.EINVAL, unix.XDP_COPY|unix.XDP_USE_SG, 0); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "6.6") {
		t.Errorf("%v, want EINVAL and the Linux it takes", err)
	}
}
