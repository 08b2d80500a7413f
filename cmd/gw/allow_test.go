package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
)

// allowBed is gw with a list, and hosts that send as whoever a test wants.
type allowBed struct {
	*fdbBed
	file  string
	nr    int
	total uint64 // refused so far
}

const allowFile = "underlay: {iface: ens18}\nmetrics: {listen: '127.0.0.1:9478'}\nvnis:\n- {vni: 42, remotes: [10.65.132.188], ports: [veth1, veth2], device: {}%s}\n- {vni: 43, group: 224.1.1.1, device: {name: blue}%s}\n"

func newAllowBed(t *testing.T) *allowBed {
	t.Helper()
	b := &allowBed{fdbBed: newFDBBed(t)}
	b.stop()
	b.file = writeFile(t, fmt.Sprintf(allowFile, "", ""))
	b.vtep = start(t, b.hosts[0], "--config", b.file)
	return b
}

var forger = netip.MustParseAddr("10.65.133.9")

// packets of the forms that a packet to gw may have.
func (b *allowBed) packet(vni uint32, src netip.Addr, form string) [][]byte {
	b.nr++
	a := src.As4()
	p := craft(b.under, vni, named(boxMAC, noMAC, fmt.Sprintf("packet %d", b.nr)), header(atSrc, a[:]...))
	switch form {
	case "options":
		p = options(1, 1, 1, 0)(p)
	case "fragments":
		const first = 40 // bytes behind the IPv4 header, a multiple of 8
		head, rest := slices.Clone(p[:atUDP+first]), slices.Concat(p[:atUDP], p[atUDP+first:])
		binary.BigEndian.PutUint16(head[atFrag:], 0x2000)
		binary.BigEndian.PutUint16(rest[atFrag:], first/8)
		for _, f := range [][]byte{head, rest} {
			binary.BigEndian.PutUint16(f[atIP+4:], uint16(b.nr))
			ipLength(f)
		}
		return [][]byte{head, rest}
	case "group":
		g := group.As4()
		p = header(atDst, g[:]...)(set(0, 1, 0, 0x5e, 1, 1, 1)(p))
	}
	return [][]byte{p}
}

// counts is what the workers were given of the underlay, and what of the VNI was refused, in XDP and by the workers.
func (b *allowBed) counts(vni uint32) (received, refused, byWorkers uint64) {
	s := b.status()
	byName, _, _ := verdicts(s)
	received = s.Underlay.Injected.Packets
	for _, q := range s.Underlay.Queues {
		received += q.RxPackets
	}
	for _, v := range s.VNIs {
		if v.VNI == vni {
			refused = v.Refused
		}
	}
	return received, refused, byName["remote_not_allowed"]
}

// sends has a packet come, and wants it to be taken, or refused before the workers see it.
func (b *allowBed) sends(t *testing.T, vni uint32, src netip.Addr, form string, taken bool) {
	t.Helper()
	received, refused, late := b.counts(vni)
	must(t, b.hosts[1].SendFrame("ens18", b.packet(vni, src, form)...))
	eventually(t, func() string {
		now, also, _ := b.counts(vni)
		switch {
		case taken && now == received:
			return fmt.Sprintf("%s from %s to vni %d: nothing received, %d refused", form, src, vni, also-refused)
		case !taken && also == refused:
			return fmt.Sprintf("%s from %s to vni %d: nothing refused, %d received", form, src, vni, now-received)
		}
		return ""
	})
	now, also, workers := b.counts(vni)
	if taken {
		if also != refused || workers != late {
			t.Errorf("%s from %s to vni %d: refused %d times, and by workers %d times", form, src, vni, also-refused, workers-late)
		}
		return
	}
	b.total++
	if now != received || also != refused+1 || workers != late {
		t.Errorf("%s from %s to vni %d: %d refused, but %d came to the workers", form, src, vni, also-refused, now-received)
	}
}

var forms = []string{"plain", "options", "fragments"}

