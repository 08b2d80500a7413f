package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"vxgw/control"
	"vxgw/internal/lab"
)

// What gw explain says of a frame is what then happens to it, to the byte on the wire, and asking changes nothing.
func TestExplain(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	b.goesTo(t, noMAC, under2) // and so the way to the VTEP is open, and boxMAC learned
	b.awaitDirect(under2.String())

	t.Run("flooded", func(t *testing.T) {
		f := named(farMAC2, boxMAC, "explain: flooded")
		x := b.explain(t, "--port", "veth1", "--frame", hex.EncodeToString(f))
		if x.Verdict != "flooded" || x.VNI != 42 || len(x.Copies) != 3 {
			t.Fatalf("%+v", x)
		}
		at2, err := b.box2.Capture("veth0", nil)
		must(t, err)
		must(t, b.box.SendFrame("veth0", f))
		b.left(t, b.probes[0], b.copyTo(t, x, "10.65.132.188"), f)
		b.left(t, at2, b.copyTo(t, x, "veth2"), f)
	})
	t.Run("to a remote", func(t *testing.T) {
		b.gw(t, "add "+farMAC.String()+" dev gw42 dst 10.65.132.188")
		f := named(farMAC, boxMAC, "explain: to a remote")
		x := b.explain(t, "--port", "veth1", "--frame", hex.EncodeToString(f))
		if x.Verdict != "to_remote" || len(x.Copies) != 1 {
			t.Fatalf("%+v", x)
		}
		must(t, b.box.SendFrame("veth0", f))
		b.left(t, b.probes[0], b.copyTo(t, x, "10.65.132.188"), f)
		text := output(t, b.host, "explain", "--port", "veth1", "--flow", boxMAC.String()+","+farMAC.String()+",172.17.1.2,172.17.1.3,udp,1,2")
		for _, want := range []string{
			"veth1, MTU 1500, of vni 42 (gw42)", boxMAC.String() + " is known behind port veth1",
			farMAC.String() + " is behind VTEP 10.65.132.188 (a static entry)", "10.65.132.188: direct, next hop 10.65.132.188, at ", "by ens18, MTU 1500, of which outer headers leave 1464 for a frame",
			"ip.src=10.65.132.187 ip.dst=10.65.132.188 ip.ttl=64", "udp.dport=4789", "vxlan.vni=42", "00000000  ", "verdict      to_remote: Encapsulated and sent to a remote VTEP.",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("lacks %q:\n%s", want, text)
			}
		}
	})
	t.Run("out of a tunnel", func(t *testing.T) {
		f := named(boxMAC, farMAC2, "explain: out of a tunnel")
		x := b.explain(t, "--remote", "10.65.132.188", "--vni", "42", "--frame", hex.EncodeToString(f))
		pkt := craft(b.under, 42, f)
		if y := b.explain(t, "--underlay", "--frame", hex.EncodeToString(pkt)); x.Verdict != "to_port" || y.Verdict != "to_port" || len(y.Copies) != 1 {
			t.Fatalf("%+v\n%+v", x, y)
		}
		at1, err := b.box.Capture("veth0", nil)
		must(t, err)
		must(t, b.hosts[1].SendFrame("ens18", pkt))
		b.left(t, at1, b.copyTo(t, x, "veth1"), f)
	})
	t.Run("dropped", func(t *testing.T) {
		x := b.explain(t, "--remote", "10.65.132.189", "--vni", "42", "--flow", farMAC.String()+","+boxMAC.String())
		if x.Verdict != "static_conflict" || !x.Dropped || x.Cure != "gw fdb del "+farMAC.String()+" dev gw42, if it has moved for good" {
			t.Errorf("%+v", x)
		}
		x = b.explain(t, "--port", "veth1", "--flow", boxMAC.String()+","+farMAC.String()+",172.17.1.2,172.17.1.3,udp,1,2,size=1465")
		if x.Verdict != "too_big" || x.Answer == nil || x.Answer.Dev != "veth1" || !strings.Contains(x.Cure, "mtu 1450") {
			t.Errorf("%+v", x)
		}
		for size, lost := range map[string]bool{"1518": false, "1519": true} {
			f := boxMAC.String() + "," + farMAC.String() + ",size=" + size
			if text := output(t, b.host, "explain", "--port", "veth1", "--flow", f); strings.Contains(text, "is lost without a word before it gets here") != lost {
				t.Errorf("a frame of %s bytes at a veth with an MTU of 1500:\n%s", size, text)
			}
		}
		text := output(t, b.host, "explain", "--remote", "10.65.132.77", "--vni", "42", "--flow", farMAC2.String()+","+boxMAC.String()+",size=200")
		for _, want := range []string{"10.65.132.77 speaks for the first time", farMAC2.String() + " would move from VTEP 10.65.132.188 to VTEP 10.65.132.77"} {
			if !strings.Contains(text, want) {
				t.Errorf("lacks %q:\n%s", want, text)
			}
		}
	})
	t.Run("captures", b.captures)
	t.Run("damaged", b.damaged)
	t.Run("dumps", b.dumps)
	t.Run("not ours", func(t *testing.T) {
		pkt := craft(b.under, 42, named(boxMAC, farMAC2, "not ours"))
		pkt[atIP+19]++ // the destination's last byte
		binary.BigEndian.PutUint16(pkt[atIPSum:], binary.BigEndian.Uint16(pkt[atIPSum:])-1)
		if text := output(t, b.host, "explain", "--underlay", "--frame", hex.EncodeToString(pkt)); !strings.Contains(text, "XDP leaves packets to 10.65.132.188 to the kernel") {
			t.Error(text)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for args, want := range map[string]string{
			"--flow " + flowMACs:                                 "by which way does the frame come in",
			"--port veth1 --underlay --frame 00":                 "a frame comes in by one way",
			"--port veth9 --flow " + flowMACs:                    "veth9 is no port of this gateway (gw port show",
			"--port ens18 --flow " + flowMACs:                    "ens18 is the underlay",
			"--port veth1":                                       "which frame?",
			"--port veth1 --frame zz":                            `not hexadecimal: 'z' after 0 digits`,
			"--port veth1 --frame 000":                           "half a byte is missing",
			"--port veth1 --frame=":                              "the frame is empty",
			"--port veth1 --pcap FILE --count 0":                 "--count 0 explains nothing",
			"--port veth1 --frame " + strings.Repeat("00", 5000): "longer than what the memory's frames have room for: 5000 bytes",
			"--remote 10.65.132.188 --flow " + flowMACs:          "in which VNI does 10.65.132.188 send it? (give --vni VNI)",
			"--remote fd00::1 --vni 42 --flow " + flowMACs:       "no address that fd00::1 could send to: it speaks the other IP version alone",
			"--remote nobody --flow " + flowMACs:                 "--remote nobody is no address",
			"--port veth1 --pcap /no/such/file":                  "no such file",
			"--port veth1 --pcap /proc/version":                  "is no capture that can be read",
		} {
			_, stderr, status := runGW(t, b.host, append([]string{"explain"}, strings.Fields(args)...)...)
			if status == 0 || !strings.Contains(stderr, want) {
				t.Errorf("gw explain %s: exit status %d: %s", args, status, stderr)
			}
		}
	})
	b.stop()
}

