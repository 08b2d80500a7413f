package main

func fdb() row {
	const ofVNI = `instance=~"$instance", vni=~"$vni"`
	byVNI := func(metric string) string {
		return `sum by (vni) (rate(` + metric + `{` + ofVNI + `}[$__rate_interval]))`
	}
	return row{"FDB and neighbours", []panel{
		curves("Entries by VNI", "Entries of each VNI.", count, q(`sum by (vni) (gw_vni_fdb_entries{`+ofVNI+`})`, "{{vni}}")),
		curves("Of maxaddress", "Entries as a share of the VNI's maxaddress, where it has one. At 100 % no address is learned, and frames to others are flooded.", share,
			q(`(gw_vni_fdb_entries{`+ofVNI+`} / (gw_vni_fdb_max_entries > 0)) or label_replace(vector(0), "vni", "none has a limit", "", "")`, "{{instance}} {{vni}}")).upTo(1),
		curves("Of the table", "Entries of all VNIs as a share of what the table can have.", share,
			q(`gw_fdb_entries{instance=~"$instance"} / gw_fdb_max_entries`, "{{instance}}")).upTo(1),
		curves("Moves by VNI", "Learned addresses that moved to another port or remote. Many of them for long: a loop, or two stations with one address (gw fdb history MAC).", perSecond,
			q(byVNI("gw_vni_fdb_moves_total"), "{{vni}}")),
		curves("Not learned", "Frames whose source was not learned: the VNI's limit was reached (limit), the table was full (full), or a static entry pins it elsewhere (static).", packets,
			q(`sum by (reason) (rate(gw_fdb_refused_total{instance=~"$instance"}[$__rate_interval]))`, "{{reason}}")),
		curves("Aged out", "Learned addresses that nobody has sent from for the ageing time, by VNI.", perSecond, q(byVNI("gw_vni_fdb_aged_total"), "{{vni}}")),
		curves("Frozen", "Addresses that moved too often and stay where they are, by VNI (gw fdb show lists them as frozen).", count,
			q(`sum by (vni) (gw_vni_fdb_frozen_entries{`+ofVNI+`})`, "{{vni}}")),
		curves("Neighbours by VNI", "Neighbours that VNIs with neigh_suppress know.", count,
			q(`sum by (vni) (gw_vni_neighbours{`+ofVNI+`}) or vector(0)`, "{{vni}}")),
		curves("Questions kept from tunnels", "Questions for neighbours that were answered at home, and questions and announcements that were kept from tunnels.", packets,
			q(`sum by (action) (rate(gw_vni_neighbour_frames_total{`+ofVNI+`}[$__rate_interval])) or vector(0)`, "{{action}}")),
		curves("Neighbours learned", "What was seen of neighbours: entered, moved to another MAC address, aged out.", perSecond,
			q(`sum by (outcome) (rate(gw_vni_neighbours_learned_total{`+ofVNI+`}[$__rate_interval])) or vector(0)`, "{{outcome}}")).wide(12),
		curves("Neighbours not believed", "Announcements that were not believed, by reason: pinned elsewhere, limit, no room, forged.", packets,
			q(`sum by (reason) (rate(gw_vni_neighbours_refused_total{`+ofVNI+`}[$__rate_interval])) or vector(0)`, "{{reason}}")).wide(12),
	}}
}
