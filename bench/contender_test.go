package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// testProgram is this program, which is a forwarder when it is run as one.
func testProgram() string { return os.Args[0] }

func affinity(t *testing.T, thread int) (cpus []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(thread, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// buildGateway builds gw, which this program is not.
func buildGateway(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gw")
	if out, err := exec.Command("go", "build", "-o", path, "vxgw/cmd/gw").CombinedOutput(); err != nil {
		t.Fatalf("build gw: %v\n%s", err, out)
	}
	return path
}

// newScene is a cell with both directions and two stations.
func newScene(t *testing.T, b *bed, program string) *scene {
	t.Helper()
	return sceneOf(t, b, program, baseCell(bothWays, b.jailed))
}

func sceneOf(t *testing.T, b *bed, program string, c Cell) *scene {
	t.Helper()
	r := &runner{program: program, dir: t.TempDir(), all: contenders(program), say: t.Logf, result: &EndToEnd{},
		span: span{rounds: 7, searches: 7, window: 100 * time.Millisecond, short: 20 * time.Millisecond}}
	s := &scene{runner: r, cell: &c, bed: b, gens: map[Direction]map[Traffic]*generator{}, prime: map[Direction]*generator{}, side: map[sideTraffic]*generator{}, gone: map[string]int{}}
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestContenders has each forward frames in both directions, twice, and wants each frame right
// and nothing left behind on the links.
func TestContenders(t *testing.T) {
	b := newTestBed(t, false)
	program := buildGateway(t)
	s := newScene(t, b, program)
	before := dump(t, b)
	for i := range s.all {
		c := &s.all[i]
		if c.Name == "ovs" {
			if _, err := ovsVersion(); err != nil {
				t.Logf("left out: %v", err)
				continue
			}
		}
		if !c.tunnel || c.Name == "gw-busy" { // TestForwarders has those; and this one wants a CPU of its own
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				r, err := s.start(ctx, c) // and verify
				if err != nil {
					t.Fatal(err)
				}
				turn, err := s.measure(r, c, entrant{name: c.Name, contender: c.Name, traffic: s.cell.Traffic}, 0)
				if err != nil || turn.Rate == 0 {
					t.Errorf("%+v, %v", turn, err)
				}
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				cancel()
				wantAsBefore(t, b, before, c.Name)
			}
		})
	}
}

// TestTrunkContender has the stations of several VLANs, and of remotes, send both ways, and
// gw at rest in between.
func TestTrunkContender(t *testing.T) {
	b := newTestBed(t, false)
	c := baseCell(bothWays, false)
	c.Traffic = Traffic{MACs: 2 * 24, Size: innerLen, Remotes: 5, VNIs: 8}
	c.entrants, c.place = []entrant{{name: "gw", contender: "gw", traffic: c.Traffic}}, place{vnis: 8, trunk: true}
	c.base, c.latency = true, []string{"gw"}
	s := sceneOf(t, b, buildGateway(t), c)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := s.start(ctx, s.contender("gw")) // and verify
	if err != nil {
		t.Fatal(err)
	}
	turn, err := s.measure(r, s.contender("gw"), c.entrants[0], 0)
	if err != nil || turn.Rate == 0 || turn.Lone == nil || turn.Lone.Frames == 0 || turn.Lone.P50 == 0 || turn.Idle == nil || len(turn.Syscalls) == 0 {
		t.Errorf("%+v, %v", turn, err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestWrongVNI wants frames in other VNIs and VLANs than their station's told from right ones.
func TestWrongVNI(t *testing.T) {
	m := Traffic{MACs: 8, Size: innerLen, Remotes: 1, VNIs: 4}
	frame := make([]byte, innerLen)
	putFrame(frame, nearSide.mac(2), farSide.mac(2), 7, measured, 0)
	for vlan, tagged := range map[uint16]bool{3: true, 4: true, 0: false} {
		err := (contender{tunnel: true}).check(lab.Frame{Data: frame, Tagged: tagged, VLAN: vlan}, Decap, m, measured)
		if (err == nil) != (vlan == 3) {
			t.Errorf("VLAN %d of a station of VLAN 3: %v", vlan, err)
		}
	}
	for number := uint32(vni); number < vni+4; number++ {
		p := make([]byte, vxlan.Overhead+innerLen)
		putFrame(p[vxlan.Overhead:], farSide.mac(2), nearSide.mac(2), 7, measured, 0)
		if err := (outerHeaders{}).put(p, 0, number); err != nil {
			t.Fatal(err)
		}
		copy(p[26:34], append(underlayAddr.AsSlice(), remoteAddr.AsSlice()...)) // the other way, which the checksum does not mind
		if err := checkTunnelled(p, Encap, m, measured); (err == nil) != (number == vni+2) {
			t.Errorf("VNI %d of a station of VNI %d: %v", number, vni+2, err)
		}
	}
}

// TestWrongFrames wants garbage told from frames: what is not checked is not measured.
func TestWrongFrames(t *testing.T) {
	frame := make([]byte, innerLen)
	putFrame(frame, farSide.mac(0), nearSide.mac(0), 7, measured, 0)
	if err := checkSent(frame, nearSide, farSide, measured); err != nil {
		t.Fatal(err)
	}
	for at := range frame {
		frame[at] ^= 0x10
		// Source port and time are any; what covers them is the checksum.
		if err := checkSent(frame, nearSide, farSide, measured); err == nil && (at < 2 || at > 11) && (at < 6 || at > 11) {
			t.Errorf("byte %d is wrong, and nobody noticed", at)
		}
		frame[at] ^= 0x10
	}
	if err := checkSent(frame, farSide, nearSide, measured); err == nil {
		t.Error("the wrong way, and nobody noticed")
	}
	if err := (contender{tunnel: true}).check(lab.Frame{Data: frame}, Encap, Traffic{}, measured); err == nil {
		t.Error("no outer headers, and nobody noticed")
	}
}

// TestOVSMissing wants the cure in the error, and the peer in the report.
func TestOVSMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, err := range []error{func() error { _, err := ovsVersion(); return err }(), func() error {
		_, err := openVSwitch(t.Context(), place{})
		return err
	}()} {
		if err == nil || !strings.Contains(err.Error(), "bench/peers.sh") {
			t.Errorf("%v", err)
		}
	}
}

// TestPeerFails has a peer that will not start reported, and others measured all the same.
func TestPeerFails(t *testing.T) {
	b := newTestBed(t, false)
	s := newScene(t, b, testProgram())
	s.cell.entrants = []entrant{{name: "ovs", contender: "ovs", traffic: s.cell.Traffic}, {name: "kernel", contender: "kernel", traffic: s.cell.Traffic}}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	before := dump(t, b)
	turns, err := s.round(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if turns["kernel"].Rate == 0 || len(turns) != 1 {
		t.Errorf("%+v", turns)
	}
	if c := s.contender("ovs"); !strings.Contains(c.Missing, "bench/peers.sh") {
		t.Errorf("%+v", c.Peer)
	}
	wantAsBefore(t, b, before, "the round")
}
