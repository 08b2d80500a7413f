//go:build vmlab

package main

import (
	"encoding/binary"
	"fmt"
	"testing"

	"vxgw/internal/ethtool"
	"vxgw/internal/lab"
)

// Many flows: each queue of a card receives and sends, with one worker for both and
// with a worker each.
func TestCardQueues(t *testing.T) {
	for _, kind := range []string{"igb", "virtio multi"} {
		for _, workers := range []string{"1", "2"} {
			t.Run(kind+", workers "+workers, func(t *testing.T) {
				s := newTrio(t, kind)
				if kind == "igb" { // virtio-net leaves it to its host, which goes by ports
					must(t, s.hosts[0].Do(func() error { return ethtool.HashUDPPorts("ens18") }))
				}
				var near []end // ports of one queue each, which are another worker's each
				args := on("--remote", under3.String(), "--workers", workers)
				for i, addr := range s.over[:2] {
					port := fmt.Sprintf("veth%d", i)
					c, err := s.hosts[0].BridgePort(port, fmt.Sprintf("container%d", i), addr.String()+"/24", lab.VethOptions{MTU: 1450})
					must(t, err)
					near, args = append(near, end{host: c, dev: "veth0", addr: addr}), append(args, "--port", port)
				}
				far := s.kernel(t, 2, lab.VXLANConfig{Remote: under1})
				g := start(t, s.hosts[0], args...)
				checkZeroCopy(t, g, "ens18")
				for _, e := range near {
					resolve(t, e, far)
					for i := range 32 {
						carry(t, e, far, [][]byte{binary.BigEndian.AppendUint64(nil, uint64(i))})
						carry(t, far, e, [][]byte{binary.BigEndian.AppendUint64(nil, uint64(i))})
					}
				}
				queues := g.status().Underlay.Queues
				if len(queues) != 2 {
					t.Fatalf("%d queues of ens18", len(queues))
				}
				for _, q := range queues {
					if q.RxPackets < 4 || q.TxPackets < 4 || fmt.Sprint(q.Worker) != map[string]string{"1": "0", "2": fmt.Sprint(q.Queue)}[workers] {
						t.Errorf("queue %d, worker %d of %s: received %d and sent %d", q.Queue, q.Worker, workers, q.RxPackets, q.TxPackets)
					}
				}
				checkVerdicts(t, g)
				g.stop()
			})
		}
	}
}
