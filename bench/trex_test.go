package bench

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"vxgw/vxlan"
)

// The profiles of bench/trex without TRex: stub/trex_stl_lib stands for its library, and scapy builds the packets. That gw forwards
// them is for TestTRex of cmd/gw.

// python runs a Python that has scapy.
func python(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), p, "-c", "import scapy").Run() != nil {
			continue
		}
		c := exec.CommandContext(t.Context(), p, args...)
		c.Env = append(os.Environ(), append(env, "PYTHONPATH=trex/stub", "PYTHONDONTWRITEBYTECODE=1")...)
		var out, errs strings.Builder
		c.Stdout, c.Stderr = &out, &errs
		err := c.Run()
		return out.String(), errs.String(), err
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no scapy (apt-get install python3-scapy), and CI must not skip this")
	}
	t.Skip("no scapy (apt-get install python3-scapy)")
	return "", "", nil
}

// profile returns packets of one.
func profile(t *testing.T, args ...string) (packets [][]byte) {
	t.Helper()
	out, errs, err := python(t, nil, append([]string{"trex/stub/packets.py"}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	for line := range strings.Lines(out) {
		p, err := hex.DecodeString(strings.TrimSpace(line))
		must(t, err)
		packets = append(packets, p)
	}
	return packets
}

// TestTRexProfiles wants frames that the quick look takes, of all stations and flows that were asked for, in headers that VTEPs send.
func TestTRexProfiles(t *testing.T) {
	const count, macs, flows = 400, 8, 16
	for name, d := range map[string]Direction{"plain": Encap, "vxlan": Decap} {
		for _, size := range []int{64, 128, 1518} {
			packets := profile(t, name, strconv.Itoa(count), "--size", strconv.Itoa(size), "--macs", strconv.Itoa(macs), "--flows", strconv.Itoa(flows), "--vni", "4097")
			if len(packets) != count {
				t.Fatalf("%s: %d packets", name, len(packets))
			}
			from, to := d.sides()
			sources, targets, hashes := map[uint64]bool{}, map[uint64]bool{}, map[uint32]bool{}
			for _, p := range packets {
				frame := p
				if d == Decap {
					_, src, vni, end, ok := vxlan.QuickOuter((*[vxlan.Overhead]byte)(p), len(p))
					if !ok || src != 0x0a000002 || vni != 4097 || end != len(p) {
						t.Fatalf("%s: outer headers: %v, from %#x, VNI %d, end %d of % x", name, ok, src, vni, end, p)
					}
					frame = p[vxlan.Overhead:]
					if string(p[34:36]) != string(frame[34:36]) {
						t.Fatalf("%s: the outer port is not the flow's: % x", name, p)
					}
				}
				var in vxlan.Inner
				if f := vxlan.ParseInner(frame, &in); f != vxlan.OK || len(frame) != size-4 {
					t.Fatalf("%s: %v, %d bytes: % x", name, f, len(frame), frame)
				}
				if vxlan.Fold(vxlan.Sum(frame[14:34], 0)) != 0xffff {
					t.Fatalf("%s: IPv4 checksum: % x", name, frame)
				}
				if len(frame) >= vxlan.InnerHead {
					if _, _, _, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(frame), len(frame)); !ok {
						t.Fatalf("%s: not for the quick look: % x", name, frame)
					}
				}
				if side(in.Src>>32) != from || side(in.Dst>>32) != to {
					t.Fatalf("%s: from %#x to %#x", name, in.Src, in.Dst)
				}
				sources[in.Src], targets[in.Dst], hashes[in.Hash] = true, true, true
			}
			if len(sources) != macs/2 || len(targets) != macs/2 || len(hashes) != flows {
				t.Errorf("%s: %d sources, %d destinations, %d flows", name, len(sources), len(targets), len(hashes))
			}
		}
	}
}

// TestTRexRefuses wants tunables that make no sense to be refused.
func TestTRexRefuses(t *testing.T) {
	for _, c := range []struct{ tunable, value, want string }{
		{"--flows", "0", "--flows: 1 to 64512"}, {"--macs", "1", "--macs: 2 to"}, {"--size", "60", "--size: 64 to 9000"}, {"--pace", "7", "unrecognized"},
	} {
		_, errs, err := python(t, nil, "trex/stub/packets.py", "plain", "1", c.tunable, c.value)
		if err == nil || !strings.Contains(errs, c.want) {
			t.Errorf("%s %s: %v, %s", c.tunable, c.value, err, errs)
		}
	}
}

// trial is what rfc2544.py prints.
type trial struct {
	Size      int     `json:"size"`
	Direction string  `json:"direction"`
	Rate      float64 `json:"frames_per_second"`
	OfLine    float64 `json:"of_line"`
}

// TestRFC2544 lets the search find out what a device forwards that is made up: so many frames a second of both directions together.
func TestRFC2544(t *testing.T) {
	const wire64, wire1518 = 10e9 / 8 / (64 + 50 + 20), 10e9 / 8 / (1518 + 50 + 20)
	for _, c := range []struct {
		capacity, want64, want1518 float64
	}{
		{3e6, 3e6, wire1518},
		{500e3, 500e3, 500e3},
		{100e6, wire64, wire1518},
	} {
		out, errs, err := python(t, []string{"STUB_CAPACITY=" + strconv.FormatFloat(c.capacity, 'f', 0, 64)},
			"trex/rfc2544.py", "--sizes", "64,1518", "--precision", "0.1", "--seconds", "1", "--learn", "1", "-t", "--macs", "1000")
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		var got []trial
		must(t, json.Unmarshal([]byte(out), &got))
		if len(got) != 6 {
			t.Fatalf("%s", out)
		}
		for _, r := range got {
			want, wire := c.want64, wire64
			if r.Size == 1518 {
				want, wire = c.want1518, wire1518
			}
			if r.Direction == "both" {
				want = min(2*wire, c.capacity)
			}
			// Never above what is forwarded, and below it by no more than the precision, of each of both directions.
			if r.Rate > want+1 || r.Rate < want-2*wire/1000-2 {
				t.Errorf("capacity %.0f, %d bytes %s: %.0f instead of %.0f", c.capacity, r.Size, r.Direction, r.Rate, want)
			}
		}
	}
}

// TestRFC2544Tolerance wants lost frames to count as much as they may.
func TestRFC2544Tolerance(t *testing.T) {
	out, errs, err := python(t, []string{"STUB_CAPACITY=1000000"}, "trex/rfc2544.py", "--sizes", "64", "--directions", "encap", "--tolerance", "50", "--precision", "0.01", "--seconds", "1")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	var got []trial
	must(t, json.Unmarshal([]byte(out), &got))
	if len(got) != 1 || got[0].Rate < 1_990_000 || got[0].Rate > 2_000_010 {
		t.Errorf("half may be lost: %s", out)
	}
}

// TestRFC2544Fails wants no result where the generator itself is too slow, or a direction is unknown.
func TestRFC2544Fails(t *testing.T) {
	for want, args := range map[string][]string{
		"64 bytes encap: TRex sent":       {"--sizes", "64", "--seconds", "1"},
		"--directions: up is none of":     {"--directions", "up"},
		"invalid float value: 'a minute'": {"--seconds", "a minute"},
	} {
		out, errs, err := python(t, []string{"STUB_CAPACITY=1e9", "STUB_GENERATOR=1e6"}, append([]string{"trex/rfc2544.py"}, args...)...)
		if err == nil || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: %v, %q, %q", args, err, out, errs)
		}
	}
}
