package bench

import (
	"context"
	"errors"
	"fmt"
	"os"

	"vxgw/internal/lab"
)

// withoutBridgeFilter has the bridges of a namespace show no frame to iptables, as they do where br_netfilter is loaded or built in:
// without that they forward 1.35 times as many.
func withoutBridgeFilter(h *lab.Host) error {
	for _, of := range []string{"iptables", "ip6tables", "arptables"} {
		if err := h.SetSysctl("net.bridge.bridge-nf-call-"+of, "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// kernelVTEP is the kernel's vxlan device and bridge, both learning, as gw does. The
// outer UDP checksum is off, as it is with gw: that is the faster way.
func kernelVTEP(_ context.Context, p place) (*running, error) {
	h := p.host
	stop := func() error {
		var errs []error
		for _, l := range []string{"vxlan0", "br0"} {
			if _, err := h.Link(l); err == nil {
				errs = append(errs, h.DeleteLink(l))
			}
		}
		return errors.Join(append(errs, h.SetOffload(portLink, "rx-gro", false), h.SetOffload(wireLink, "rx-gro", false))...)
	}
	err := withoutBridgeFilter(h)
	if err == nil {
		err = h.Bridge("br0", portLink)
	}
	if err == nil {
		err = h.KernelVXLAN(lab.VXLANConfig{
			Name: "vxlan0", VNI: vni, Dev: wireLink, Local: underlayAddr, Remote: remoteAddr, Master: "br0", NoUDPCSum: true,
		})
	}
	// Frames from the generator come without an skb, which a veth takes only with NAPI.
	if err == nil && p.way.has(Encap) {
		err = h.SetOffload(portLink, "rx-gro", true)
	}
	if err == nil && p.way.has(Decap) {
		err = h.SetOffload(wireLink, "rx-gro", true)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the kernel's device up: %w", err), stop())
	}
	return &running{stop: stop}, nil
}
