package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/vxlan"
)

// The device under test stands between the port veth1, where the generator is, and
// the underlay ens18, where the sink is. All contenders get the same links.

// starter puts a contender between the two links and returns what takes it away.
type starter func(ctx context.Context, h *lab.Host) (stop func() error, err error)

// contender is one device under test.
type contender struct {
	name   string
	start  starter
	length int                  // of its packets at the sink
	check  func(b []byte) error // whether one of them is right
}

// contenders returns all, in the order of their turns. Those that are compared with
// each other are neighbours, as far as that goes. What has no worker of gw's runs on
// the CPU that gw chose for its worker in its turn before, which is in cpu then.
func contenders(program, dir string, cpu *int) []contender {
	return []contender{
		{"kernel", kernelVTEP, innerLen + vxlan.Overhead, checkPacket},
		{"gw", gateway(program, dir, cpu), innerLen + vxlan.Overhead, checkPacket},
		{"null", forwarding(program, "own", cpu), innerLen, checkForwarded},
		{"asavie", forwarding(program, "asavie", cpu), innerLen, checkForwarded},
	}
}

// kernelVTEP is the kernel's vxlan device and bridge, with both FDBs filled, so that
// nothing is flooded.
func kernelVTEP(_ context.Context, h *lab.Host) (stop func() error, err error) {
	stop = func() error {
		return errors.Join(h.DeleteLink("vxlan0"), h.DeleteLink("br0"), h.SetOffload("veth1", "rx-gro", false))
	}
	err = h.Bridge("br0", "veth1")
	if err == nil {
		err = h.KernelVXLAN(lab.VXLANConfig{
			Name: "vxlan0", VNI: vni, Dev: "ens18", Local: underlayAddr, Remote: remoteAddr, Master: "br0", NoUDPCSum: true,
		})
	}
	far := macBytes(farSide.mac(0))
	if err == nil {
		err = h.AppendFDB("vxlan0", far[:], remoteAddr)
	}
	if err == nil {
		err = h.Do(func() error { return bridgeEntry("vxlan0", far[:]) })
	}
	if err == nil {
		// Frames from the generator come without an skb, which a veth takes only with NAPI.
		err = h.SetOffload("veth1", "rx-gro", true)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the kernel's device up: %w", err), stop())
	}
	return stop, nil
}

// bridgeEntry pins a MAC address to a port in the bridge's own FDB.
func bridgeEntry(port string, mac net.HardwareAddr) error {
	l, err := netlink.LinkByName(port)
	if err != nil {
		return err
	}
	return netlink.NeighSet(&netlink.Neigh{
		LinkIndex: l.Attrs().Index, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP, Flags: netlink.NTF_MASTER, HardwareAddr: mac,
	})
}

// gateway is gw, run from program. Its control socket is in dir. The CPU that its
// worker has is stored in cpu.
func gateway(program, dir string, cpu *int) starter {
	return func(ctx context.Context, h *lab.Host) (func() error, error) {
		far := macBytes(farSide.mac(0))
		file := dir + "/gw.yaml"
		text := fmt.Sprintf("underlay: {iface: ens18}\nmetrics: {listen: ''}\ncontrol: {path: %s/gw.sock}\nvnis:\n  - vni: %d\n    remotes: [%s]\n    ports: [veth1]\n    fdb: [{mac: '%s', dst: %s}]\n",
			dir, vni, remoteAddr, net.HardwareAddr(far[:]), remoteAddr)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		cmd := h.Command(ctx, program, "--config", file)
		var log strings.Builder
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		stop := func() error { return end(cmd, &log) }
		s, err := awaitDirect(ctx, control.NewClient(dir+"/gw.sock"))
		if err == nil && len(s.Workers) != 1 {
			err = fmt.Errorf("gw has %d workers, what it is compared with has one", len(s.Workers))
		}
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		*cpu = s.Workers[0].CPU
		return stop, nil
	}
}

// end stops a program, of which log is the standard error.
func end(cmd *lab.Cmd, log *strings.Builder) error {
	err := cmd.Process.Signal(unix.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil // its status tells why
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, log.String())
	}
	return nil
}

// awaitDirect waits until gw runs and the way to the remote is open.
func awaitDirect(ctx context.Context, c *control.Client) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s, err := c.Status(ctx)
		if err == nil && s.Ready && len(s.Remotes) == 1 && s.Remotes[0].State == "direct" {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("gw is not ready to send after 30 s: %w", errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
