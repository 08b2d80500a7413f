package gateway

import (
	"testing"

	"vxgw/control"
)

// A family without a source of its own must not be said to keep the other one from sending.
func TestNothingIsSent(t *testing.T) {
	const why = "ens18 has no global IPv6 address"
	for _, c := range []struct {
		locals []string
		want   string
	}{
		{[]string{}, "underlay ens18: nothing is sent: " + why},
		{[]string{"10.65.132.187"}, "underlay ens18: nothing is sent over IPv6: " + why},
		{[]string{"2001:db8::1", "fe80::1"}, "underlay ens18: nothing is sent over IPv4: " + why},
		{[]string{"10.65.132.187", "2001:db8::1"}, "underlay ens18: nothing is sent: " + why},
	} {
		s := control.Status{Underlay: control.Underlay{Interface: control.Interface{Name: "ens18", Up: true}, Locals: c.locals, Trouble: why}}
		if got := problems(&s); len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: %q, want %q", c.locals, got, c.want)
		}
	}
}
