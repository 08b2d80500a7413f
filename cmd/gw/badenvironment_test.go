package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
	"vxgw/netdev"
)

func TestNoPrivilege(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	refuse(t, h, []refusal{
		{name: "nobody", args: on(), nobody: true, status: 1, want: []string{"user 65534", "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON", "run as root", "AmbientCapabilities"}},
		{name: "nobody cleans up", args: []string{"cleanup", "--iface", "ens18"}, nobody: true, status: 1, want: []string{"permission denied", "run as root"}},
		{name: "no CAP_BPF", args: on(), less: join(unix.CAP_BPF, unix.CAP_SYS_ADMIN), status: 1, want: []string{"user 0", "lacks CAP_BPF ", "run as root"}},
		{name: "no CAP_PERFMON", args: on(), less: join(unix.CAP_PERFMON, unix.CAP_SYS_ADMIN), status: 1, want: []string{"lacks CAP_PERFMON "}},
		{name: "no CAP_NET_RAW", args: on(), less: join(unix.CAP_NET_RAW), status: 1, want: []string{"lacks CAP_NET_RAW "}},
		{name: "no CAP_NET_ADMIN", args: on(), less: join(unix.CAP_NET_ADMIN), status: 1, want: []string{"lacks CAP_NET_ADMIN "}},
		{name: "memlock", args: on(), less: "memlock=65536," + join(unix.CAP_IPC_LOCK, unix.CAP_SYS_RESOURCE), status: 1,
			want: []string{"ens18", "RLIMIT_MEMLOCK", "LimitMEMLOCK=infinity", "CAP_IPC_LOCK"}},
	})
}

func TestForeignXDP(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	occupied := func(link string, flags int) func(*testing.T, *lab.Host) {
		return func(t *testing.T, h *lab.Host) { occupy(t, h, link, flags) }
	}
	refuse(t, h, []refusal{
		{name: "underlay", before: occupied("ens18", nl.XDP_FLAGS_DRV_MODE), args: on(), status: 1, want: []string{"ens18", "(theirs)", "ip link set dev ens18 xdp off"}},
		{name: "underlay generic", before: occupied("ens18", nl.XDP_FLAGS_SKB_MODE), args: on(), status: 1, want: []string{"ens18", "(theirs)", "ip link set dev ens18 xdpgeneric off"}},
		{name: "underlay against generic", before: occupied("ens18", nl.XDP_FLAGS_DRV_MODE), args: on("--mode", "generic"), status: 1, want: []string{"ens18", "(theirs)", "ip link set dev ens18 xdp off"}},
		{name: "port", before: occupied("veth1", nl.XDP_FLAGS_DRV_MODE), args: on("--port", "veth1"), status: 1, want: []string{"vni 42: port veth1", "(theirs)", "ip link set dev veth1 xdp off"}},
	})
}

// occupy attaches somebody else's program for the time of the test.
func occupy(t *testing.T, h *lab.Host, link string, flags int) {
	t.Helper()
	theirs, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "theirs", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
	})
	must(t, err)
	set := func(fd int) error {
		return h.Do(func() error {
			l, err := netlink.LinkByName(link)
			if err != nil {
				return err
			}
			return netlink.LinkSetXdpFdWithFlags(l, fd, flags)
		})
	}
	must(t, set(theirs.FD()))
	t.Cleanup(func() {
		must(t, set(-1))
		must(t, theirs.Close())
	})
}

// TestQueues has a port whose other end sends on more queues than it receives on,
// which native XDP does not take.
func TestQueues(t *testing.T) {
	t.Parallel()
	l, h, peer := newUnderlay(t)
	must(t, l.Veth(h, "veth2", peer, "veth2", lab.VethOptions{MTU: 1450, AQueues: 1, BQueues: 4}))
	refuse(t, h, []refusal{
		{name: "port", args: on("--port", "veth2"), status: 1, want: []string{"vni 42: port veth2", "1 rx queues", "4 tx queues", "ethtool -L veth2 tx 1"}},
	})
}

func TestSecondGateway(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	g := start(t, h, on()...)
	other := func(more ...string) []string {
		return append([]string{"--iface", "veth1", "--vni", "43", "--local", "10.65.132.187", "--metrics", ""}, more...)
	}
	refuse(t, h, []refusal{
		{name: "same underlay", args: []string{"--iface", "ens18", "--vni", "43"}, status: 1, want: []string{"ens18", "held by process", "one gw per underlay"}},
		{name: "cleanup of a living one", args: []string{"cleanup", "--iface", "ens18"}, status: 1, want: []string{"ens18", "held by process"}},
		{name: "same device", args: other("--device", "gw42"), status: 1, want: []string{"gw42", "--device"}},
		{name: "same control", args: other("--control", socketOf(t, h, "ens18")), status: 1, want: []string{"another gw answers", "--control"}},
	})
	g.stop()
}

