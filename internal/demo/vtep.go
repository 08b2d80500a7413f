package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/netdev"
)

// wire is the underlay link of every node, as in the article.
const wire = "ens18"

// startTime and stopTime bound how long a gw may take; both take well below half a second where nobody else wants the
// CPU, and three seconds were seen where others do. patience bounds the wait for a packet or a reply: gw's worker, too, waits
// for its CPU there.
const (
	startTime = 20 * time.Second
	stopTime  = 20 * time.Second
	patience  = 15 * time.Second
)

// vtep is one node: a gw, or a vxlan device of the kernel.
type vtep struct {
	end                   // the node itself, on the overlay where it has no containers
	gw         bool       // else the kernel
	outer      netip.Addr // on the underlay
	peer       netip.Addr // --remote; zero: the group
	containers []*container
	program    string // path of gw

	cmd    *lab.Cmd
	log    *os.File      // what gw writes, in a file without a name
	ended  chan struct{} // closed when gw has ended, with how in cmd
	client *control.Client
	paths  netdev.Paths
}

// device is the overlay's interface on the node.
func (v *vtep) device() string {
	if v.gw {
		return "gw42"
	}
	return "vxlan0"
}

// commands are what the user would type.
func (v *vtep) commands() []string {
	if v.gw {
		return []string{"gw " + strings.Join(v.args(), " ")}
	}
	to := "group " + group
	if v.peer.IsValid() {
		to = "remote " + v.peer.String()
	}
	all := []string{fmt.Sprintf("ip link add %s type vxlan id %d dstport %d %s dev %s", v.device(), vni, vxlanPort, to, wire)}
	if len(v.containers) > 0 {
		all = append(all, "ip link add "+bridge+" type bridge", fmt.Sprintf("ip link set %s master %s", v.device(), bridge))
	}
	for _, c := range v.containers {
		all = append(all, fmt.Sprintf("ip link set %s master %s", c.port, bridge))
	}
	return all
}

func (v *vtep) args() []string {
	to := []string{"--group", group}
	if v.peer.IsValid() {
		to = []string{"--remote", v.peer.String()}
	}
	args := append([]string{"--iface", wire, "--vni", fmt.Sprint(vni)}, to...)
	if len(v.containers) == 0 {
		return append(args, "--address", v.inner.String()+overlayBits)
	}
	for _, c := range v.containers {
		args = append(args, "--port", c.port)
	}
	return args
}

// makeDevice makes the kernel's device, and the bridge to the containers.
func (v *vtep) makeDevice() error {
	c := lab.VXLANConfig{Name: v.device(), VNI: vni, Dev: wire, Remote: v.peer}
	if !v.peer.IsValid() {
		c.Group = netip.MustParseAddr(group)
	}
	if len(v.containers) == 0 {
		c.Address = v.inner.String() + overlayBits
		return v.host.KernelVXLAN(c)
	}
	var ports []string
	for _, c := range v.containers {
		ports = append(ports, c.port)
	}
	if err := v.host.Bridge(bridge, ports...); err != nil {
		return err
	}
	c.Master = bridge
	return v.host.KernelVXLAN(c)
}

// start runs gw until stop or until the lab is closed. onEnd is called when it ends.
func (v *vtep) start(onEnd func(error)) (err error) {
	if v.log, err = os.CreateTemp("", "gw-demo-*.log"); err != nil {
		return fmt.Errorf("make the log of %s: %w", v.name, err)
	}
	defer func() {
		if err != nil {
			v.log.Close()
			v.log = nil
		}
	}()
	if err := os.Remove(v.log.Name()); err != nil { // only we read it, and nothing stays if we are killed
		return fmt.Errorf("make the log of %s: %w", v.name, err)
	}
	err = v.host.Do(func() error {
		v.paths = netdev.PathsFor(wire)
		v.client = control.NewClient(v.paths.Socket)
		return nil
	})
	if err != nil {
		return err
	}
	// Not bound to a context: with Keep it outlives us, else the lab ends it.
	v.cmd = v.host.Command(context.Background(), v.program, v.args()...)
	v.cmd.Stdout, v.cmd.Stderr = v.log, v.log
	if err := v.cmd.Start(); err != nil {
		return err
	}
	v.ended = make(chan struct{})
	go func() {
		err := v.cmd.Wait()
		close(v.ended)
		onEnd(err)
	}()
	return nil
}

// ready waits until frames can flow, as `gw status --wait` does.
func (v *vtep) ready(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("not ready after %s", startTime))
	defer cancel()
	for {
		s, err := v.client.Status(ctx)
		if err == nil && s.Ready {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends gw as Ctrl-C does. The error says that it did not end, failed, or left its device or a file.
func (v *vtep) stop() error {
	if err := v.cmd.Process.Signal(unix.SIGINT); err != nil {
		return fmt.Errorf("stop gw: %w", err)
	}
	select {
	case <-v.ended:
	case <-time.After(stopTime):
		return fmt.Errorf("stop gw: it runs on %s after SIGINT", stopTime)
	}
	if err := v.cmd.Wait(); err != nil {
		return fmt.Errorf("stop gw: %w", err)
	}
	links, err := v.host.Links()
	if err != nil {
		return err
	}
	for _, l := range links {
		if name := l.Attrs().Name; name != "lo" && name != wire && !v.hasPort(name) {
			return fmt.Errorf("stop gw: it left %s", name)
		}
	}
	for _, path := range []string{v.paths.Socket, v.paths.State, v.paths.Lock} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return errors.Join(fmt.Errorf("stop gw: it left %s", path), err)
		}
	}
	return nil
}

// tail returns the last lines of gw's log.
func (v *vtep) tail(lines int) []string {
	info, err := v.log.Stat()
	if err != nil {
		return []string{err.Error()}
	}
	text := make([]byte, min(info.Size(), 1<<16))
	if _, err := v.log.ReadAt(text, info.Size()-int64(len(text))); err != nil {
		return []string{err.Error()}
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return all[max(0, len(all)-lines):]
}

// table returns the FDB in the lines that gw fdb show and bridge fdb show print.
func (v *vtep) table(ctx context.Context) ([]string, error) {
	var lines []string
	if v.gw {
		entries, err := v.client.FDB(ctx)
		for _, e := range entries {
			lines = append(lines, e.String())
		}
		return lines, err
	}
	entries, err := v.host.FDB(v.device())
	for _, e := range entries {
		lines = append(lines, e.String())
	}
	return lines, err
}

// learned reports whether a line of table says that mac is behind the VTEP at dst.
func (v *vtep) learned(lines []string, mac net.HardwareAddr, dst netip.Addr) error {
	want := fmt.Sprintf("%s dev %s dst %s self", mac, v.device(), dst)
	for _, l := range lines {
		if l == want {
			return nil
		}
	}
	return fmt.Errorf("no entry %q", want)
}
