package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// writeFile writes a configuration to a file of its own.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// reload has gw read its file again and waits for what it says then.
func (g *vtep) reload(want string) {
	g.t.Helper()
	before := strings.Count(g.log.String(), want)
	must(g.t, g.cmd.Process.Signal(unix.SIGHUP))
	eventually(g.t, func() string {
		if strings.Count(g.log.String(), want) == before {
			return "it does not say " + want
		}
		return ""
	})
}

// countedStream sends numbered datagrams from one host to another, a few each millisecond,
// until the returned function is called, which says how many were sent and came. No more
// are under way than any queue holds while somebody does not get the CPU.
func countedStream(t *testing.T, from, to *lab.Host, addr string) (stop func() (sent, received int)) {
	t.Helper()
	var in *net.UDPConn
	must(t, to.Do(func() (err error) {
		in, err = net.ListenUDP("udp4", &net.UDPAddr{IP: netip.MustParseAddr(addr).AsSlice()})
		return err
	}))
	t.Cleanup(func() { in.Close() })
	must(t, in.SetReadBuffer(4<<20))
	var out net.Conn
	must(t, from.Do(func() (err error) {
		out, err = (&net.Dialer{}).DialContext(context.Background(), "udp4", in.LocalAddr().String())
		return err
	}))
	const underWay = 128 // a veth holds 256 (VETH_RING_SIZE, drivers/net/veth.c)
	var came atomic.Int64
	go func() {
		buf := make([]byte, 2048)
		for {
			if _, err := in.Read(buf); err != nil {
				return // closed
			}
			came.Add(1)
		}
	}()
	quit := make(chan struct{})
	sent := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-quit:
				sent <- n
				return
			default:
			}
			for range min(4, underWay-(n-int(came.Load()))) {
				if _, err := out.Write([]byte(fmt.Sprint(n))); err == nil {
					n++
				}
			}
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
	}()
	return func() (int, int) {
		close(quit)
		n := <-sent
		out.Close()
		for end := time.Now().Add(patience); int(came.Load()) < n && time.Now().Before(end); {
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
		return n, int(came.Load())
	}
}

// reloadBed is gw with a VNI that never changes, and one that does.
type reloadBed struct {
	*vtep
	lab     *lab.Lab
	h, peer *lab.Host
	steady  *lab.Host // on veth1, in VNI 42
	file    string
}

const steadyVNI = `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    ports: [veth1]
`

func newReloadBed(t *testing.T, more string) *reloadBed {
	t.Helper()
	l := newLab(t)
	b := &reloadBed{lab: l, h: newHost(t, l, "node1"), peer: newHost(t, l, "node2"), steady: newHost(t, l, "steady")}
	cable(t, l, b.h, b.peer)
	must(t, l.Veth(b.h, "veth1", b.steady, "veth1", lab.VethOptions{MTU: 1450}))
	must(t, b.steady.AddAddress("veth1", "172.17.42.4/24"))
	b.kernel(t, 42, "172.17.42.3/24", "")
	b.file = writeFile(t, steadyVNI+more)
	b.vtep = start(t, b.h, "--config", b.file)
	pings(t, b.steady, "172.17.42.3")
	return b
}

// kernel makes a device of a VNI on the far end.
func (b *reloadBed) kernel(t *testing.T, vni uint32, addr, group string) {
	t.Helper()
	c := lab.VXLANConfig{Name: fmt.Sprintf("vxlan%d", vni), VNI: vni, Dev: "ens18", Address: addr}
	if group == "" {
		c.Remote = netip.MustParseAddr("10.65.132.187")
	} else {
		c.Group = netip.MustParseAddr(group)
	}
	must(t, b.peer.KernelVXLAN(c))
}

// becomes has gw read another file.
func (b *reloadBed) becomes(t *testing.T, more, want string) {
	t.Helper()
	must(t, os.WriteFile(b.file, []byte(steadyVNI+more), 0o600))
	b.reload(want)
}

