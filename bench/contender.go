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
)

// The device under test stands between the port veth1, where the generator is, and
// the underlay ens18, where the sink is. Both contenders get the same links.

// contender puts itself between the two links and returns what takes it away.
type contender func(ctx context.Context, h *lab.Host) (stop func() error, err error)

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

// gateway is gw, run from program. Its control socket is in dir.
func gateway(program, dir string) contender {
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
		stop := func() error {
			if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
				return err
			}
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("gw: %w: %s", err, log.String())
			}
			return nil
		}
		if err := awaitDirect(ctx, control.NewClient(dir+"/gw.sock")); err != nil {
			return nil, errors.Join(err, stop())
		}
		return stop, nil
	}
}

// awaitDirect waits until gw runs and the way to the remote is open.
func awaitDirect(ctx context.Context, c *control.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		s, err := c.Status(ctx)
		if err == nil && s.Ready && len(s.Remotes) == 1 && s.Remotes[0].State == "direct" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gw is not ready to send after 10 s: %w", errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
