package capture

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/vxlan"
)

var peer = vxlan.AddrOf(netip.MustParseAddr("10.0.0.2"))

// records is one of each kind, and what is said of it.
var records = []struct {
	record  dataplane.Record
	comment string
}{
	{dataplane.Record{Port: dataplane.Underlay, VNI: 42, Remote: peer, To: fdb.PortDest(1), From: dataplane.NoPlace, Verdict: dataplane.ToPort},
		"VNI 42, remote 10.0.0.2, FDB hit, to_port veth1"},
	{dataplane.Record{Port: 1, VNI: 42, Remote: peer, To: fdb.RemoteDest(0), From: dataplane.NoPlace, Verdict: dataplane.ToRemote},
		"VNI 42, remote 10.0.0.2, FDB hit, to_remote"},
	{dataplane.Record{Port: 1, VNI: 42, To: dataplane.NoPlace, From: dataplane.NoPlace, Verdict: dataplane.Flooded, Marks: dataplane.MarkFlooded},
		"VNI 42, flooded"},
	{dataplane.Record{Port: dataplane.Underlay, VNI: 42, Remote: peer, To: dataplane.NoPlace, From: fdb.PortDest(1), Way: dataplane.Sent, Marks: dataplane.MarkFlooded},
		"VNI 42, remote 10.0.0.2, flooded, received at veth1"},
	{dataplane.Record{Port: 1, VNI: 42, Remote: peer, To: dataplane.NoPlace, From: fdb.RemoteDest(0), Way: dataplane.Sent},
		"VNI 42, remote 10.0.0.2, FDB hit, received from a tunnel"},
	{dataplane.Record{Port: 1, VNI: 42, To: dataplane.NoPlace, From: fdb.PortDest(1), Way: dataplane.Sent, Marks: dataplane.MarkAnswer},
		"VNI 42, an answer of gw's, received at veth1"},
	{dataplane.Record{Port: 1, VNI: 42, To: dataplane.NoPlace, From: dataplane.NoPlace, Way: dataplane.Sent}, "VNI 42, FDB hit, received before the capture began"},
	{dataplane.Record{Port: dataplane.Underlay, VNI: dataplane.NoVNI, To: dataplane.NoPlace, From: dataplane.NoPlace, Verdict: dataplane.Short},
		"dropped, short: " + dataplane.Short.Sentence()},
	{dataplane.Record{Port: 1, VNI: 42, To: fdb.PortDest(7), From: dataplane.NoPlace, Way: dataplane.Lost, Verdict: dataplane.TxFull},
		"VNI 42, dropped, tx_full on the way to port 7: " + dataplane.TxFull.Sentence()},
	{dataplane.Record{Port: dataplane.Underlay, VNI: 42, Remote: peer, To: dataplane.NoPlace, From: fdb.PortDest(1), Way: dataplane.Sent, Marks: dataplane.MarkViaKernel},
		"VNI 42, remote 10.0.0.2, by way of the kernel, FDB hit, received at veth1"},
	{dataplane.Record{Port: dataplane.Underlay, VNI: 42, Remote: peer, To: dataplane.NoPlace, From: fdb.PortDest(1), Way: dataplane.Lost, Marks: dataplane.MarkViaKernel | dataplane.MarkRefused},
		"VNI 42, remote 10.0.0.2, by way of the kernel, dropped, the kernel did not take it"},
	{dataplane.Record{Port: 1, VNI: 42, Remote: peer, To: fdb.RemoteDest(0), From: dataplane.NoPlace},
		"VNI 42, remote 10.0.0.2, FDB hit, handed to another worker or held back until earlier frames have left"},
	{dataplane.Record{Port: 1, VNI: 42, To: dataplane.NoPlace, From: dataplane.NoPlace, Verdict: dataplane.Answered}, "VNI 42, answered: " + dataplane.Answered.Sentence()},
}

// written is a file of all records, one of whose interfaces is renamed on the way.
func written(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, Config{Application: "gw test", Underlay: "ens18", Filter: "arp"})
	must(t, err)
	must(t, w.Name(1, "veth1"))
	for i := range records {
		h := records[i].record
		h.Time, h.Len = int64(1e18)+int64(i)*1000, 60
		must(t, w.Write(&h, arpFrame()[:42]))
	}
	must(t, w.Name(1, "veth9"))
	h := records[2].record
	h.Len = 60
	must(t, w.Write(&h, arpFrame()))
	must(t, w.Close(7))
	return file.Bytes()
}

func arpFrame() []byte {
	f := make([]byte, 60)
	copy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\xac\x11\x01\x02\x00\x00\x00\x00\x00\x00\xac\x11\x01\x03")
	return f
}