// explain asks for one frame and makes sure that asking has changed nothing. What the host itself says meanwhile, by its devices,
// it does not say each time.
func (b *fdbBed) explain(t *testing.T, args ...string) (x control.Explanation) {
	t.Helper()
	eventually(t, func() string {
		before := b.dump(t)
		all := b.explanations(t, args...)
		if len(all) != 1 {
			t.Fatalf("%d explanations of one frame", len(all))
		}
		x = all[0]
		return cmp.Diff(before, b.dump(t))
	})
	return x
}

func (b *fdbBed) explanations(t *testing.T, args ...string) (all []control.Explanation) {
	t.Helper()
	must(t, json.Unmarshal([]byte(output(t, b.host, append([]string{"explain", "-j"}, args...)...)), &all))
	return all
}

// dump is what a frame changes, but for the time.
func (b *fdbBed) dump(t *testing.T) any {
	t.Helper()
	s, entries := b.status(), b.entries()
	for i := range entries {
		entries[i].Age = nil
	}
	workers := slices.Clone(s.Workers)
	for i := range workers {
		w := &workers[i]
		w.Rounds, w.Sleeps, w.Busy, w.Spun, w.CPUTime, w.CPUWait = 0, 0, 0, 0, 0, 0
	}
	for i := range s.Underlay.Queues {
		s.Underlay.Queues[i].Kernel = control.Kernel{} // counts looks at empty rings, of which each status makes some
		s.Underlay.Queues[i].Wakeups = 0               // likewise
	}
	return []any{entries, s.FDB, s.VNIs, s.Remotes, workers, s.Underlay.Queues, s.Memory}
}

func (b *fdbBed) copyTo(t *testing.T, x control.Explanation, to string) control.ExplainCopy {
	t.Helper()
	i := slices.IndexFunc(x.Copies, func(c control.ExplainCopy) bool { return c.To == to })
	if i < 0 || x.Copies[i].Sent == nil {
		t.Fatalf("nothing goes to %s: %+v", to, x.Copies)
	}
	return x.Copies[i]
}

// left wants a packet with a frame in it on the wire, as it was said to leave.
func (b *fdbBed) left(t *testing.T, at *lab.Capture, c control.ExplainCopy, frame []byte) {
	t.Helper()
	got, err := at.Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Contains(f.Data, frame) })
	must(t, err)
	want, err := hex.DecodeString(c.Sent.Bytes)
	must(t, err)
	is := bytes.Clone(got[0].Data)
	if c.Remote { // the ID is a counter's
		copy(is[atIP+4:], want[atIP+4:atIP+6])
		copy(is[atIPSum:], want[atIPSum:atIPSum+2])
	}
	if !bytes.Equal(is, want) {
		t.Errorf("on the wire is\n%x\nand was said to be\n%x", is, want)
	}
}

