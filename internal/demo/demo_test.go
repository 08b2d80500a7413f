package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// shape is what a person must find in the output, in this order.
var shape = []string{
	`^1a  Point to point: gw and the kernel's vxlan device$`,
	`^  \+- node1 -+\+   \+- node2 -+\+$`,
	`^  \| gw42    172\.17\.1\.2/24 +\|   \| vxlan0  172\.17\.1\.3/24 +\|$`,
	`^  node1# gw --iface ens18 --vni 42 --remote 10\.65\.132\.188 --address 172\.17\.1\.2/24$`,
	`^  node2# ip link add vxlan0 type vxlan id 42 dstport 4789 remote 10\.65\.132\.187 dev ens18$`,
	`^ +ens18 +underlay 10\.65\.132\.187 +native XDP in copy mode +MTU 1500$`,
	`^ +gw42\S* +port, the other end of gw42 +native XDP in copy mode +MTU 1450$`,
	`^  node1# ping -c 1 172\.17\.1\.3$`,
	`^  64 bytes from 172\.17\.1\.3: icmp_seq=0 time=\d+\.\d{3} ms$`,
	`^  1 packets transmitted, 1 received, 0% packet loss$`,
	`^  rtt min/avg/max = \d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3} ms$`,
	`^  \d\d:\d\d:\d\d\.\d{6} IP 10\.65\.132\.187\.\d+ > 10\.65\.132\.188\.vxlan: VXLAN, flags \[I\] \(0x08\), vni 42$`,
	`^  ARP, Request who-has 172\.17\.1\.3 tell 172\.17\.1\.2, length 28$`,
	`^  ARP, Reply 172\.17\.1\.3 is-at [0-9a-f:]{17}, length 28$`,
	`^  IP 172\.17\.1\.2 > 172\.17\.1\.3: ICMP echo request, id \d+, seq 0, length 64$`,
	`^  IP 172\.17\.1\.3 > 172\.17\.1\.2: ICMP echo reply, id \d+, seq 0, length 64$`,
	`^  node2# ping -c 3 172\.17\.1\.2$`,
	`^  node1# ping -c 3 -M do -s 1422 172\.17\.1\.3$`,
	`^  1430 bytes from 172\.17\.1\.3: icmp_seq=2 time=`,
	`^  Largest packet on the underlay: 1500 bytes$`,
	`^  node1# gw fdb show$`,
	`^  00:00:00:00:00:00 dev gw42 dst 10\.65\.132\.188 via ens18 self permanent$`,
	`^  node2# bridge fdb show dev vxlan0$`,
	`^  [0-9a-f:]{17} dev vxlan0 dst 10\.65\.132\.187 self$`,
	`^ +\d+  to_port +Sent to a local port\.$`,
	`^  ok      node1: gw is ready: ens18 native XDP in copy mode`,
	`^1b  Point to point: gw at both ends$`,
	`^  node2# gw --iface ens18 --vni 42 --remote 10\.65\.132\.187 --address 172\.17\.1\.3/24$`,
	`^2   Multicast: three VTEPs, none of which knows another$`,
	`^  node1# gw --iface ens18 --vni 42 --group 224\.1\.1\.1 --address 172\.17\.1\.2/24$`,
	`IP 10\.65\.132\.187 > 224\.0\.0\.22: igmp v3 report, 1 group record\(s\)$`,
	`IP 10\.65\.132\.187\.\d+ > 224\.1\.1\.1\.vxlan: VXLAN, flags \[I\] \(0x08\), vni 42$`,
	`^  ARP, Request who-has 172\.17\.1\.3 tell 172\.17\.1\.2, length 28$`,
	`IP 10\.65\.132\.188\.\d+ > 10\.65\.132\.187\.vxlan: `,
	`IP 10\.65\.132\.189\.\d+ > 224\.1\.1\.1\.vxlan: `,
	`^  00:00:00:00:00:00 dev gw42 dst 224\.1\.1\.1 via ens18 self permanent$`,
	`^  ok      node3 learned where node1 is$`,
	`^3   Multicast and bridges: containers on three hosts in one network$`,
	`^  \| net1    172\.19\.1\.2/24 +\|   \| +\|   \| +\|$`,
	`^  \| net2    172\.19\.1\.3/24 +\|   \| net3    172\.19\.1\.4/24 +\|   \| net4    172\.19\.1\.5/24 +\|$`,
	`^  node1# gw --iface ens18 --vni 42 --group 224\.1\.1\.1 --port veth1 --port veth2$`,
	`^  node2# ip link set vxlan0 master bridge0$`,
	`^  node2# ip link set veth1 master bridge0$`,
	`^ +veth2 +port, its other end is in a container +native XDP in copy mode +MTU 1450$`,
	`^  net1# ping -c 1 172\.19\.1\.4$`,
	`IP 10\.65\.132\.187\.\d+ > 224\.1\.1\.1\.vxlan: VXLAN, flags \[I\] \(0x08\), vni 42$`,
	`^  ARP, Request who-has 172\.19\.1\.4 tell 172\.19\.1\.2, length 28$`,
	`^  172\.19\.1\.4 +ether +[0-9a-f:]{17} +C +veth0$`,
	`^  net1# ping -c 3 172\.19\.1\.3$`,
	`^  net4# ping -c 3 172\.19\.1\.3$`,
	`^  net1# ping -c 3 -M do -s 1422 172\.19\.1\.5$`,
	`^  Largest packet on the underlay: 1500 bytes$`,
	`^  [0-9a-f:]{17} dev veth1 master gw42$`,
	`^  [0-9a-f:]{17} dev vxlan0 master bridge0$`,
	`^  ok      packets between net1 and net2 stay on node1$`,
	`^  all 63 checks passed, in \d+\.\d s$`,
}

