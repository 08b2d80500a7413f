// Package stats tells what a gateway moves and loses, from its status: totals, rates between two looks at it,
// and each reason to drop with its sentence. gw stats prints it, the page of the metrics address shows it.
package stats

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"vxgw/control"
	"vxgw/dataplane"
)

// Stats is what gw stats shows, and its JSON.
type Stats struct {
	PID        int     `json:"pid"`
	Uptime     float64 `json:"uptime"`             // seconds
	Interval   float64 `json:"interval,omitempty"` // seconds that the rates are of; without, there are none
	Interfaces []Line  `json:"interfaces"`         // the underlay first
	VNIs       []Line  `json:"vnis"`
	Remotes    []Line  `json:"remotes"`
	Drops      []Drop  `json:"drops"`
	Kernel     []Loss  `json:"kernel"`
}

// Line is what went through one thing.
type Line struct {
	Interface string `json:"interface,omitempty"`
	Queue     *int   `json:"queue,omitempty"`
	Worker    *int   `json:"worker,omitempty"`
	VNI       uint32 `json:"vni,omitempty"`
	Remote    string `json:"remote,omitempty"`
	control.Traffic
	Dropped   uint64 `json:"dropped"`              // of what was received
	TxDropped uint64 `json:"tx_dropped,omitempty"` // frames and copies that could not leave
	Rates     *Rates `json:"rates,omitempty"`
	Queues    []Line `json:"queues,omitempty"`
}

// Rates are per second.
type Rates struct {
	RxPackets float64 `json:"rx_packets"`
	RxBits    float64 `json:"rx_bits"`
	TxPackets float64 `json:"tx_packets"`
	TxBits    float64 `json:"tx_bits"`
	Dropped   float64 `json:"dropped"`
}

// Drop is one reason to drop.
type Drop struct {
	Reason   string   `json:"reason"`
	Frames   uint64   `json:"frames"` // received ones
	Copies   uint64   `json:"copies"` // that flooding made
	Rate     *float64 `json:"rate,omitempty"`
	Where    []Place  `json:"where"`
	Sentence string   `json:"sentence"`
}

// Place is an interface that frames came from, or should have left by.
type Place struct {
	Interface string `json:"interface"`
	Direction string `json:"direction"` // rx: received there; tx: should have left
	Packets   uint64 `json:"packets"`
}

// Loss is what was lost outside the workers.
type Loss struct {
	Event     string   `json:"event"`
	Interface string   `json:"interface,omitempty"`
	Queue     *int     `json:"queue,omitempty"`
	Count     uint64   `json:"count"`
	Rate      *float64 `json:"rate,omitempty"`
	Sentence  string   `json:"sentence"`
}

// Make compares a status with an earlier one of the same process, or nil.
func Make(now, before *control.Status) Stats {
	s := Stats{PID: now.PID, Uptime: now.Uptime, Interfaces: []Line{}, VNIs: []Line{}, Remotes: []Line{}, Drops: []Drop{}, Kernel: []Loss{}}
	s.Interfaces = append(s.Interfaces, ofInterface(now.Underlay.Interface, now.Underlay.Name, 0))
	for _, p := range now.Ports {
		s.Interfaces = append(s.Interfaces, ofInterface(p.Interface, cmp.Or(p.Device, p.Name), p.VNI))
	}
	for _, v := range now.VNIs {
		s.VNIs = append(s.VNIs, Line{VNI: v.VNI, Traffic: v.Traffic, Dropped: v.Dropped})
	}
	for _, r := range now.Remotes {
		s.Remotes = append(s.Remotes, Line{Remote: r.Name(), Traffic: r.Traffic})
	}
	s.Drops, s.Kernel = dropsOf(now), kernelOf(now)
	if before == nil || before.PID != now.PID || before.Uptime >= now.Uptime {
		return s
	}
	old := Make(before, nil)
	s.Interval = now.Uptime - before.Uptime
	rate(s.Interfaces, old.Interfaces, s.Interval)
	rate(s.VNIs, old.VNIs, s.Interval)
	rate(s.Remotes, old.Remotes, s.Interval)
	for i := range s.Drops {
		d := &s.Drops[i]
		d.Rate = perSecond(d.Frames+d.Copies, old.dropped(d.Reason), s.Interval)
	}
	lost := counts(old.Kernel)
	for i := range s.Kernel {
		k := &s.Kernel[i]
		k.Rate = perSecond(k.Count, lost[k.id()], s.Interval)
	}
	return s
}