// What a VTEP sends that is not on the list never comes to the workers: not as it is, nor in
// fragments or with IP options, nor to a group. What others send does. Without a list anyone's does.
func TestAllow(t *testing.T) {
	t.Parallel()
	b := newAllowBed(t)
	become := func(list, list43, want string) {
		t.Helper()
		must(t, os.WriteFile(b.file, []byte(fmt.Sprintf(allowFile, list, list43)), 0o600))
		b.reload(want)
	}
	all := func(vni uint32, src netip.Addr, taken bool) {
		t.Helper()
		for _, form := range forms {
			b.sends(t, vni, src, form, taken)
		}
	}
	all(42, forger, true)
	become(", allow: remotes", ", allow: [10.65.132.0/24]", "changed vni 42 (allow); changed vni 43 (allow)")
	all(42, forger, false)
	all(42, under3, false) // who was met before
	all(42, under2, true)
	b.sends(t, 43, forger, "group", false)
	b.sends(t, 43, under3, "group", true)
	b.sends(t, 42, forger, "group", false)

	// Nothing is learned of what is refused, and it is on all accounts.
	for _, e := range b.entries() {
		if e.Dst == forger.String() {
			b.gw(t, "flush dev gw42 dst "+forger.String()) // from when it could
		}
	}
	b.sends(t, 42, forger, "plain", false)
	for _, e := range b.entries() {
		if e.Dst == forger.String() {
			t.Errorf("learned: %s", e)
		}
	}
	s := b.status()
	if s.Underlay.Drops["remote_not_allowed"] != b.total || s.Refused() != b.total || s.VNIs[0].Refused+s.VNIs[1].Refused != b.total || s.VNIs[0].Dropped < s.VNIs[0].Refused {
		t.Errorf("%d were refused; the status says %d of the underlay, %d of XDP, %+v", b.total, s.Underlay.Drops["remote_not_allowed"], s.Refused(), s.VNIs)
	}
	if got := strings.Join(s.VNIs[0].Allow, " ") + "; " + strings.Join(s.VNIs[1].Allow, " "); got != "remotes; 10.65.132.0/24" {
		t.Errorf("the status has the lists %s", got)
	}
	line := fmt.Sprintf("remote_not_allowed  %d", b.total)
	for _, args := range [][]string{{"status"}, {"stats"}} {
		if out := output(t, b.host, args...); !strings.Contains(out, line) {
			t.Errorf("gw %s lacks %q:\n%s", args[0], line, out)
		}
	}
	checkVerdicts(t, b.vtep)
	for _, want := range []string{
		fmt.Sprintf(`gw_frames_total{drop="true",verdict="remote_not_allowed",worker="xdp"} %d`, b.total),
		fmt.Sprintf(`gw_interface_dropped_frames_total{direction="rx",interface="ens18",verdict="remote_not_allowed",vni=""} %d`, b.total),
	} {
		if text := string(scrape(t, b.host)); !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}

	// The file wins over verbs; without a list all is as before.
	output(t, b.host, "remote", "allow", "add", "10.65.133.0/24", "--vni", "42")
	all(42, forger, true)
	become(", allow: [10.65.132.188, 10.65.134.0/24]", "", "changed vni 42 (allow); changed vni 43 (allow)")
	all(42, forger, false)
	b.sends(t, 43, forger, "group", true)
	become("", "", "changed vni 42 (allow)")
	all(42, forger, true)
	if s := b.status(); s.Refused() != b.total {
		t.Errorf("%d refused at the end, want %d", s.Refused(), b.total)
	}
	b.stop()
}

