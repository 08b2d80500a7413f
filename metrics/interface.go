package metrics

import (
	"cmp"
	"strconv"

	"vxgw/control"
)

// iface sends what there is of an interface and its queues, under the host's name for it.
func (e emitter) iface(i control.Interface, name, role, vni string) {
	e.flag(linkUp, i.Up, name, role, vni)
	e.put(linkMTU, float64(i.MTU), name, role, vni)
	if i.FallbackCode != "" {
		e.put(fellBack, 1, name, i.FallbackCode)
	}
	e.count(steered, i.Steering.Redirected, name, "redirected")
	e.count(steered, i.Steering.Passed, name, "passed")
	e.count(steered, i.Steering.NoSocket, name, "no_socket")
	e.count(steered, i.Steering.Refused, name, "refused")
	for _, q := range i.Queues {
		e.queue(&q, name, i.XDP)
	}
}

func (e emitter) queue(q *control.Queue, name, xdp string) {
	queue := strconv.Itoa(q.Queue)
	e.put(queueMode, 1, name, queue, q.Mode, xdp)
	e.count(queuePackets, q.RxPackets, name, queue, "rx")
	e.count(queuePackets, q.TxPackets, name, queue, "tx")
	e.count(queueBytes, q.RxBytes, name, queue, "rx")
	e.count(queueBytes, q.TxBytes, name, queue, "tx")
	e.count(kicks, q.Kicks, name, queue)
	e.count(stalls, q.Stalls, name, queue)
	e.count(kickErrors, q.SendErrors, name, queue)
	e.count(wakeups, q.Wakeups, name, queue)
	e.count(foreign, q.Foreign, name, queue)
	e.count(malformed, q.Malformed, name, queue)
	e.put(inKernel, float64(q.Receiving), name, queue, "rx")
	e.put(inKernel, float64(q.Sending), name, queue, "tx")
	if q.Kernel.StatisticsError != "" {
		return
	}
	e.count(kernelDrops, q.Kernel.RxDropped, name, queue, "rx_dropped")
	e.count(kernelDrops, q.Kernel.RxInvalid, name, queue, "rx_invalid")
	e.count(kernelDrops, q.Kernel.TxInvalid, name, queue, "tx_invalid")
	e.count(kernelDrops, q.Kernel.RxRingFull, name, queue, "rx_ring_full")
	e.count(kernelDrops, q.Kernel.FillRingEmpty, name, queue, "fill_ring_empty")
	e.count(kernelDrops, q.Kernel.TxRingEmpty, name, queue, "tx_ring_empty")
}

func (e emitter) injected(name string, i control.Injected) {
	e.count(injected, i.Packets, name)
	e.count(injectedBytes, i.Bytes, name)
	e.count(injectDrops, i.TooLong, name, "too_long")
	e.count(injectDrops, i.QueueFull, name, "queue_full")
	e.count(injectDrops, i.NoFrame, name, "no_frame")
	e.count(injectDrops, i.SocketFull, name, "socket_full")
}

// port sends what there is of a port, what it exchanged and dropped. A device goes by the name that the host has, as in gw stats.
func (e emitter) port(p *control.Port) {
	name, vni := cmp.Or(p.Device, p.Name), vniLabel(p.VNI)
	e.iface(p.Interface, name, "port", vni)
	var sum control.Traffic
	for _, q := range p.Queues {
		add(&sum, control.Traffic{RxPackets: q.RxPackets, RxBytes: q.RxBytes, TxPackets: q.TxPackets, TxBytes: q.TxBytes})
	}
	e.count(portPackets, sum.RxPackets, name, vni, "rx")
	e.count(portPackets, sum.TxPackets, name, vni, "tx")
	e.count(portBytes, sum.RxBytes, name, vni, "rx")
	e.count(portBytes, sum.TxBytes, name, vni, "tx")
	e.drops(p.Interface, name, vni)
}

func (e emitter) drops(i control.Interface, name, vni string) {
	for verdict, n := range i.Drops {
		e.count(dropped, n, name, vni, "rx", verdict)
	}
	for verdict, n := range i.TxDrops {
		e.count(dropped, n, name, vni, "tx", verdict)
	}
}
