package gateway

import (
	"net/netip"
	"strings"
	"testing"

	"vxgw/control"
)

// Where XDP does not take a list, workers have it all the same, the status says so, and XDP is asked
// again.
func TestAllowWithoutXDP(t *testing.T) {
	b := newBed(t)
	must(t, b.g.AddAllowed(control.AllowChange{VNI: 42, Who: "remotes"}))
	said := func() string { return strings.Join(b.g.Status().Problems, "; ") }
	const problem = "XDP lets more VTEPs through than may send"
	if p := said(); strings.Contains(p, problem) {
		t.Fatal(p)
	}
	must(t, b.g.order(func() (bool, error) {
		b.g.steward.untaken = map[uint32][]netip.Prefix{7: {{}}} // which it refuses
		return false, nil
	}))
	must(t, b.g.AddAllowed(control.AllowChange{VNI: 42, Who: "10.9.0.0/16"}))
	if p := said(); !strings.Contains(p, problem) || !strings.Contains(p, "VNI 7") {
		t.Errorf("problems: %s", p)
	}
	must(t, b.g.order(func() (bool, error) {
		b.g.steward.untaken[7] = nil
		return false, nil
	}))
	must(t, b.g.DeleteAllowed(control.AllowChange{VNI: 42, Who: "10.9.0.0/16"}))
	if p := said(); strings.Contains(p, problem) {
		t.Errorf("problems: %s", p)
	}
	if d := b.g.plane.Snapshot().Domains[0]; d.Allow == nil {
		t.Error("workers have no list")
	}
	must(t, b.g.AllowAnyone(control.VNIName{VNI: 42}))
	if d := b.g.plane.Snapshot().Domains[0]; d.Allow != nil {
		t.Error("workers have a list")
	}
}

// A network of link-local addresses lets those of the underlay's link be sent to, with and without its name.
func TestAllowLinkLocal(t *testing.T) {
	b := newBed(t)
	must(t, b.g.AddAllowed(control.AllowChange{VNI: 42, Who: "10.0.0.0/24"}))
	must(t, b.g.AddAllowed(control.AllowChange{VNI: 42, Who: "fe80::/10"}))
	must(t, b.change("add", "02:00:00:00:00:56", "fe80::56"))
	must(t, b.change("replace", "02:00:00:00:00:56", "fe80::57%ens18"))
	if err := b.change("add", "02:00:00:00:00:58", "2001:db8::58"); err == nil || !strings.Contains(err.Error(), "allow leaves it out") {
		t.Errorf("a VTEP that may not answer: %v", err)
	}
}

// Beside a group the word remotes is for those that are named. The last of them does not go, since no change of any VNI would be right
// behind that.
func TestAllowRemotesBesideGroup(t *testing.T) {
	b := newBed(t)
	must(t, b.host.Do(func() error {
		return b.g.AddVNI([]byte(`{"vni": 44, "group": "224.1.1.4", "remotes": ["10.0.0.7", "10.0.0.8"], "allow": "remotes", "device": null}`))
	}))
	listed := func(want string) {
		t.Helper()
		for _, v := range b.g.Status().VNIs {
			if got := strings.Join(v.Remotes, " "); v.VNI == 44 && got != want {
				t.Errorf("floods to %s, want %s", got, want)
			}
		}
	}
	all := control.FDBChange{MAC: control.ZeroMAC, Dev: "gw44"}
	if err := b.g.ChangeFDB("del", all); err == nil || !strings.Contains(err.Error(), "gw remote allow off --vni 44 first") {
		t.Errorf("all of them: %v", err)
	}
	must(t, b.g.DeleteRemote(control.RemoteChange{VNI: 44, Address: netip.MustParseAddr("10.0.0.7")}))
	listed("10.0.0.8")
	last := control.RemoteChange{VNI: 44, Address: netip.MustParseAddr("10.0.0.8")}
	if err := b.g.DeleteRemote(last); err == nil || !strings.Contains(err.Error(), "gw remote allow off --vni 44 first") {
		t.Errorf("the last: %v", err)
	}
	listed("10.0.0.8")
	must(t, b.g.AddAllowed(control.AllowChange{VNI: 42, Who: "10.0.0.0/24"}))
	must(t, b.g.AllowAnyone(control.VNIName{VNI: 44}))
	must(t, b.g.DeleteRemote(last))
	listed("")
	must(t, b.g.AllowAnyone(control.VNIName{VNI: 42}))
}