// The verbs, and what the word remotes stands for: what is flooded to, and what entries name
// that are not learned.
func TestAllowVerbs(t *testing.T) {
	t.Parallel()
	b := newAllowBed(t)
	gw := func(line string) string { t.Helper(); return output(t, b.host, strings.Fields(line)...) }
	refused := func(line string, want ...string) { t.Helper(); refuses(t, b.host, 1, line, want...) }
	if got := gw("remote allow show --vni 42"); got != "VNI  MAY SEND  REFUSED\n42   anyone    0\n" {
		t.Errorf("gw remote allow show:\n%s", got)
	}
	refused("remote allow add 10.65.133.0/24 --vni 42", "remote 10.65.132.188 may not send: allow leaves it out", "or the word remotes")
	refused("remote allow del 10.65.133.0/24 --vni 42", "10.65.133.0/24 is not on the list of vni 42")
	refused("remote allow add remotes --vni 43", "names nobody where a group is flooded to")
	refused("remote allow add remotes --vni 44", "there is no vni 44")
	refuses(t, b.host, 2, "remote allow add 10.0.0.1/8 --vni 42", "give 10.0.0.0/8")
	refuses(t, b.host, 2, "remote allow add remotes", "--vni is missing")
	refuses(t, b.host, 2, "remote allow add --vni 42", "who?")

	gw("remote allow add remotes --vni 42")
	refused("remote allow add remotes --vni 42", "remotes may send to vni 42 already")
	refused("remote allow del remotes --vni 42", "is the last", "gw remote allow off --vni 42")
	b.sends(t, 42, under3, "plain", false)
	for _, c := range []struct{ add, del string }{
		{"remote add 10.65.132.189 --vni 42", "remote del 10.65.132.189 --vni 42"},
		{"fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189 port 8472 vni 7", "fdb del 00:00:00:00:00:00 dev gw42 dst 10.65.132.189 port 8472 vni 7"},
		{"fdb add 02:00:00:00:00:f7 dev gw42 dst 10.65.132.189 static", "fdb del 02:00:00:00:00:f7 dev gw42"},
		{"fdb add 02:00:00:00:00:f7 dev gw42 dst 10.65.132.189 vni 8 extern_learn", "fdb flush dev gw42 extern_learn"},
	} {
		gw(c.add)
		b.sends(t, 42, under3, "plain", true)
		gw(c.del)
		b.sends(t, 42, under3, "plain", false)
	}
	gw("fdb add 02:00:00:00:00:f7 dev gw42 dst 10.65.132.189 dynamic") // which anybody could have had learned
	b.sends(t, 42, under3, "plain", false)
	b.sends(t, 43, under3, "plain", true) // has no list

	gw("remote allow add 10.65.132.188 --vni 42")
	gw("remote allow del remotes --vni 42")
	b.sends(t, 42, under2, "plain", true)
	for _, line := range []string{
		"remote add 10.65.132.189 --vni 42", "fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189",
		"fdb add 02:00:00:00:00:f8 dev gw42 dst 10.65.132.189",
	} {
		refused(line, "10.65.132.189 may not send to vni 42", "gw remote allow add 10.65.132.189 --vni 42 first")
	}
	refused("remote allow del 10.65.132.188 --vni 42", "is the last")
	gw("remote allow add 10.65.132.128/25 --vni 42")
	gw("remote add 10.65.132.189 --vni 42")
	refused("remote allow del 10.65.132.128/25 --vni 42", "remote 10.65.132.189 may not send")
	var shown []allowedLine
	must(t, json.Unmarshal([]byte(gw("remote allow show -j")), &shown))
	if len(shown) != 2 || strings.Join(shown[0].Allow, " ") != "10.65.132.188 10.65.132.128/25" || shown[0].Refused != b.total || shown[1].Allow != nil {
		t.Errorf("gw remote allow show -j: %+v", shown)
	}
	if got := gw("vni show 42 -j"); !strings.Contains(strings.Join(strings.Fields(got), ""), `"allow":["10.65.132.188","10.65.132.128/25"]`) {
		t.Errorf("gw vni show -j: %s", got)
	}

	// A VNI that comes with a list has it from its first packet on, also under the number of one that went.
	gw("vni del 43")
	gw("vni add 43 --no-device --allow 10.65.132.188")
	b.sends(t, 43, under3, "plain", false)
	b.sends(t, 43, under2, "plain", true)
	gw("vni del 43")
	gw("vni add 43 --no-device")
	b.sends(t, 43, under3, "plain", true)

	gw("remote allow off --vni 42")
	b.sends(t, 42, forger, "plain", true)

	// What a kill leaves behind does not bother the next one.
	gw("remote allow add remotes --vni 42")
	b.vtep.end(unix.SIGKILL)
	b.vtep = start(t, b.host, "--config", b.file)
	b.total = 0
	b.sends(t, 42, forger, "plain", true)
	b.stop()
}

// While lists take turns, a VTEP that is on each of them loses nothing, and one on none gets nothing through. No more are
// under way at a time than the rings hold when gw has to wait for a CPU.
func TestAllowTurns(t *testing.T) {
	t.Parallel()
	b := newAllowBed(t)
	change := func(verb, who string) {
		t.Helper()
		must(t, b.client.Change(testContext(t), "remote/allow/"+verb, control.AllowChange{VNI: 42, Who: who}))
	}
	change("add", "remotes")
	stop, done := make(chan struct{}), make(chan error)
	sent := [2]int{}
	ctx := testContext(t)
	good, bad := b.packet(42, under2, "plain")[0], b.packet(42, forger, "plain")[0]
	go func() {
		defer close(done)
		for arrived := 0; ; {
			select {
			case <-stop:
				return
			default:
			}
			if sent[0]-arrived >= 64 {
				s, err := b.client.Status(ctx)
				if err != nil {
					done <- err
					return
				}
				taken, refused := turned(&s)
				arrived = int(min(taken, refused))
				continue
			}
			if err := b.hosts[1].SendFrame("ens18", good, bad); err != nil {
				done <- err
				return
			}
			sent[0], sent[1] = sent[0]+1, sent[1]+1
		}
	}()
	for i := range 30 {
		net := fmt.Sprintf("10.66.%d.0/24", i)
		change("add", net)
		change("add", "10.65.132.0/24")
		change("del", "remotes")
		change("add", "remotes")
		change("del", "10.65.132.0/24")
		change("del", net)
	}
	close(stop)
	must(t, <-done)
	eventually(t, func() string {
		s := b.status()
		if taken, refused := turned(&s); refused != uint64(sent[1]) || taken != uint64(sent[0]) {
			byName, _, _ := verdicts(s)
			return fmt.Sprintf("of %d good packets %d came, of %d forged ones %d were refused: %v", sent[0], taken, sent[1], refused, byName)
		}
		return ""
	})
	b.stop()
}

// turned is how many packets VNI 42 took, and how many were refused, by XDP or a worker.
func turned(s *control.Status) (taken, refused uint64) {
	byName, _, _ := verdicts(*s)
	return s.VNIs[0].RxPackets, s.Refused() + byName["remote_not_allowed"]
}
