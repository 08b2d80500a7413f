package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// FDBHistory is how an address of a VNI moved.
type FDBHistory struct {
	MAC    string    `json:"mac"`
	VNI    uint32    `json:"vni"`
	Moves  uint64    `json:"moves"`            // since it is remembered
	Frozen bool      `json:"frozen,omitempty"` // it stays where it is
	Last   []FDBMove `json:"last"`             // oldest first
}

// FDBMove is one move. Its time is exact to a second.
type FDBMove struct {
	Time   time.Time `json:"time"`
	From   FDBPlace  `json:"from"`
	To     FDBPlace  `json:"to"`
	Frozen bool      `json:"frozen,omitempty"` // this was one too many
}

// FDBPlace is where an address lives: behind a port, or behind a VTEP of a VNI.
type FDBPlace struct {
	Ifname string `json:"ifname"`
	Dst    string `json:"dst,omitempty"`
	VLAN   uint16 `json:"vlan,omitempty"`
}

// String prints it in the words of bridge(8).
func (p FDBPlace) String() string {
	switch {
	case p.VLAN != 0:
		return fmt.Sprintf("dev %s vlan %d", p.Ifname, p.VLAN)
	case p.Dst == "":
		return "dev " + p.Ifname
	}
	return "dev " + p.Ifname + " dst " + p.Dst
}

// historyFDB answers GET /v1/fdb/history?mac=MAC, with vni=VNI for one VNI only.
func historyFDB(w http.ResponseWriter, r *http.Request, g Gateway) {
	q := r.URL.Query()
	vni, err := strconv.ParseUint(q.Get("vni"), 10, 32)
	if q.Has("vni") && err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	respond(w)(g.FDBHistory(q.Get("mac"), uint32(vni)))
}

// FDBHistory returns how an address moved, in each VNI or, unless vni is 0, in one. The
// error is a *Refused when no move of it is remembered.
func (c *Client) FDBHistory(ctx context.Context, mac string, vni uint32) ([]FDBHistory, error) {
	q := url.Values{"mac": {mac}}
	if vni != 0 {
		q.Set("vni", strconv.FormatUint(uint64(vni), 10))
	}
	var h []FDBHistory
	return h, c.get(ctx, "fdb/history?"+q.Encode(), &h)
}