// One VNI comes, changes in every way and goes, while another one loses no packet and
// its port is not touched.
func TestReload(t *testing.T) {
	t.Parallel()
	b := newReloadBed(t, "")
	guest := newHost(t, b.lab, "guest")
	must(t, b.lab.Veth(b.h, "veth2", guest, "veth2", lab.VethOptions{MTU: 1450}))
	must(t, guest.AddAddress("veth2", "172.17.43.4/24"))
	b.kernel(t, 43, "172.17.43.3/24", "")
	before := withoutNeighbours(dump(t, b.h))
	stop := countedStream(t, b.steady, b.peer, "172.17.42.3")

	b.becomes(t, "  - {vni: 43, remotes: [10.65.132.188], device: {addresses: [172.17.43.2/24]}}\n", "added vni 43")
	pings(t, b.h, "172.17.43.3")
	b.becomes(t, "  - {vni: 43, remotes: [10.65.132.188], ports: [veth2], device: {addresses: [172.17.43.9/24, 172.17.44.9/24]}}\n",
		"changed vni 43 (device, ports)")
	pings(t, guest, "172.17.43.9")
	pings(t, guest, "172.17.43.3")
	addrs := addresses(t, b.h, "gw43")
	if want := []string{"172.17.43.9/24", "172.17.44.9/24"}; !slices.Equal(addrs, want) {
		t.Errorf("gw43 has %v, want %v", addrs, want)
	}

	// Settings and entries.
	b.becomes(t, `  - {vni: 43, remotes: [10.65.132.189], ports: [veth2], device: null, learning: false, maxaddress: 7, ageing: 60s,
     tunnel: {ttl: 9}, fdb: [{mac: "02:00:00:00:00:f1", dst: 10.65.132.188}, {mac: "02:00:00:00:00:f2", port: veth2}]}
`, "changed vni 43 (remotes, device, learning, ageing, maxaddress, fdb, tunnel)")
	if _, err := b.h.Link("gw43"); err == nil {
		t.Error("gw43 is there, which the file has no more")
	}
	b.awaitFDB("00:00:00:00:00:00 dev gw43 dst 10.65.132.189 via ens18 self permanent",
		"02:00:00:00:00:f1 dev gw43 dst 10.65.132.188 self static", "02:00:00:00:00:f2 dev veth2 master gw43 static")

	// The file wins over what verbs did, but for entries that it does not name.
	output(t, b.h, "fdb", "replace", "02:00:00:00:00:f1", "dev", "gw43", "dst", "10.65.132.190")
	output(t, b.h, "fdb", "add", "02:00:00:00:00:f3", "dev", "gw43", "dst", "10.65.132.190")
	output(t, b.h, "remote", "add", "10.65.132.190", "--vni", "43")
	output(t, b.h, "vni", "add", "44", "--no-device")
	b.becomes(t, `  - {vni: 43, remotes: [10.65.132.188], ports: [veth2], fdb: [{mac: "02:00:00:00:00:f1", dst: 10.65.132.188}]}
`, "removed vni 44; changed vni 43 (remotes, learning, ageing, maxaddress, fdb, tunnel)")
	b.awaitFDB("02:00:00:00:00:f1 dev gw43 dst 10.65.132.188 self static", "02:00:00:00:00:f3 dev gw43 dst 10.65.132.190 self permanent")
	if have := b.fdb(); slices.ContainsFunc(have, func(l string) bool {
		return strings.Contains(l, "10.65.132.189") || strings.Contains(l, ":f2 ") || strings.HasPrefix(l, "00:00") && strings.Contains(l, ".190")
	}) {
		t.Errorf("entries are left: %q", have)
	}
	pings(t, guest, "172.17.43.3")

	// A port changes its VNI, and a device its name.
	must(t, b.peer.DeleteLink("vxlan43"))
	b.kernel(t, 45, "172.17.43.5/24", "224.1.1.5")
	b.becomes(t, "  - {vni: 43, device: {name: blue}}\n  - {vni: 45, group: 224.1.1.5, ports: [veth2]}\n", "added vni 45; changed vni 43 (remotes, device, ports, fdb)")
	pings(t, guest, "172.17.43.5")
	if have := b.fdb(); slices.ContainsFunc(have, func(l string) bool { return strings.Contains(l, "veth2 master gw43") }) {
		t.Errorf("a port has entries in its old VNI: %q", have)
	}
	b.becomes(t, "", "removed vni 43, 45")
	b.reload("nothing changed")

	if sent, received := stop(); sent < 100 || sent != received {
		t.Errorf("the VNI that did not change: %d datagrams sent, %d received", sent, received)
	}
	if strings.Count(b.log.String(), "port changed") > 20 {
		t.Error("ports flap")
	}
	eventually(t, func() string { // gw runs in both
		return cmp.Diff(before, withoutNeighbours(dump(t, b.h)))
	})
	b.stop()
}

// withoutNeighbours leaves out the next hops of remotes that were, which the kernel keeps
// for a while.
func withoutNeighbours(dump string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(dump, "\n"), func(l string) bool {
		return strings.Contains(l, "neighbour ens18 family 2")
	}), "\n")
}

// addresses lists the IPv4 addresses of a link, sorted.
func addresses(t *testing.T, h *lab.Host, link string) (out []string) {
	t.Helper()
	must(t, h.Do(func() error {
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		addrs, err := i.Addrs()
		for _, a := range addrs {
			if !strings.Contains(a.String(), ":") {
				out = append(out, a.String())
			}
		}
		return err
	}))
	slices.Sort(out)
	return out
}

