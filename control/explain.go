package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// ExplainRequest is a frame, and by which way it comes in: by a port; as a packet on the underlay's wire; or as an inner frame that a VTEP
// sends.
type ExplainRequest struct {
	Port     string     `json:"port,omitempty"`     // a port's name, or a device's
	Underlay bool       `json:"underlay,omitempty"` // the frame begins with the outer Ethernet header
	Remote   netip.Addr `json:"remote,omitzero"`    // the frame is an inner one that this VTEP sends
	VNI      uint32     `json:"vni,omitempty"`      // in which VNI that is; 0: the only one there is
	Frame    string     `json:"frame"`              // hexadecimal, from the destination MAC address on
}

// Check refuses what no gateway could explain.
func (r *ExplainRequest) Check() error {
	r.Remote = r.Remote.Unmap()
	ways := 0
	for _, is := range []bool{r.Port != "", r.Underlay, r.Remote.IsValid()} {
		if is {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("by which way does the frame come in? (give --port PORT, --remote VTEP, or --underlay)")
	case ways > 1:
		return errors.New("a frame comes in by one way (give --port PORT, --remote VTEP or --underlay)")
	case r.VNI != 0 && !r.Remote.IsValid():
		return errors.New("--vni goes with --remote (a port's VNI is known, and an outer packet has its own)")
	case r.VNI > 1<<24-1:
		return fmt.Errorf("vni %d is out of range (give 1-16777215)", r.VNI)
	}
	_, err := ParseHex(r.Frame)
	return err
}

// Explanation is what would become of a frame, and why. Nothing was sent, learned or counted.
type Explanation struct {
	Frame    string        `json:"frame"` // in words
	Bytes    int           `json:"bytes"`
	VNI      uint32        `json:"vni,omitempty"`
	Steps    []ExplainStep `json:"steps"`                 // what was decided, in order
	Copies   []ExplainCopy `json:"copies"`                // where it goes: one, or those of flooding; those that were dropped too
	More     int           `json:"more_copies,omitempty"` // of flooding, that are not listed
	Answer   *ExplainSent  `json:"answer,omitempty"`      // what goes back to its sender
	Verdict  string        `json:"verdict"`
	Dropped  bool          `json:"dropped"`
	Sentence string        `json:"sentence"`
	Cure     string        `json:"cure,omitempty"`
}

// ExplainStep is one decision.
type ExplainStep struct {
	About string `json:"about"` // one word
	Text  string `json:"text"`
}

// ExplainCopy is the frame, or a copy of it, on its way to one destination.
type ExplainCopy struct {
	To       string       `json:"to"`                // a port, or a VTEP
	Remote   bool         `json:"remote"`            // it is a VTEP, or a group
	State    string       `json:"state,omitempty"`   // of the way to it, as in the status
	NextHop  string       `json:"nexthop,omitempty"` // likewise, as what follows
	MAC      string       `json:"mac,omitempty"`
	MTU      int          `json:"mtu,omitempty"`
	Way      string       `json:"way"` // all of that in words
	Verdict  string       `json:"verdict"`
	Dropped  bool         `json:"dropped"`
	Sentence string       `json:"sentence"`
	Cure     string       `json:"cure,omitempty"`
	Sent     *ExplainSent `json:"sent,omitempty"`
}

// ExplainSent is bytes that would leave.
type ExplainSent struct {
	Dev string `json:"dev"`
	// Kernel says that the kernel sends it, and puts an Ethernet header in front.
	Kernel bool           `json:"by_kernel,omitempty"`
	Words  string         `json:"words,omitempty"`  // what it is, of an answer
	Bytes  string         `json:"bytes"`            // hexadecimal; of an outer packet the IPv4 ID is a counter's, and shown as it would be first
	Fields []ExplainField `json:"fields,omitempty"` // of outer headers
}

// ExplainField is one field of outer headers.
type ExplainField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// explainRoutes are those of gw explain.
func explainRoutes() []Route {
	return []Route{
		post("/explain", "Says what would become of a frame, and why. Nothing is sent, learned or counted.",
			`{"port": "veth2", "frame": "ffffffffffff 0257a71c0001 0806 0001 0800 06 04 0001 0257a71c0001 ac110102 000000000000 ac110103"}`,
			func(g Gateway, q ExplainRequest) (Explanation, error) {
				if err := q.Check(); err != nil {
					return Explanation{}, Invalid{fmt.Errorf("explain: %w", err)}
				}
				e, err := g.Explain(q)
				if err != nil {
					err = fmt.Errorf("explain: %w", err)
				}
				return e, err
			}),
	}
}

// Explain asks what would become of a frame. The error is a *Refused when there is no such way in, or the frame is longer than any.
func (c *Client) Explain(ctx context.Context, r ExplainRequest) (Explanation, error) {
	var e Explanation
	return e, c.post(ctx, "explain", r, &e)
}