// captures explains files of both forms.
func (b *fdbBed) captures(t *testing.T) {
	var frames [][]byte
	for i := range 12 {
		frames = append(frames, named(net.HardwareAddr{2, 0, 0, 0, 9, byte(i)}, boxMAC, fmt.Sprintf("captured %d", i)))
	}
	info := func(f []byte) gopacket.CaptureInfo {
		return gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(f), Length: len(f)}
	}
	for _, form := range []string{"pcap", "pcapng"} {
		file := filepath.Join(t.TempDir(), form)
		var out bytes.Buffer
		if form == "pcap" {
			w := pcapgo.NewWriter(&out)
			must(t, w.WriteFileHeader(1<<16, layers.LinkTypeEthernet))
			for _, f := range frames {
				must(t, w.WritePacket(info(f), f))
			}
		} else {
			w, err := pcapgo.NewNgWriter(&out, layers.LinkTypeEthernet)
			must(t, err)
			for _, f := range frames {
				must(t, w.WritePacket(info(f), f))
			}
			must(t, w.Flush())
		}
		must(t, os.WriteFile(file, out.Bytes(), 0o600))
		all := b.explanations(t, "--port", "veth1", "--pcap", file)
		more := b.explanations(t, "--port", "veth1", "--pcap", file, "--count", "20")
		if len(all) != 10 || len(more) != 12 || !strings.Contains(more[11].Frame, "02:00:00:00:09:0b") {
			t.Errorf("%s: %d of 12 frames are explained, %d with --count 20", form, len(all), len(more))
		}
		if text := output(t, b.host, "explain", "--port", "veth1", "--pcap", file, "--count", "2"); strings.Count(text, "verdict      flooded") != 2 || !strings.Contains(text, "frame 2\n") {
			t.Errorf("%s:\n%s", form, text)
		}
	}
}

// Frames in front of one that cannot be explained are, also in JSON, and the error names it.
func (b *fdbBed) damaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "damaged")
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	must(t, w.WriteFileHeader(1<<16, layers.LinkTypeEthernet))
	for _, f := range [][]byte{named(farMAC2, boxMAC, "whole"), make([]byte, 9000)} {
		must(t, w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(f), Length: len(f)}, f))
	}
	must(t, os.WriteFile(file, out.Bytes(), 0o600))
	stdout, stderr, status := runGW(t, b.host, "explain", "-j", "--port", "veth1", "--pcap", file)
	var all []control.Explanation
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) != 1 || status != 1 || !strings.Contains(stderr, "packet 2: ") {
		t.Errorf("exit status %d, %v: %s\n%s", status, err, stdout, stderr)
	}
}

// dumps explains a frame as tcpdump shows it, from standard input, and one that no argument can hold.
func (b *fdbBed) dumps(t *testing.T) {
	ask := func(text string) (stdout, stderr string) {
		c := command(testContext(t), b.host, "explain", "--port", "veth1", "--frame", "-")
		var out, errs bytes.Buffer
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(text), &out, &errs
		_ = c.Run() // what it printed says
		return out.String(), errs.String()
	}
	if out, errs := ask("\t0x0000:  ffff ffff ffff 0200 0000 0001 88b5 0000\n\t0x0010:  0000\n"); !strings.HasPrefix(out, "frame        02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, EtherType 0x88b5, 18 bytes\n") {
		t.Errorf("%s%s", out, errs)
	}
	if _, errs := ask(strings.Repeat("00", 1<<16)); !strings.Contains(errs, "65536 bytes, of which") {
		t.Error(errs)
	}
	if _, errs := ask(strings.Repeat("00", 1<<20)); !strings.Contains(errs, "more than one frame") {
		t.Error(errs)
	}
}

// Traffic goes on while many frames are explained.
func TestExplainUnderTraffic(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	b.gw(t, "add "+farMAC.String()+" dev gw42 dst 10.65.132.188")
	b.goesTo(t, farMAC, under2)
	ctx, cancel := context.WithCancel(testContext(t))
	asked := make(chan error, 1)
	go func() {
		for n := 0; ctx.Err() == nil; n++ {
			if _, err := b.client.Explain(ctx, control.ExplainRequest{Port: "veth1", Frame: hex.EncodeToString(named(noMAC, boxMAC, "asked"))}); err != nil && ctx.Err() == nil {
				asked <- err
				return
			}
		}
		asked <- nil
	}()
	for range 40 {
		b.goesTo(t, farMAC, under2)
	}
	cancel()
	must(t, <-asked)
	for _, p := range b.probes[0].Frames() {
		if bytes.Contains(p.Data, []byte("asked")) {
			t.Fatalf("what was only asked about has left: %x", p.Data)
		}
	}
	b.stop()
}
