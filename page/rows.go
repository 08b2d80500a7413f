package page

import (
	"vxgw/control"
	"vxgw/stats"
)

func ofVNI(v *control.VNI, l stats.Line) vni {
	return vni{Line: l, Name: v.Name, FDB: v.FDB, Group: v.Group, Remotes: len(v.Remotes), Ports: len(v.Ports)}
}

func ofRemote(r *control.Remote, l stats.Line) remote {
	return remote{Line: l, State: r.State, Reason: r.Reason, Configured: r.Configured, NextHop: r.NextHop, MAC: r.MAC, MTU: r.MTU}
}

// ofInterface is the underlay's row for i 0, else that of the port before it in the status.
func ofInterface(s *control.Status, i int, l stats.Line) iface {
	l.Queues = nil
	if i == 0 {
		row := bound(&s.Underlay.Interface, l)
		row.Role, row.Reason = "underlay", s.Underlay.Trouble
		return row
	}
	p := &s.Ports[i-1]
	row := bound(&p.Interface, l)
	row.Role, row.VLANs = "port", len(p.VLANs)
	switch {
	case p.Device != "":
		row.Role = "device"
	case row.VLANs > 0:
		row.Role = "trunk"
	}
	if p.Gone {
		row.State, row.Reason = "gone", p.Reason
	}
	return row
}

func bound(i *control.Interface, l stats.Line) iface {
	row := iface{Line: l, State: "down", XDP: i.XDP, Driver: i.Driver, MTU: i.MTU, Count: len(i.Queues)}
	switch {
	case i.Up:
		row.State = "up"
	case i.NoCarrier:
		row.State = "no carrier"
	}
	for _, q := range i.Queues {
		if row.Mode == "" {
			row.Mode = q.Mode
		} else if row.Mode != q.Mode {
			row.Mode = "mixed"
		}
	}
	return row
}

// worker is what a worker does in a second; without an interval, nothing.
type worker struct {
	ID     int      `json:"id"`
	CPU    int      `json:"cpu"`
	Frames *float64 `json:"frames,omitempty"` // received
	Rounds *float64 `json:"rounds,omitempty"` // in which it moved something
	Sleeps *float64 `json:"sleeps,omitempty"`
}

func workers(now, before *control.Status, interval float64) []worker {
	out := make([]worker, 0, len(now.Workers))
	for i, w := range now.Workers {
		row := worker{ID: w.ID, CPU: w.CPU}
		if interval > 0 && i < len(before.Workers) {
			old := &before.Workers[i]
			per := func(now, before uint64) *float64 {
				r := float64(now-before) / interval // such counts never go back
				return &r
			}
			row.Frames, row.Rounds, row.Sleeps = per(frames(&w), frames(old)), per(w.Rounds, old.Rounds), per(w.Sleeps, old.Sleeps)
		}
		out = append(out, row)
	}
	return out
}

func frames(w *control.Worker) (n uint64) {
	for _, count := range w.Verdicts {
		n += count
	}
	return n
}
