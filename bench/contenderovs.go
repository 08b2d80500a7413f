package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// Open vSwitch's userspace datapath (dpif-netdev): two bridges in one process, as its
// documentation has userspace tunnels. Its database and its daemon run in the namespace
// of the device under test, with all their files in a folder of their own:
//
//	br-int    the port, and a vxlan port
//	br-phy    the underlay; the host's address is on it
//
// Frames come and go over AF_XDP in poll mode, which is its fastest way over veth
// (Documentation/intro/install/afxdp.rst).

// ovsPrograms is where its programs are.
type ovsPrograms struct {
	root string // that packages were unpacked in; empty: the machine's own
}

// ovsPlaces are where Debian's packages have them.
var ovsPlaces = []string{"usr/lib/openvswitch-switch", "usr/sbin", "usr/bin"}

const ovsAdvice = "fetch it with bench/peers.sh (Debian), or install openvswitch-switch"

// findOVS looks in PATH and where peers.sh puts it.
func findOVS() (ovsPrograms, error) {
	if _, err := exec.LookPath("ovs-vswitchd"); err == nil {
		return ovsPrograms{}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ovsPrograms{}, fmt.Errorf("no ovs-vswitchd in PATH (%s)", ovsAdvice)
	}
	o := ovsPrograms{filepath.Join(cache, "vxgw", "peers", "root")}
	if _, err := os.Stat(filepath.Join(o.root, "done")); err != nil {
		return o, fmt.Errorf("no ovs-vswitchd in PATH or in %s (%s)", o.root, ovsAdvice)
	}
	return o, nil
}

// path returns the path of a program.
func (o ovsPrograms) path(name string) string {
	if o.root != "" {
		for _, p := range ovsPlaces {
			if full := filepath.Join(o.root, p, name); isFile(full) {
				return full
			}
		}
	}
	return name
}

func isFile(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Mode().IsRegular()
}

// environment has it find its libraries, and keep its files in dir.
func (o ovsPrograms) environment(dir string) []string {
	env := append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVS_DBDIR="+dir, "OVS_SYSCONFDIR="+dir)
	if o.root != "" {
		libs, _ := filepath.Glob(filepath.Join(o.root, "usr/lib/*-linux-gnu"))
		env = append(env, "LD_LIBRARY_PATH="+strings.Join(libs, ":"), "OVS_PKGDATADIR="+filepath.Join(o.root, "usr/share/openvswitch"))
		for _, l := range libs {
			if objects := filepath.Join(l, "bpf"); isFile(filepath.Join(objects, "xsk_def_xdp_prog.o")) {
				env = append(env, "LIBXDP_OBJECT_PATH="+objects)
			}
		}
	}
	return env
}

