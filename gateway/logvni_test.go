package gateway

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"vxgw/control"
	"vxgw/logs"
)

// A VNI that goes gives its place among those that are told of to another one, and comes back without.
func TestDebuggedVNIGoes(t *testing.T) {
	b := newBedWith(t, func(g *Gateway) []func() error {
		g.log = slog.New(logs.New(slog.DiscardHandler, slog.LevelInfo))
		return append(g.steps(), g.startSteward)
	})
	add := func(vni uint32) {
		t.Helper()
		must(t, b.g.AddVNI(fmt.Appendf(nil, `{"vni": %d, "device": null}`, vni)))
	}
	debug := func(vni uint32) error { return b.g.SetLog(control.LogChange{VNI: vni, Debug: true}) }
	for vni := uint32(1); vni <= mostDebugged+1; vni++ {
		add(vni)
	}
	for vni := uint32(1); vni <= mostDebugged; vni++ {
		must(t, debug(vni))
	}
	const last = mostDebugged + 1
	if err := debug(last); err == nil {
		t.Error("one more than there may be is told of")
	}
	if err := b.g.DeleteVNIs(control.VNIRange{VNI: 3, Last: 30}); err == nil {
		t.Error("VNIs were removed that are not there")
	}
	if now := b.g.logState().Debug; len(now) != mostDebugged {
		t.Errorf("told of after nothing was removed: %v", now)
	}
	must(t, b.g.DeleteVNI(3))
	if now := b.g.logState().Debug; len(now) != mostDebugged-1 || slices.Contains(now, 3) {
		t.Errorf("told of after 3 has gone: %v", now)
	}
	must(t, debug(last))
	add(3)
	if now := b.g.logState().Debug; len(now) != mostDebugged || slices.Contains(now, 3) {
		t.Errorf("told of after 3 has come back: %v", now)
	}
}