// What is written has its interface, time, length and comment when it is read again; the statistics have what was lost.
func TestWriter(t *testing.T) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(written(t)), pcapgo.NgReaderOptions{})
	must(t, err)
	counts := map[string]int{}
	for i := 0; ; i++ {
		data, ci, opts, err := r.ReadPacketDataWithOptions()
		if err != nil {
			break
		}
		in, err := r.Interface(ci.InterfaceIndex)
		must(t, err)
		counts[in.Name]++
		if i == len(records) {
			continue
		}
		name := "veth1"
		if records[i].record.Port == dataplane.Underlay {
			name = "ens18"
		}
		if got := strings.Join(opts.Comments, "|"); got != records[i].comment || in.Name != name || len(data) != 42 || ci.Length != 60 || ci.Timestamp.UnixNano() != int64(1e18)+int64(i)*1000 {
			t.Errorf("packet %d at %s, %d of %d bytes, %v:\n got %s\nwant %s", i, in.Name, len(data), ci.Length, ci.Timestamp, got, records[i].comment)
		}
		out := opts.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound
		if want := records[i].record.Way == dataplane.Sent || records[i].record.Marks&dataplane.MarkRefused != 0; out != want {
			t.Errorf("packet %d: outbound %v", i, out)
		}
	}
	if counts["ens18"] != 5 || counts["veth1"] != len(records)-5 || counts["veth9"] != 1 {
		t.Errorf("packets by interface: %v", counts)
	}
	var lost uint64
	for i := range r.NInterfaces() {
		in, err := r.Interface(i)
		must(t, err)
		lost += in.Statistics.PacketsDropped
		if in.Statistics.PacketsReceived-in.Statistics.PacketsDropped != uint64(counts[in.Name]) || in.SnapLength != wholeFrames {
			t.Errorf("%s: %+v", in.Name, in)
		}
	}
	if lost != 7 {
		t.Errorf("%d packets were lost, want 7", lost)
	}
}

// Lines have what is in the file, and the direction.
func TestPrint(t *testing.T) {
	var out bytes.Buffer
	must(t, Print(bytes.NewReader(written(t)), &out))
	lines := strings.Split(out.String(), "\n")
	ways := []string{"ens18 rx  ", "veth1 rx  ", "veth1 rx  ", "ens18 tx  ", "veth1 tx  ", "veth1 tx  ", "veth1 tx  ", "ens18 drop", "veth1 drop", "ens18 tx  ", "ens18 drop", "veth1 rx  ", "veth1 rx  "}
	for i, r := range records {
		if want := ways[i] + " ARP, Request who-has 172.17.1.3 tell 172.17.1.2, length 60; " + r.comment; !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %d:\n got %s\nwant %s", i, lines[i], want)
		}
	}
	if err := Print(bytes.NewReader(written(t)[:300]), &out); err == nil {
		t.Error("a stream that is cut is no error")
	}
	if err := Print(bytes.NewReader(written(t)), refusing{}); err == nil {
		t.Error("an output that takes nothing is no error")
	}
}

type refusing struct{}

// Write takes nothing.
func (refusing) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }

func TestDescribe(t *testing.T) {
	udp := "\x45\x00\x00\x2e\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"
	for _, c := range []struct{ frame, want string }{
		{"\x02", "a frame without its Ethernet header"},
		{string(arpFrame()), "ARP, Request who-has 172.17.1.3 tell 172.17.1.2"},
		{string(arpFrame()[:30]), "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype 0x0806"},
		{"222222111111\x81\x00\x00\x07\x08\x00" + udp + "\x00\x35\x14\xe9", "vlan 7, 10.0.0.1:53 > 10.0.0.2:5353, UDP"},
		{"222222111111\x08\x00" + udp + "\xc0\x00\x12\xb5\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x2a\x00" + string(arpFrame()),
			"10.0.0.1 > 10.0.0.2, VXLAN, vni 42: ARP, Request who-has 172.17.1.3 tell 172.17.1.2"},
		{"222222111111\x08\x00" + strings.Replace(udp, "\x11", "\x01", 1) + "\x08", "10.0.0.1 > 10.0.0.2, ICMP echo request"},
		{"222222111111\x08\x00" + strings.Replace(udp, "\x40\x11", "\x40\x63", 1), "10.0.0.1 > 10.0.0.2, protocol 99"},
		{"222222111111\x86\xdd\x60\x00\x00\x00\x00\x00\x3a\x40" + strings.Repeat("\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 2) + "\x87",
			"fe80::1 > fe80::1, ICMP6 neighbor solicitation"},
		{six("\x00") + "\x3a\x00\x05\x02\x00\x00\x01\x00\x8f", "fe80::1 > ff02::16, ICMP6 multicast listener report"},
		{six("\x00") + "\x3c\x01" + strings.Repeat("\x00", 14) + "\x11\x00" + strings.Repeat("\x00", 6) + "\x00\x35\x14\xe9\x00\x08\x00\x00", "[fe80::1]:53 > [ff02::16]:5353, UDP"},
		{six("\x2c") + "\x3a\x00\x00\x01\x00\x00\x00\x01\x80", "fe80::1 > ff02::16, ICMP6 echo request"},
		{six("\x2c") + "\x3a\x00\x00\x08\x00\x00\x00\x01\x80", "fe80::1 > ff02::16, a fragment"},
		{six("\x00") + "\x3a\x02\x05\x02\x00\x00\x01\x00\x8f", "fe80::1 > ff02::16, protocol 0"}, // which is cut
	} {
		if got := describe([]byte(c.frame)); got != c.want {
			t.Errorf("%x:\n got %s\nwant %s", c.frame, got, c.want)
		}
	}
}

// six is a frame up to the end of its IPv6 header, which says what is next.
func six(next string) string {
	return "222222111111\x86\xdd\x60\x00\x00\x00\x00\x00" + next + "\x01\xfe\x80" + strings.Repeat("\x00", 13) + "\x01\xff\x02" + strings.Repeat("\x00", 13) + "\x16"
}

// No frame makes it panic, and none makes two lines.
func FuzzDescribe(f *testing.F) {
	f.Add(arpFrame())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if s := describe(frame); s == "" || strings.ContainsAny(s, "\n\r") {
			t.Errorf("%x: %q", frame, s)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
