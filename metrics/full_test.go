package metrics

import (
	"fmt"

	"vxgw/control"
	"vxgw/dataplane"
)

type fixed control.Status

func (f fixed) Status() control.Status { return control.Status(f) }

// full is a status that every metric has something of.
func full() control.Status {
	counts := control.Histogram{Bounds: []uint64{1, 2, 4}, Counts: []uint64{1, 2, 3, 4}, Sum: 50}
	drops := map[string]uint64{}
	for v := range dataplane.VerdictCount {
		if dataplane.Verdict(v).Drop() {
			drops[dataplane.Verdict(v).String()] = uint64(v)
		}
	}
	iface := control.Interface{
		Name: "ens18", Up: true, MTU: 1500, XDP: "native", FallbackCode: control.FallbackNoZeroCopy, Drops: drops, TxDrops: drops,
		Queues: []control.Queue{{Mode: "copy"}, {Queue: 1, Mode: "zerocopy"}},
	}
	port, absent := iface, control.Interface{Name: "veth2"}
	port.Name = "gw42-x"
	return control.Status{
		Version: "devel", Ready: true, Uptime: 1, Problems: []string{"one"},
		Underlay: control.Underlay{Interface: iface},
		Ports:    []control.Port{{Interface: port, VNI: 42, Device: "gw42"}, {Interface: absent, Gone: true}},
		VNIs:     []control.VNI{{VNI: 42, Name: "gw42", DropReasons: drops, Neigh: &control.NeighStats{Refused: map[string]uint64{"forged": 7}}}},
		Remotes:  []control.Remote{{Address: "10.65.132.188", State: "direct", MTU: 1500, Configured: true}},
		Workers:  []control.Worker{{Batches: counts, Kicks: counts}, {ID: 1, CPU: 1, Batches: counts, Kicks: counts}},
	}
}

// many is the status of a gateway with VNIs that all drop frames, and with remotes.
func many(vnis, remotes int) control.Status {
	s := full()
	one := s.VNIs[0]
	s.VNIs = nil
	for i := range vnis {
		one.VNI = uint32(1000 + i)
		one.Name = fmt.Sprintf("gw%d", one.VNI)
		one.Neigh, one.DropReasons = nil, map[string]uint64{"no_target": uint64(i)}
		one.RxPackets, one.RxBytes = 1_000_000_007*uint64(i), 1_000_000_000_039*uint64(i)
		s.VNIs = append(s.VNIs, one)
	}
	s.Remotes = nil
	for n := range remotes {
		s.Remotes = append(s.Remotes, control.Remote{
			Address: fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), Number: n, State: "direct", MTU: 1500, NextHop: "10.65.132.1", MAC: "02:00:00:00:00:01",
			Traffic: control.Traffic{RxPackets: uint64(n), RxBytes: 100 * uint64(n), TxPackets: 1, TxBytes: 1000},
		})
	}
	return s
}
