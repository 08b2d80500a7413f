package page

import (
	"cmp"
	"fmt"
	"slices"

	"vxgw/control"
	"vxgw/stats"
)

// most is how many rows a table has; there may be 65,000 remotes. Those with the most traffic are shown.
const most = 50

// mostPlaces is how many interfaces a reason to drop names.
const mostPlaces = 3

// state is what the page shows of a status, and its JSON.
type state struct {
	Version  string   `json:"version"`
	PID      int      `json:"pid"`
	Uptime   float64  `json:"uptime"`             // seconds
	Interval float64  `json:"interval,omitempty"` // seconds that the rates are of; without, there are none
	Ready    bool     `json:"ready"`
	Local    []string `json:"local"`
	DstPort  uint16   `json:"dstport"`

	Problems list[string] `json:"problems"`
	Notes    list[string] `json:"notes"` // what would be better, but stops nothing

	Total      stats.Line       `json:"total"` // of all tunnels
	Dropped    uint64           `json:"dropped"`
	DropRate   float64          `json:"drop_rate"`
	VNIs       list[vni]        `json:"vnis"`
	Remotes    list[remote]     `json:"remotes"`
	Interfaces list[iface]      `json:"interfaces"`
	Drops      []drop           `json:"drops"`
	Losses     list[stats.Loss] `json:"losses"`
	Workers    list[worker]     `json:"workers"`
	FDB        control.FDBStats `json:"fdb"`
	Memory     control.Memory   `json:"memory"`
}

// list is the rows of a table, and how many more there are.
type list[T any] struct {
	Rows []T `json:"rows"`
	More int `json:"more"`
}

type vni struct {
	stats.Line
	Name    string `json:"name"`
	FDB     int    `json:"fdb"`
	Group   string `json:"group,omitempty"`
	Remotes int    `json:"remotes"` // that it floods to, beside the group
	Ports   int    `json:"ports"`
}

type remote struct {
	stats.Line
	State      string `json:"state"`
	Reason     string `json:"reason,omitempty"`
	Configured bool   `json:"configured"`
	NextHop    string `json:"nexthop,omitempty"`
	MAC        string `json:"mac,omitempty"`
	MTU        int    `json:"mtu,omitempty"`
}

type iface struct {
	stats.Line
	Role   string `json:"role"` // underlay, port, device or trunk
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why it is not up
	Mode   string `json:"mode"`             // zerocopy, copy or mixed
	XDP    string `json:"xdp"`
	Driver string `json:"driver,omitempty"`
	MTU    int    `json:"mtu"`
	Count  int    `json:"queue_count"`
	VLANs  int    `json:"vlans,omitempty"`
}

type drop struct {
	stats.Drop
	Elsewhere int `json:"elsewhere"` // interfaces that Where leaves out
}

// makeState compares a status with an earlier one, or nil.
func makeState(now, before *control.Status) *state {
	all := stats.Make(now, before)
	s := &state{
		Version: now.Version, PID: now.PID, Uptime: now.Uptime, Interval: all.Interval, Ready: now.Ready,
		Local: now.Underlay.Locals, DstPort: now.Underlay.DstPort, Problems: first(now.Problems), Notes: first(notes(now)),
		Total: total(all.VNIs), Drops: []drop{}, Losses: first(all.Kernel), FDB: now.FDB, Memory: now.Memory,
		VNIs:       busiest(all.VNIs, func(i int) vni { return ofVNI(&now.VNIs[i], all.VNIs[i]) }),
		Remotes:    busiest(all.Remotes, func(i int) remote { return ofRemote(&now.Remotes[i], all.Remotes[i]) }),
		Interfaces: busiest(all.Interfaces, func(i int) iface { return ofInterface(now, i, all.Interfaces[i]) }),
		Workers:    first(workers(now, before, all.Interval)),
	}
	for _, d := range all.Drops {
		s.Dropped += d.Frames + d.Copies
		if d.Rate != nil {
			s.DropRate += *d.Rate
		}
		slices.SortStableFunc(d.Where, func(a, b stats.Place) int { return cmp.Compare(b.Packets, a.Packets) })
		shown := min(len(d.Where), mostPlaces)
		row := drop{d, len(d.Where) - shown}
		row.Where = d.Where[:shown]
		s.Drops = append(s.Drops, row)
	}
	return s
}

// first is as many of all as a table has.
func first[T any](all []T) list[T] {
	n := min(len(all), most)
	return list[T]{append([]T{}, all[:n]...), len(all) - n}
}

// busiest makes rows of the lines with the most traffic, in the order of lines so that rows stay in their places.
func busiest[T any](lines []stats.Line, row func(int) T) list[T] {
	at := make([]int, len(lines))
	for i := range at {
		at[i] = i
	}
	if len(at) > most {
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(lines[b].Weight(), lines[a].Weight()) })
		at = at[:most]
		slices.Sort(at)
	}
	out := list[T]{make([]T, 0, len(at)), len(lines) - len(at)}
	for _, i := range at {
		out.Rows = append(out.Rows, row(i))
	}
	return out
}

// total adds up what all VNIs exchanged.
func total(lines []stats.Line) (sum stats.Line) {
	for _, l := range lines {
		sum.RxPackets, sum.RxBytes = sum.RxPackets+l.RxPackets, sum.RxBytes+l.RxBytes
		sum.TxPackets, sum.TxBytes = sum.TxPackets+l.TxPackets, sum.TxBytes+l.TxBytes
		if l.Rates == nil {
			continue
		}
		if sum.Rates == nil {
			sum.Rates = new(stats.Rates)
		}
		sum.Rates.RxPackets, sum.Rates.RxBits = sum.Rates.RxPackets+l.Rates.RxPackets, sum.Rates.RxBits+l.Rates.RxBits
		sum.Rates.TxPackets, sum.Rates.TxBits = sum.Rates.TxPackets+l.Rates.TxPackets, sum.Rates.TxBits+l.Rates.TxBits
	}
	return sum
}

// notes are what could be had better, with what may help, and what somebody new may want to do next.
func notes(s *control.Status) (out []string) {
	note := func(name string, i *control.Interface) {
		if i.FallbackCure != "" {
			out = append(out, fmt.Sprintf("%s: %s: %s", name, i.Fallback, i.FallbackCure))
		}
	}
	note(s.Underlay.Name, &s.Underlay.Interface)
	for i := range s.Ports {
		note(cmp.Or(s.Ports[i].Device, s.Ports[i].Name), &s.Ports[i].Interface)
	}
	if s.Hint != "" {
		out = append(out, s.Hint)
	}
	return out
}