// ovsVersion is what the daemon says of itself.
func ovsVersion() (string, error) {
	o, err := findOVS()
	if err != nil {
		return "", err
	}
	c := exec.Command(o.path("ovs-vswitchd"), "--version")
	c.Env = o.environment(os.TempDir())
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("ovs-vswitchd --version: %w", err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// openVSwitch starts it.
func openVSwitch(ctx context.Context, p place) (*running, error) {
	o, err := findOVS()
	if err != nil {
		return nil, err
	}
	s := &ovs{ovsPrograms: o, place: p}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start Open vSwitch: %w", err), s.stop())
	}
	return &running{process: s.daemons[len(s.daemons)-1].Process.Pid, stop: s.stop}, nil
}

// ovs is one that runs.
type ovs struct {
	ovsPrograms
	place
	daemons []*lab.Cmd
	logs    []*bytes.Buffer
	started bool // ovs-vswitchd answers
	moved   bool // the address is on the bridge
}

func (s *ovs) start(ctx context.Context) error {
	schema := filepath.Join(s.root, "/usr/share/openvswitch/vswitch.ovsschema")
	db, socket := filepath.Join(s.dir, "conf.db"), filepath.Join(s.dir, "db.sock")
	_ = os.Remove(db) // of a turn before
	if err := s.run(ctx, "ovsdb-tool", "create", db, schema); err != nil {
		return err
	}
	if err := s.daemon(ctx, "ovsdb-server", db, "--remote=punix:"+socket, "--unixctl="+filepath.Join(s.dir, "db.ctl"), "--no-chdir"); err != nil {
		return err
	}
	if err := s.await(ctx, socket); err != nil {
		return err
	}
	if err := s.vsctl(ctx, append([]string{"--no-wait", "init", "--", "set", "Open_vSwitch", "."}, s.settings()...)...); err != nil {
		return err
	}
	if err := s.daemon(ctx, "ovs-vswitchd", "unix:"+socket, "--unixctl="+filepath.Join(s.dir, "ovs.ctl"), "--no-chdir"); err != nil {
		return err
	}
	if err := s.await(ctx, filepath.Join(s.dir, "ovs.ctl")); err != nil {
		return err
	}
	s.started = true
	underlay := macBytes(underlayMAC)
	err := s.vsctl(ctx,
		"add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail-mode=standalone",
		fmt.Sprintf("other-config:mac-table-size=%d", max(8192, 2*s.macs)),
		"--", "add-port", "br-int", portLink, "--", "set", "interface", portLink, "type=afxdp", "options:n_rxq=1", "options:xdp-mode=native",
		"--", "add-port", "br-int", "vxlan42", "--", "set", "interface", "vxlan42", "type=vxlan",
		"options:remote_ip="+remoteAddr.String(), fmt.Sprintf("options:key=%d", vni), "options:csum=false",
		"--", "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev", "fail-mode=standalone",
		"other-config:hwaddr="+net.HardwareAddr(underlay[:]).String(),
		"--", "add-port", "br-phy", wireLink, "--", "set", "interface", wireLink, "type=afxdp", "options:n_rxq=1", "options:xdp-mode=native")
	if err != nil {
		return err
	}
	if err := s.moveAddress(); err != nil {
		return err
	}
	remote := macBytes(remoteMAC)
	return s.appctl(ctx, "tnl/neigh/set", "br-phy", remoteAddr.String(), net.HardwareAddr(remote[:]).String())
}

// settings are its best known ones for one thread and many flows: the exact match cache,
// which they only wash through, is off, and the signature match cache is on
// (Documentation/topics/dpdk/bridge.rst).
func (s *ovs) settings() []string {
	return []string{
		fmt.Sprintf("other_config:pmd-cpu-mask=%#x", uint64(1)<<s.cpus[0]),
		"other_config:emc-insert-inv-prob=0", "other_config:smc-enable=true", "other_config:tx-flush-interval=0",
	}
}

// moveAddress takes the host's address from the underlay to the bridge.
func (s *ovs) moveAddress() error {
	s.moved = true
	address := underlayAddr.String() + "/24"
	return errors.Join(s.host.DeleteAddress(wireLink, address), s.host.AddAddress("br-phy", address), s.host.SetMTU("br-phy", 1600), s.host.SetUp("br-phy"))
}

// ended is how long it has to end by itself.
const ended = 5 * time.Second

// stop ends it. Told to clean up it takes its ports back, and its taps end with it; a signal
// alone would leave its programs on the links. What it changed is put back.
func (s *ovs) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), ended)
	defer cancel()
	var errs []error
	for i := len(s.daemons) - 1; i >= 0; i-- {
		d := s.daemons[i]
		name := filepath.Base(d.Path)
		if name == "ovs-vswitchd" && s.started {
			errs = append(errs, s.appctl(ctx, "exit", "--cleanup"))
			timer := time.AfterFunc(ended, func() { _ = d.Process.Kill() })
			defer timer.Stop()
		} else {
			_ = d.Process.Signal(unix.SIGTERM) // fails if it is gone, and its status tells why
		}
		err := d.Wait()
		var status *exec.ExitError
		if errors.As(err, &status) && status.Sys().(syscall.WaitStatus).Signal() == unix.SIGTERM {
			err = nil // it passes the signal on to itself
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %s", name, err, lastLines(s.logs[i].String(), 3)))
		}
	}
	errs = append(errs, s.host.Do(takeOffXDP))
	if s.moved {
		remote := macBytes(remoteMAC)
		errs = append(errs, s.host.AddAddress(wireLink, underlayAddr.String()+"/24"), s.host.SetNeighbour(wireLink, remoteAddr, remote[:]), s.host.AddRoute(remotesRoute()))
	}
	return errors.Join(errs...)
}

// takeOffXDP takes off what a daemon that died left on the links: libxdp attaches without a
// bpf_link.
func takeOffXDP() error {
	var errs []error
	for _, name := range []string{portLink, wireLink} {
		l, err := netlink.LinkByName(name)
		if err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			err = netlink.LinkSetXdpFd(l, -1)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// daemon starts a program that stays in the foreground.
func (s *ovs) daemon(ctx context.Context, name string, args ...string) error {
	cmd := s.host.Command(ctx, s.path(name), append(args, "-vconsole:warn", "-vfile:off", "-vsyslog:off")...)
	cmd.Env = s.environment(s.dir)
	log := &bytes.Buffer{}
	cmd.Stderr = log
	if err := startOn(cmd, s.cpus); err != nil {
		return err
	}
	s.daemons, s.logs = append(s.daemons, cmd), append(s.logs, log)
	return nil
}

// run runs a program to its end.
func (s *ovs) run(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := s.host.Command(ctx, s.path(name), args...)
	cmd.Env = s.environment(s.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		said := bytes.TrimSpace(out)
		for i, log := range s.logs {
			said = append(said, fmt.Sprintf("; %s: %s", filepath.Base(s.daemons[i].Path), lastLines(log.String(), 3))...)
		}
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return nil
}

func (s *ovs) vsctl(ctx context.Context, args ...string) error {
	return s.run(ctx, "ovs-vsctl", append([]string{"--db=unix:" + filepath.Join(s.dir, "db.sock"), "--timeout=15"}, args...)...)
}

func (s *ovs) appctl(ctx context.Context, args ...string) error {
	return s.run(ctx, "ovs-appctl", append([]string{"--timeout=15", "-t", filepath.Join(s.dir, "ovs.ctl")}, args...)...)
}

// await waits for a file.
func (s *ovs) await(ctx context.Context, path string) error {
	for end := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%s did not come", path)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lastLines are the last n lines of a text, as one.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], " | ")
}
