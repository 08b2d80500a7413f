//go:build vmlab

package vmlab

import (
	"strings"
	"testing"
)

// What gw does without cards, in copy and in generic mode, on each kernel that docs/kernels.md names.

func TestCopyDebian12(t *testing.T) { withoutCards(t, Debian12, "TestPortTagsRefused") }
func TestCopyDebian13(t *testing.T) {
	withoutCards(t, Debian13, "TestPortTagsSteers", "TestPortTagsIsBound", "TestVLANTagsSteers")
}
func TestCopyNewest(t *testing.T) {
	withoutCards(t, Newest, "TestPortTagsSteers", "TestPortTagsIsBound", "TestVLANTagsSteers")
}

// withoutCards runs the article's scenarios, and what a kernel may lack something for. What is told of VLAN tags differs between
// kernels, and so do the tests of it.
func withoutCards(t *testing.T, suite string, tags ...string) {
	for _, p := range []struct {
		pkg   string
		tests []string
	}{
		{"bpf", append(tags, "TestSteersFrames", "TestVLANTable", "TestVLANTwin", "TestLeftoverTable", "TestUnderlayTable", "TestPortTable", "TestForeignLink", "TestQueues")},
		{"ring", []string{"TestFlushMovesAFullRing", "TestPoll"}},
		{"cmd/gw", []string{
			"TestPointToPointBothGW", // scenario 1
			"TestMulticast",          // scenario 2, with the kernel's device and with gw at the other ends
			"TestPorts",              // scenario 3
			"TestLocalSwitching",
			"TestVLANTags", // told, kept within the frames, or lost
			"TestGenericMode",
			"TestZeroCopyOnVeth", // refused
			"TestTwoWorkers",
			"TestPoll",             // receives by itself, until Linux 6.12
			"TestVerbs",            // runtime changes
			"TestCraftedFragments", // what the kernel was left
			"TestFirstPingAfterFlap",
			"TestRemoteGoneAndBack",
			"TestLeastPrivilege",
			"TestTakeOver", // programs and devices that go to the next gateway
			"TestKilledThenStarted",
			"TestVRF.*",          // underlays that this machine's kernel may have no devices for
			"TestVLANUnderlay.*", // with tags that XDP is told, sees in frames, or not at all
		}},
	} {
		t.Run(strings.ReplaceAll(p.pkg, "/", "-"), func(t *testing.T) {
			inside(t, plan{
				suite: suite, pkg: p.pkg, run: "^(" + strings.Join(p.tests, "|") + ")$", short: true,
				modules: []string{"sch_ingress", "cls_bpf", "vrf", "8021q"}, // the first two for tags where there is no tcx
				memory:  2048,
			})
		})
	}
}
