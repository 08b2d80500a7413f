package bpf

import (
	"fmt"
	"io"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// PortConfig is fixed once the program is loaded.
type PortConfig struct {
	Queues int // rx queues of the interface, 1 to 65536
	// TagsOf is the index of the only interface that the program can be attached
	// to, natively, and whose VLAN tags it then puts back into the frames: those
	// that the sender's kernel (veth) or the NIC keeps beside them. That takes Linux
	// 6.8 and a driver that tells the tag (netdev.TellsVLANTag). 0 is any interface,
	// and such tags are lost.
	TagsOf int
	// Frags says that packets may be longer than a page, of which the program sees the start: Linux 5.18.
	Frags bool
	// Types are the kernel's own types, which the program that reads tags needs.
	// Decoding them takes some 20 ms: who loads several shares them. nil is for
	// this one alone.
	Types *btf.Cache
}

// Port is the program for a local port. It takes every frame save LLDP and the
// slow protocols (LACP), which go up to the kernel. A frame on a queue without
// a socket is dropped, so that no overlay frame leaks into the host.
type Port struct {
	steering
}

// LoadPort loads the program into the kernel. It acts once it is attached: from
// then on the frames of queues without a socket are dropped. What stands in the
// way of TagsOf is an error that wraps [unix.EOPNOTSUPP] where it is the driver,
// and [ebpf.ErrNotSupported] where it is the kernel.
func LoadPort(cfg PortConfig) (*Port, error) {
	if cfg.TagsOf != 0 {
		return loadPortTags(cfg)
	}
	spec, err := loadPortProg()
	if err != nil {
		return nil, fmt.Errorf("load XDP program port: %w", err)
	}
	if cfg.Frags {
		takeFrags(spec.Programs["port"])
	}
	var objs portProgObjects
	if err := load("port", spec, cfg.Queues, nil, sinceLinks, &objs); err != nil {
		return nil, err
	}
	return &Port{steering{
		name:     "port",
		queues:   cfg.Queues,
		prog:     objs.Port,
		xsks:     objs.Xsks,
		counters: objs.Counters,
		owned:    []io.Closer{&objs},
	}}, nil
}

// loadPortTags loads the program that reads tags, bound to its interface.
func loadPortTags(cfg PortConfig) (*Port, error) {
	spec, err := loadPortTagsProg()
	if err != nil {
		return nil, fmt.Errorf("load XDP program porttags: %w", err)
	}
	p := spec.Programs["porttags"]
	p.Ifindex, p.Flags = uint32(cfg.TagsOf), p.Flags|unix.BPF_F_XDP_DEV_BOUND_ONLY
	if cfg.Frags {
		takeFrags(p)
	}
	var objs portTagsProgObjects
	if err := load("porttags", spec, cfg.Queues, cfg.Types, sinceTags, &objs); err != nil {
		return nil, err
	}
	return &Port{steering{
		name:     "porttags",
		queues:   cfg.Queues,
		bound:    true,
		prog:     objs.Porttags,
		xsks:     objs.Xsks,
		counters: objs.Counters,
		owned:    []io.Closer{&objs},
	}}, nil
}