func TestDemo(t *testing.T) {
	var w watcher
	if err := run(t, t.Context(), &w, Options{Program: build(t)}); err != nil {
		t.Fatalf("%v\n%s", err, w.String())
	}
	lines := strings.Split(w.String(), "\n")
	next := 0
	for _, l := range lines {
		if len(l) > 100 || strings.TrimRight(l, " ") != l || strings.ContainsAny(l, "\x1b\t") {
			t.Errorf("not made for a screen of 100 columns: %q", l)
		}
		if next < len(shape) && regexp.MustCompile(shape[next]).MatchString(l) {
			next++
		}
	}
	if next < len(shape) {
		t.Errorf("no line, in its order, is like %s:\n%s", shape[next], w.String())
	}
	if n := strings.Count(w.String(), "\n  ok      "); n != 63 {
		t.Errorf("%d checks are ok, not 63", n)
	}
}

// A gw that dies in the middle fails its scenario, not the ones after it.
func TestGatewayKilled(t *testing.T) {
	var w watcher
	killed := false
	w.on = func(text string) {
		if all := pids(w.String()); !killed && len(all) == 1 && strings.Contains(text, "# ping") {
			killed = true
			if err := unix.Kill(all[0], unix.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	}
	err := run(t, t.Context(), &w, Options{Program: build(t)})
	if err == nil || !strings.Contains(err.Error(), "checks failed: node1: gw") && !strings.Contains(err.Error(), "checks failed: the scenario goes to its end") {
		t.Errorf("error: %v", err)
	}
	for _, want := range []string{
		"\n  FAILED  the scenario goes to its end: gw on node1 ended: signal: killed\n",
		"\nLog of gw on node1\n", `"msg":"ready"`,
		"\n2   Multicast", "\n  ok      node3 learned where node1 is\n", "checks FAILED\n",
	} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("no %q in\n%s", want, w.String())
		}
	}
}

// Nothing to start: each scenario says so.
func TestNoProgram(t *testing.T) {
	build(t)
	var w watcher
	err := run(t, t.Context(), &w, Options{Program: filepath.Join(t.TempDir(), "gw"), Colour: true})
	if err == nil || !strings.Contains(err.Error(), "4 of 4 checks failed") || !strings.Contains(w.String(), red+"FAILED  "+plain) {
		t.Errorf("%v\n%s", err, w.String())
	}
}

// An interrupted demo leaves nothing, not even of scenarios that were to be kept.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var w watcher
	w.on = func(text string) {
		if strings.Contains(w.String(), "\n1b ") && strings.Contains(text, "# ping") {
			cancel()
		}
	}
	err := run(t, ctx, &w, Options{Program: build(t), Keep: true})
	if err == nil || err.Error() != "demo: interrupted, everything is removed" {
		t.Errorf("error: %v", err)
	}
	if strings.Contains(w.String(), "\n2 ") || strings.Contains(w.String(), "FAILED") {
		t.Errorf("it went on:\n%s", w.String())
	}
}

// Without root there is one line, and nothing else.
func TestNoRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		// The effective user of this thread alone: the rest of the process stays what it is.
		runtime.LockOSThread()
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); e != 0 {
			t.Fatal(e)
		}
		defer func() {
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
				t.Fatal(e) // the thread ends with the test
			}
			runtime.UnlockOSThread()
		}()
	}
	var out bytes.Buffer
	err := Run(t.Context(), Options{Out: &out})
	if err == nil || err.Error() != "demo: network namespaces need root (run it with sudo)" || out.Len() > 0 {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestAdvice(t *testing.T) {
	for _, tc := range []struct {
		advise func(error) error
		err    syscall.Errno
		want   string
	}{
		{adviseXDP, unix.EAFNOSUPPORT, "CONFIG_XDP_SOCKETS"},
		{adviseXDP, unix.EPERM, "CAP_NET_RAW"},
		{adviseXDP, unix.EMFILE, ""},
		{advise, unix.EOPNOTSUPP, "modprobe veth bridge vxlan"},
		{advise, unix.EPERM, "--privileged"},
		{advise, unix.EMFILE, ""},
	} {
		cause := fmt.Errorf("make it: %w", tc.err)
		got := tc.advise(cause)
		if !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.want) || strings.Contains(got.Error(), "\n") {
			t.Errorf("%v: %v", tc.err, got)
		}
		if tc.want == "" && got.Error() != cause.Error() {
			t.Errorf("%v: advice without reason: %v", tc.err, got)
		}
	}
}
