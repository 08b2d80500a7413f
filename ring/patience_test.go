package ring

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestPatience plays a driver that is not ready, for a while or for good.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []error // the last one again and again
		calls   int     // 0: more than one
		want    error
	}{
		{"ready", []error{nil}, 1, nil},
		{"the queue was busy, then the NIC reset", []error{unix.EBUSY, unix.EBUSY, unix.ENETDOWN, unix.EAGAIN, nil}, 5, nil},
		{"no zero-copy", []error{unix.EOPNOTSUPP}, 1, unix.EOPNOTSUPP},
		{"no zero-copy, after a reset", []error{unix.ENETDOWN, unix.EINVAL}, 2, unix.EINVAL},
		{"busy for good", []error{unix.EBUSY}, 0, unix.EBUSY},
		{"down for good", []error{unix.ENETDOWN}, 0, unix.ENETDOWN},
	} {
		calls := 0
		err := patiently(10*busyPause, func() error {
			calls++
			return c.answers[min(calls, len(c.answers))-1]
		})
		if err != c.want || c.calls > 0 && calls != c.calls || calls < 1 {
			t.Errorf("%s: %v after %d calls, want %v after %d", c.name, err, calls, c.want, c.calls)
		}
	}
}

// A driver that is down for good leaves auto mode the copy, and says what to do otherwise.
func TestRefusalOfDownDevice(t *testing.T) {
	d := &Device{config: DeviceConfig{Name: "ens18", Cure: "turn it on"}}
	for errno, want := range map[unix.Errno]string{
		unix.ENETDOWN:   "zero-copy: network is down (set the interface up; or try --mode copy)",
		unix.EINVAL:     "zero-copy: invalid argument (turn it on; or try --mode copy)",
		unix.EOPNOTSUPP: "zero-copy: operation not supported (turn it on; or try --mode copy)",
	} {
		err := d.adviseBind(errno, unix.XDP_ZEROCOPY|unix.XDP_USE_NEED_WAKEUP, 0)
		if no, ok := err.(refusal); !ok || no.errno != errno || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := d.adviseBind(unix.ENETDOWN, unix.XDP_COPY, 0); err.Error() != "network is down (set the interface up)" {
		t.Errorf("in copy mode: %v", err)
	}
}