// What cannot be done is refused as a whole, and all goes on as before.
func TestReloadRefused(t *testing.T) {
	t.Parallel()
	const more = "  - {vni: 43, remotes: [10.65.132.188], device: {addresses: [172.17.43.2/24]}}\n"
	b := newReloadBed(t, more)
	b.kernel(t, 43, "172.17.43.3/24", "")
	pings(t, b.h, "172.17.43.3")
	guest := newHost(t, b.lab, "guest")
	must(t, b.lab.Veth(b.h, "veth2", guest, "veth2", lab.VethOptions{MTU: 1450}))
	must(t, b.h.Bridge("taken"))
	fdb := configured(b.fdb())
	stop := countedStream(t, b.steady, b.peer, "172.17.42.3")
	for _, c := range []struct{ more, want string }{
		{more + "log: {level: debug}\ncontrol: {path: /run/gw/other.sock}\n", "control.path cannot change while gw runs (restart it, or put the old value back)"},
		{more + "    colour: red\n", "bad YAML"},
		{"  - {vni: 43, remotes: [10.65.132.187]}\n", "gateway's own address"},
		{"  - {vni: 43, ports: [veth2, veth3]}\n", "vni 43: port veth3: no interface"},
		{"  - {vni: 44, group: 224.1.1.1, ports: [veth2]}\n  - {vni: 45, device: {name: taken}}\n", "there is an interface taken already"},
		// The device gives way to another of its name, which then cannot be made.
		{"  - {vni: 44, ports: [gw43-x], device: {name: taken}}\n", "there is an interface taken already"},
		{"  - {vni: 44, device: {name: gw43, addresses: [172.17.43.8/24]}}\n  - {vni: 45, device: {name: taken}}\n", "there is an interface taken already"},
	} {
		b.becomes(t, c.more, "the reload is refused")
		if b.log.grep(c.want) == "" {
			t.Errorf("it does not say %q", c.want)
		}
		b.awaitProblem("the last reload was refused: ")
		pings(t, b.h, "172.17.43.3")
		if now := configured(b.fdb()); !slices.Equal(now, fdb) {
			t.Errorf("%s: the table is\n%s\nwas\n%s", c.want, strings.Join(now, "\n"), strings.Join(fdb, "\n"))
		}
	}
	if sent, received := stop(); sent < 100 || sent != received {
		t.Errorf("the VNI that did not change: %d datagrams sent, %d received", sent, received)
	}
	b.becomes(t, more, "reloaded")
	b.awaitHealth()
	if status := b.end(unix.SIGTERM); status != 0 { // it has logged errors, as it should
		t.Errorf("exit status %d", status)
	}
}

// configured are the entries that were not learned, without those of devices, whose
// addresses are made up.
func configured(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "00:00:00") && !strings.HasSuffix(l, "static") })
}

// Without a file there is nothing to read again.
func TestReloadWithoutFile(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := start(t, h, everything()...)
	g.reload("there is no file to read again")
	pings(t, h, peerAddress)
	g.stop()
}

// TestReloadPipe has a pipe without a writer at the file's place.
func TestReloadPipe(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	before := dump(t, h)
	file := writeFile(t, "underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nvnis: [{vni: 42}]\n")
	g := start(t, h, "--config", file)
	must(t, os.Remove(file))
	must(t, unix.Mkfifo(file, 0o600))
	g.reload("is no regular file")
	if status := g.end(unix.SIGTERM); status != 0 { // it has logged an error, as it should
		t.Errorf("exit status %d", status)
	}
	clean(t, before, h)
}

// systemd is told when a reload begins and ends.
func TestReloadTellsSystemd(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer manager.Close()
	hear := func(want string) {
		t.Helper()
		must(t, manager.SetReadDeadline(time.Now().Add(patience)))
		buf := make([]byte, 256)
		n, err := manager.Read(buf)
		must(t, err)
		if !strings.HasPrefix(string(buf[:n]), want) {
			t.Errorf("systemd hears %q, want %q", buf[:n], want)
		}
	}
	g := prepare(t, h, "--config", writeFile(t, "underlay: {iface: ens18}\nvnis: [{vni: 42, device: null}]\nmetrics: {listen: ''}\n"))
	g.cmd.Env = append(g.cmd.Env, "NOTIFY_SOCKET="+path)
	g.begin()
	g.ready()
	hear("READY=1")
	g.reload("nothing changed")
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1")
	g.stop()
	hear("STOPPING=1")

	g = prepare(t, h, g.args...)
	g.cmd.Env = append(g.cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=300000")
	g.begin()
	g.ready()
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	g.end(unix.SIGKILL)
	output(t, h, "cleanup", "--iface", "ens18")
}

// rewrite gives a file another text.
func rewrite(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o600))
}
