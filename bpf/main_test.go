package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"vxgw/internal/ethtool"
)

// The test binary starts itself for what needs a process of its own.
const childEnv = "BPF_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "sleep":
		fmt.Println("here")
		io.Copy(io.Discard, os.Stdin) // until the parent ends
	case "attach":
		attachChild()
	case "unprivileged":
		unprivilegedChild()
	case "nobpf":
		noBPFChild()
	}
}

// child prepares the test binary to run as the named child with arguments, in
// the network namespace of the calling thread.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// attachChild holds a port program on the interface with the given index.
func attachChild() {
	ifindex, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	p, err := LoadPort(PortConfig{Queues: 1})
	if err == nil {
		err = p.Attach(ifindex, "child", Native)
	}
	fmt.Println("attached", err)
	io.Copy(io.Discard, os.Stdin) // until the parent ends
}

// unprivilegedChild prints why nobody can't load.
func unprivilegedChild() {
	if err := syscall.Setuid(65534); err != nil {
		panic(err)
	}
	_, err := LoadPort(PortConfig{Queues: 1})
	fmt.Println(err)
}

// noBPFChild prints why loading fails on a kernel without bpf(2).
func noBPFChild() {
	if err := forbid(unix.SYS_BPF, unix.ENOSYS); err != nil {
		panic(err)
	}
	_, err := LoadUnderlay(UnderlayConfig{Port: 4789, Queues: 1, MaxVNIs: 1})
	fmt.Println(err)
}

// readLine starts a child and returns the first line it prints. The child ends
// with the test.
func readLine(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// needRoot skips where the kernel wouldn't let us.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs root to load BPF programs")
	}
	t.Skip("needs root to load BPF programs")
}

// newNamespace moves the test into a network namespace of its own, without a
// name, which ends with the test.
func newNamespace(t testing.TB) netns.NsHandle {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ns.Close()
		if err := netns.Set(before); err != nil {
			t.Fatal(err) // the thread stays locked, and ends with the test
		}
		before.Close()
		runtime.UnlockOSThread()
	})
	for _, conf := range []string{"all", "default"} { // its devices say nothing by themselves: frames are counted
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return ns
}

// pair makes veth a with rx queues and its peer b with tx queues, both up, and
// returns a. Until the kernel has acted upon the carrier (net/core/link_watch.c) it
// drops what is sent.
func pair(t testing.TB, rx, tx int) netlink.Link {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name, la.NumRxQueues, la.NumTxQueues = "a", rx, 1
	err := netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: la, PeerName: "b",
		PeerNumTxQueues: uint32(tx), PeerNumRxQueues: 1,
		PeerHardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0xb},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "a"} {
		if err := netlink.LinkSetUp(device(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b", "a"} {
		eventually(t, name+" is up", func() bool { return device(t, name).Attrs().OperState == netlink.OperUp })
		if err := netlink.LinkSetUp(device(t, name)); err != nil { // waits for the lock under which the rest is done
			t.Fatal(err)
		}
	}
	return device(t, "a")
}

// eventually waits for what the kernel does in its own time.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for patience := 30_000; !is(); patience-- {
		if patience == 0 {
			t.Fatalf("%s: not so after half a minute", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func device(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func setChannels(t testing.TB, name string, ch ethtool.Channels) {
	t.Helper()
	if err := ethtool.SetChannels(name, ch); err != nil {
		t.Fatal(err)
	}
}

// attached returns the id of the XDP program on an interface, 0 for none.
func attached(t testing.TB, name string) uint32 {
	t.Helper()
	if xdp := device(t, name).Attrs().Xdp; xdp != nil && xdp.Attached {
		return xdp.ProgId
	}
	return 0
}

// socket opens an AF_XDP socket with what it takes for a place in the map.
func socket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	receives(t, fd)
	return fd
}

// receives gives a socket an rx ring, without which newer kernels (7.3) have no
// place for it in the map.
func receives(t testing.TB, fd int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, unix.SOL_XDP, unix.XDP_RX_RING, 64); err != nil {
		t.Fatal(err)
	}
}
