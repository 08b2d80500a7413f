package gateway

import (
	"slices"
	"testing"

	"vxgw/control"
	"vxgw/underlay"
)

// What metrics have a series for each of is what a remote's state may be.
func TestRemoteStates(t *testing.T) {
	want := []string{control.RemoteIdle}
	for s := underlay.Resolving; s <= underlay.LinkDown; s++ {
		want = append(want, s.String())
	}
	got := control.RemoteStates()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("states are %q, want %q", got, want)
	}
}
