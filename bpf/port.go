package bpf

import (
	"fmt"
	"io"
)

// PortConfig is fixed once the program is loaded.
type PortConfig struct {
	Queues int // rx queues of the interface, 1 to 65536
}

// Port is the program for a local port. It takes every frame save LLDP and the
// slow protocols (LACP), which go up to the kernel. A frame on a queue without
// a socket is dropped, so that no overlay frame leaks into the host.
type Port struct {
	steering
}

// LoadPort loads the program into the kernel. It acts once it is attached: from
// then on the frames of queues without a socket are dropped.
func LoadPort(cfg PortConfig) (*Port, error) {
	spec, err := loadPortProg()
	if err != nil {
		return nil, fmt.Errorf("load XDP program port: %w", err)
	}
	var objs portProgObjects
	if err := load("port", spec, cfg.Queues, &objs); err != nil {
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
