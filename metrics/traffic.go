package metrics

import (
	"cmp"
	"strconv"

	"vxgw/control"
)

// ownSeries is below which number a VTEP that spoke first has series of its own: anybody
// on the underlay can forge 65,000 of them. By number and not by rank, so that no
// counter goes back because another remote has become busier.
const ownSeries = 256

// other is the remote of all that have none.
const other = "other"

// traffic sends what ports, VNIs and remotes exchanged, and what was dropped.
func (e emitter) traffic(s *control.Status) {
	e.drops(s.Underlay.Interface, s.Underlay.Name, "")
	for _, p := range s.Ports {
		name, vni := cmp.Or(p.Device, p.Name), vniLabel(p.VNI)
		var sum control.Traffic
		for _, q := range p.Queues {
			add(&sum, control.Traffic{RxPackets: q.RxPackets, RxBytes: q.RxBytes, TxPackets: q.TxPackets, TxBytes: q.TxBytes})
		}
		e.counter(portPackets, sum.RxPackets, name, vni, "rx")
		e.counter(portPackets, sum.TxPackets, name, vni, "tx")
		e.counter(portBytes, sum.RxBytes, name, vni, "rx")
		e.counter(portBytes, sum.TxBytes, name, vni, "tx")
		e.drops(p.Interface, name, vni)
	}
	for _, v := range s.VNIs {
		vni := vniLabel(v.VNI)
		e.counter(vniPackets, v.RxPackets, vni, "rx")
		e.counter(vniPackets, v.TxPackets, vni, "tx")
		e.counter(vniBytes, v.RxBytes, vni, "rx")
		e.counter(vniBytes, v.TxBytes, vni, "tx")
		e.counter(vniDropped, v.Dropped, vni)
		e.neighbours(v.Neigh, vni)
	}
	rest := s.Forgotten
	for _, r := range s.Remotes {
		if r.Configured || r.Number < ownSeries {
			e.remote(r.Name(), r.Traffic)
		} else {
			add(&rest, r.Traffic)
		}
	}
	e.remote(other, rest)
}

func (e emitter) remote(name string, t control.Traffic) {
	e.counter(remotePackets, t.RxPackets, name, "rx")
	e.counter(remotePackets, t.TxPackets, name, "tx")
	e.counter(remoteBytes, t.RxBytes, name, "rx")
	e.counter(remoteBytes, t.TxBytes, name, "tx")
}

func (e emitter) drops(i control.Interface, name, vni string) {
	for verdict, n := range i.Drops {
		e.counter(dropped, n, name, vni, "rx", verdict)
	}
	for verdict, n := range i.TxDrops {
		e.counter(dropped, n, name, vni, "tx", verdict)
	}
}

// vniLabel is empty for a trunk, which has several.
func vniLabel(vni uint32) string {
	if vni == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(vni), 10)
}

func add(sum *control.Traffic, t control.Traffic) {
	sum.RxPackets += t.RxPackets
	sum.RxBytes += t.RxBytes
	sum.TxPackets += t.TxPackets
	sum.TxBytes += t.TxBytes
}