func ofInterface(i control.Interface, name string, vni uint32) Line {
	l := Line{Interface: name, VNI: vni, Dropped: sum(i.Drops), TxDropped: sum(i.TxDrops)}
	for _, q := range i.Queues {
		t := control.Traffic{RxPackets: q.RxPackets, RxBytes: q.RxBytes, TxPackets: q.TxPackets, TxBytes: q.TxBytes}
		l.Queues = append(l.Queues, Line{Queue: &q.Queue, Worker: &q.Worker, Traffic: t})
		l.RxPackets, l.RxBytes = l.RxPackets+t.RxPackets, l.RxBytes+t.RxBytes
		l.TxPackets, l.TxBytes = l.TxPackets+t.TxPackets, l.TxBytes+t.TxBytes
	}
	return l
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// id tells lines of one table apart.
func (l *Line) id() any {
	if l.Queue != nil {
		return *l.Queue
	}
	return cmp.Or(l.Interface, l.Remote) + " " + strconv.FormatUint(uint64(l.VNI), 10)
}

// rate fills in the rates of lines that were there before.
func rate(lines, before []Line, seconds float64) {
	old := map[any]*Line{}
	for i := range before {
		old[before[i].id()] = &before[i]
	}
	for i := range lines {
		l := &lines[i]
		o := old[l.id()]
		if o == nil {
			o = new(Line) // it is new: all that it has came since
		}
		l.Rates = &Rates{
			RxPackets: *perSecond(l.RxPackets, o.RxPackets, seconds), RxBits: 8 * *perSecond(l.RxBytes, o.RxBytes, seconds),
			TxPackets: *perSecond(l.TxPackets, o.TxPackets, seconds), TxBits: 8 * *perSecond(l.TxBytes, o.TxBytes, seconds),
			Dropped: *perSecond(l.Dropped+l.TxDropped, o.Dropped+o.TxDropped, seconds),
		}
		rate(l.Queues, o.Queues, seconds)
	}
}

// perSecond is 0 where a count went back: its owner is another one now.
func perSecond(now, before uint64, seconds float64) *float64 {
	r := 0.0
	if now > before {
		r = float64(now-before) / seconds
	}
	return &r
}

// dropsOf lists the reasons that there were, in the order of the one list.
func dropsOf(s *control.Status) []Drop {
	out := []Drop{}
	for v := range dataplane.VerdictCount {
		v := dataplane.Verdict(v)
		if !v.Drop() {
			continue
		}
		d := Drop{Reason: v.String(), Sentence: v.Sentence(), Where: []Place{}}
		for _, w := range s.Workers {
			d.Frames += w.Verdicts[d.Reason]
			d.Copies += w.Copies[d.Reason]
		}
		if v == dataplane.RemoteNotAllowed {
			d.Frames += s.Refused()
		}
		if d.Frames+d.Copies == 0 {
			continue
		}
		d.at(s.Underlay.Interface, s.Underlay.Name)
		for _, p := range s.Ports {
			d.at(p.Interface, cmp.Or(p.Device, p.Name))
		}
		out = append(out, d)
	}
	return out
}

func (d *Drop) at(i control.Interface, name string) {
	if n := i.Drops[d.Reason]; n > 0 {
		d.Where = append(d.Where, Place{name, "rx", n})
	}
	if n := i.TxDrops[d.Reason]; n > 0 {
		d.Where = append(d.Where, Place{name, "tx", n})
	}
}

func (s *Stats) dropped(reason string) uint64 {
	for _, d := range s.Drops {
		if d.Reason == reason {
			return d.Frames + d.Copies
		}
	}
	return 0
}

// lossID tells losses apart; queue is -1 for what is of no queue.
type lossID struct {
	event, iface string
	queue        int
}

func (k *Loss) id() lossID {
	if k.Queue == nil {
		return lossID{k.Event, k.Interface, -1}
	}
	return lossID{k.Event, k.Interface, *k.Queue}
}

// counts are those of losses.
func counts(losses []Loss) map[lossID]uint64 {
	m := make(map[lossID]uint64, len(losses))
	for i := range losses {
		m[losses[i].id()] = losses[i].Count
	}
	return m
}

// Weight is what a line is ranked by: what moves now, else what moved.
func (l *Line) Weight() float64 {
	if r := l.Rates; r != nil && r.RxPackets+r.TxPackets > 0 {
		return math.MaxUint32 + r.RxPackets + r.TxPackets
	}
	return float64(l.RxPackets+l.TxPackets) / math.MaxUint32
}

// lossSentences say what is lost where no worker sees it.
var lossSentences = map[string]string{
	"rx_ring_full":    "Packets that found the queue's rx ring full: its worker did not keep up.",
	"rx_dropped":      "Packets that the kernel had no frame for, or that were longer than a frame.",
	"fill_ring_empty": "Times that the kernel looked for a frame to receive into and the fill ring was empty.",
	"rx_invalid":      "Frames to receive into that the kernel refused.",
	"tx_invalid":      "Frames to send that the kernel refused.",
	"no_socket":       "Packets for gw on a queue of the interface that gw has no socket on.",
	"foreign":         control.ForeignSentence,
	"slow_failed":     "Packets of to_kernel that the kernel then refused to send.",
	"unnumbered":      "Packets of unknown VTEPs that found the table of remotes full: nothing was learned of them.",
}

// kernelOf lists what happened of that.
func kernelOf(s *control.Status) []Loss {
	out := []Loss{}
	add := func(event, iface string, queue *int, n uint64) {
		if n > 0 {
			out = append(out, Loss{Event: event, Interface: iface, Queue: queue, Count: n, Sentence: lossSentences[event]})
		}
	}
	iface := func(i control.Interface, name string) {
		add("no_socket", name, nil, i.Steering.NoSocket)
		for _, q := range i.Queues {
			counts := map[string]uint64{
				"rx_ring_full": q.Kernel.RxRingFull, "rx_dropped": q.Kernel.RxDropped, "fill_ring_empty": q.Kernel.FillRingEmpty,
				"rx_invalid": q.Kernel.RxInvalid, "tx_invalid": q.Kernel.TxInvalid, "foreign": q.Foreign,
			}
			for _, event := range slices.Sorted(maps.Keys(counts)) {
				add(event, name, &q.Queue, counts[event])
			}
		}
	}
	iface(s.Underlay.Interface, s.Underlay.Name)
	for _, p := range s.Ports {
		iface(p.Interface, cmp.Or(p.Device, p.Name))
	}
	var failed, unnumbered uint64
	for _, w := range s.Workers {
		failed, unnumbered = failed+w.SlowFailed, unnumbered+w.Unnumbered
	}
	add("slow_failed", "", nil, failed)
	add("unnumbered", "", nil, unnumbered)
	return out
}
