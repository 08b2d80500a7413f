package metrics

import "vxgw/control"

// vni sends what there is of a VNI.
func (e emitter) vni(v *control.VNI) {
	vni := vniLabel(v.VNI)
	e.put(vniInfo, 1, vni, v.Name, v.Group)
	e.count(vniPackets, v.RxPackets, vni, "rx")
	e.count(vniPackets, v.TxPackets, vni, "tx")
	e.count(vniBytes, v.RxBytes, vni, "rx")
	e.count(vniBytes, v.TxBytes, vni, "tx")
	e.count(vniDropped, v.Dropped, vni)
	for verdict, n := range v.DropReasons {
		e.count(vniReasons, n, vni, verdict)
	}
	e.put(vniMTU, float64(v.TunnelMTU), vni)
	e.put(vniEntries, float64(v.FDB), vni)
	e.put(vniLimit, float64(v.Table.Limit), vni)
	e.put(vniFrozen, float64(v.Frozen), vni)
	e.count(vniMoves, v.Table.Moves, vni)
	e.count(vniAged, v.Table.Aged, vni)
	e.count(vniRefused, v.Table.RefusedLimit, vni, "limit")
	e.count(vniRefused, v.Table.RefusedStatic, vni, "static")
	e.count(vniRefused, v.Table.RefusedFull, vni, "full")
	e.neighbours(v.Neigh, vni)
}

// table sends what there is of the MAC table as a whole.
func (e emitter) table(f *control.FDBStats) {
	e.put(fdbEntries, float64(f.Entries))
	e.put(fdbMax, float64(f.MaxEntries))
	e.put(fdbBytes, float64(f.Bytes))
	e.put(fdbFrozen, float64(f.Frozen))
	e.count(fdbMoves, f.Moves)
	e.count(fdbAged, f.Aged)
	e.count(fdbRefused, f.RefusedLimit, "limit")
	e.count(fdbRefused, f.RefusedStatic, "static")
	e.count(fdbRefused, f.RefusedFull, "full")
}

// remotes sends what there is of those with series of their own, and what all others exchanged.
func (e emitter) remotes(s *control.Status, named []control.Remote, others control.Traffic) {
	states := map[string]int{}
	for _, state := range control.RemoteStates() {
		states[state] = 0
	}
	for _, r := range s.Remotes {
		states[r.State]++
	}
	for state, n := range states {
		e.put(remotes, float64(n), state)
	}
	e.put(remotesMax, float64(s.MaxRemotes))
	for _, r := range named {
		name, origin := r.Name(), "spoke_first"
		if r.Configured {
			origin = "configured"
		}
		e.remote(name, r.Traffic)
		e.put(remoteInfo, 1, name, origin, r.NextHop, r.MAC)
		e.put(remoteState, 1, name, r.State)
		if r.MTU > 0 {
			e.put(remoteMTU, float64(r.MTU), name)
		}
	}
	e.remote(other, others)
}

func (e emitter) remote(name string, t control.Traffic) {
	e.count(remotePackets, t.RxPackets, name, "rx")
	e.count(remotePackets, t.TxPackets, name, "tx")
	e.count(remoteBytes, t.RxBytes, name, "rx")
	e.count(remoteBytes, t.TxBytes, name, "tx")
}