// pathsOf says where the files of the gateway on an underlay of h are.
func pathsOf(t *testing.T, h *lab.Host, iface string) (p netdev.Paths) {
	t.Helper()
	must(t, h.Do(func() error {
		p = netdev.PathsFor(iface)
		return nil
	}))
	return p
}

// socketOf is where that gateway answers.
func socketOf(t *testing.T, h *lab.Host, iface string) string {
	t.Helper()
	return pathsOf(t, h, iface).Socket
}

func TestControlTaken(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o644))
	answering := filepath.Join(dir, "answering")
	l, err := net.Listen("unix", answering)
	must(t, err)
	defer l.Close()
	refuse(t, h, []refusal{
		{name: "a file", args: on("--control", file), status: 1, want: []string{file, "something else than a socket", "--control"}},
		{name: "a folder", args: on("--control", dir), status: 1, want: []string{dir, "something else than a socket"}},
		{name: "a living socket", args: on("--control", answering), status: 1, want: []string{answering, "another gw answers", "--control"}},
		{name: "a folder that cannot be", args: on("--control", filepath.Join(file, "gw.sock")), status: 1, want: []string{file, "control socket"}},
	})
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	c, err := net.Dial("unix", answering)
	if err != nil {
		t.Errorf("the socket is gone: %v", err)
	} else {
		c.Close()
	}

	stale := filepath.Join(dir, "stale")
	leaveSocket(t, stale)
	g := start(t, h, on("--control", stale)...)
	g.stop()
	if _, err := os.Lstat(stale); err == nil {
		t.Error("the socket outlives the gateway")
	}
}

// leaveSocket makes a socket as a killed gateway leaves it, with its folder.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	must(t, unix.Close(fd))
}

func TestMetricsTaken(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	var l net.Listener
	must(t, h.Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:9478")
		return err
	}))
	defer l.Close()
	refuse(t, h, []refusal{
		{name: "in use", args: []string{"--iface", "ens18", "--vni", "42"}, status: 1, want: []string{"127.0.0.1:9478", "in use", "--metrics"}},
		{name: "not ours", args: []string{"--iface", "ens18", "--vni", "42", "--metrics", "10.1.1.1:9478"}, status: 1, want: []string{"10.1.1.1:9478", "--metrics"}},
	})
}

// TestGenericFallback starts on an interface whose driver has no XDP.
func TestGenericFallback(t *testing.T) {
	t.Parallel()
	_, h, peer := newUnderlay(t)
	must(t, h.Bridge("br0", "ens18"))
	must(t, h.DeleteAddress("ens18", "10.65.132.187/24"))
	must(t, h.AddAddress("br0", "10.65.132.187/24"))
	must(t, peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: netip.MustParseAddr("10.65.132.187"), Address: "172.17.1.3/24"}))
	before := dump(t, h)
	iface := []string{"--iface", "br0", "--vni", "42", "--metrics", ""}
	refuse(t, h, []refusal{
		{name: "copy wants native", args: append(iface, "--mode", "copy"), status: 1, want: []string{"br0", "native", "generic"}},
	})
	g := start(t, h, append(iface, "--remote", "10.65.132.188", "--address", "172.17.1.2/24")...)
	u := g.status().Underlay
	if u.XDP != "generic" || u.Fallback == "" || u.Queues[0].Mode != "copy" {
		t.Errorf("underlay is bound %+v, want generic, in copy mode, and why", u.Interface)
	}
	if said := g.log.grep("the interface is not bound in the best mode"); strings.Count(said, "iface=br0") != 1 && strings.Count(said, `"iface":"br0"`) != 1 {
		t.Errorf("the log does not say once that it is not the best mode: %q", said)
	}
	if said := g.log.grep("larger than the MTU is lost"); !strings.Contains(said, "ethtool -K br0 gro off") {
		t.Errorf("the log does not say what segmentation offloads do to it: %q", said)
	}
	pings(t, h, "172.17.1.3")
	g.stop()
	sameDump(t, before, h)
}

// TestUnderlayDown starts before the underlay is up.
func TestUnderlayDown(t *testing.T) {
	t.Parallel()
	_, h, peer := newUnderlay(t)
	must(t, peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: netip.MustParseAddr("10.65.132.187"), Address: "172.17.1.3/24"}))
	must(t, h.SetDown("ens18"))
	g := start(t, h, on("--remote", "10.65.132.188", "--address", "172.17.1.2/24")...)
	if p := g.status().Problems; len(p) == 0 || p[0] != "underlay ens18 is down" {
		t.Errorf("problems %q, want that the underlay is down", p)
	}
	if g.log.grep("underlay ens18 is down") == "" {
		t.Error("the log does not say that the underlay is down")
	}
	must(t, h.SetUp("ens18"))
	g.awaitHealth()
	pings(t, h, "172.17.1.3")
	g.stop()
}
