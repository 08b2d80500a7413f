package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
)

// CaptureSpec says which frames to capture: those that all of it chooses.
type CaptureSpec struct {
	VNI     *uint32
	Port    string     // name of an interface, the underlay among them; empty: any
	Remote  netip.Addr // VTEP or group that they come from or go to; the zero Addr: any
	Dir     string     // rx, tx or drop; empty: all
	Snaplen uint32     // bytes that are kept of a frame; 0: all
	Count   uint64     // after so many it ends; 0: never
	Filter  string     // in tcpdump's language
}

// query is the spec as the request has it.
func (s *CaptureSpec) query() string {
	q := url.Values{}
	set := func(key, value string, there bool) {
		if there {
			q.Set(key, value)
		}
	}
	if s.VNI != nil {
		set("vni", strconv.FormatUint(uint64(*s.VNI), 10), true)
	}
	set("port", s.Port, s.Port != "")
	set("remote", s.Remote.String(), s.Remote.IsValid())
	set("dir", s.Dir, s.Dir != "")
	set("snaplen", strconv.FormatUint(uint64(s.Snaplen), 10), s.Snaplen != 0)
	set("count", strconv.FormatUint(s.Count, 10), s.Count != 0)
	set("filter", s.Filter, s.Filter != "")
	return q.Encode()
}

// captureSpec reads what query writes, in which an unknown key is an error.
func captureSpec(q url.Values) (s CaptureSpec, err error) {
	number := func(key, text string, most uint64) (n uint64) {
		n, e := strconv.ParseUint(text, 10, 64)
		if e != nil || n > most {
			err = errors.Join(err, fmt.Errorf("capture: %s %q is no number from 0 to %d", key, text, most))
		}
		return n
	}
	for key, values := range q {
		switch v := values[len(values)-1]; key {
		case "vni":
			n := uint32(number(key, v, 1<<24-1))
			s.VNI = &n
		case "port":
			s.Port = v
		case "remote":
			a, e := netip.ParseAddr(v)
			if e != nil {
				err = errors.Join(err, fmt.Errorf("capture: remote %q is no IP address", v))
			}
			s.Remote = a
		case "dir":
			s.Dir = v
		case "snaplen":
			s.Snaplen = uint32(number(key, v, 1<<18))
		case "count":
			s.Count = number(key, v, 1<<63)
		case "filter":
			s.Filter = v
		default:
			err = errors.Join(err, fmt.Errorf("capture: %q is not known (vni, port, remote, dir, snaplen, count and filter are)", key))
		}
	}
	return s, errors.Join(err, s.Check())
}

// Check reports what is wrong with a spec by itself, but for the filter.
func (s *CaptureSpec) Check() error {
	switch s.Dir {
	case "", "rx", "tx", "drop":
		return nil
	}
	return fmt.Errorf("capture: dir %q is none of rx, tx and drop", s.Dir)
}

// CaptureCounts is how a capture ended.
type CaptureCounts struct {
	Captured uint64 // packets
	Lost     uint64 // that were chosen, but found no room
}

// Headers of the answer: the first in front, for /v1/capture/stop, the others behind.
const (
	captureID       = "Gw-Capture"
	captureCaptured = "Gw-Captured"
	captureLost     = "Gw-Lost"
)

// captureRoutes are those of gw capture.
func captureRoutes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/capture", Stream: "application/x-pcapng", handle: capture, Sample: "?vni=42&filter=arp",
			Doc: "Captures frames until their count is reached, the client goes, or somebody posts its number, which the header `" + captureID +
				"` has, to `/capture/stop`. The trailers `" + captureCaptured + "` and `" + captureLost + "` count packets. Four may run at a time.",
			Query: []Parameter{
				{"vni", "frames of one VNI"}, {"port", "of one interface, the underlay among them"}, {"remote", "from or to one VTEP or group"},
				{"dir", "`rx`, `tx` or `drop`"}, {"snaplen", "bytes that are kept of each; default all"}, {"count", "after so many it ends"},
				{"filter", "in tcpdump's language: [capture.md](capture.md)"},
			}},
		verb("/capture/stop", "Ends a capture, of which what is there still comes.", `{"id": 1}`, func(g Gateway, s StopCapture) error { return g.StopCapture(s.ID) }),
	}
}

// StopCapture is the body of POST /v1/capture/stop.
type StopCapture struct {
	// ID is the number that the header Gw-Capture of its answer had.
	ID uint64 `json:"id"`
}

func capture(w http.ResponseWriter, r *http.Request, g Gateway) {
	spec, err := captureSpec(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	begun := false
	end := endingOf(r.Context())
	defer end.enter()()
	ended := make(chan struct{})
	defer close(ended)
	counts, err := g.Capture(r.Context(), spec, func(id uint64) FlushWriter {
		begun = true
		go func() { // what is captured by then still comes, with the file's end
			select {
			case <-end.begun:
				_ = g.StopCapture(id) // fails only when it has ended already
			case <-ended:
			}
		}()
		w.Header().Set("Content-Type", "application/x-pcapng")
		w.Header().Set(captureID, strconv.FormatUint(id, 10))
		w.Header().Set("Trailer", captureCaptured+", "+captureLost)
		w.WriteHeader(http.StatusOK)
		return flusher{w, http.NewResponseController(w)}
	})
	switch {
	case !begun:
		refuse(w, statusOf(err), err)
	case err != nil || end.has():
		panic(http.ErrAbortHandler) // the client is to see that it was cut
	default:
		w.Header().Set(captureCaptured, strconv.FormatUint(counts.Captured, 10))
		w.Header().Set(captureLost, strconv.FormatUint(counts.Lost, 10))
	}
}

// FlushWriter is where a capture goes: Flush has what was written reach the client.
type FlushWriter interface {
	io.Writer
	Flush() error
}

type flusher struct {
	io.Writer
	*http.ResponseController
}

// Capture is a capture that runs.
type Capture struct {
	ID   uint64
	resp *http.Response
	c    *Client
}

// Capture starts one. The caller closes it. The error is a *Refused when the gateway does not do it.
func (c *Client) Capture(ctx context.Context, s CaptureSpec) (*Capture, error) {
	resp, err := c.do(ctx, http.MethodGet, "capture?"+s.query(), nil)
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(resp.Header.Get(captureID), 10, 64)
	if err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("read the answer of %s: no number of the capture", c.path)
	}
	return &Capture{ID: id, resp: resp, c: c}, nil
}

// Read reads the pcapng stream. Its end is io.EOF where the capture has ended as asked; the error wraps ErrEnded otherwise. A
// gateway that stops writes the file's end before.
func (c *Capture) Read(b []byte) (int, error) {
	n, err := c.resp.Body.Read(b)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w (%w)", ErrEnded, err)
	}
	return n, err
}

// Stop has the gateway end it: what is captured by then still comes.
func (c *Capture) Stop(ctx context.Context) error {
	return c.c.post(ctx, "capture/stop", StopCapture{c.ID}, &Done{})
}

// Counts are known once Read has come to the end.
func (c *Capture) Counts() (n CaptureCounts) {
	n.Captured, _ = strconv.ParseUint(c.resp.Trailer.Get(captureCaptured), 10, 64)
	n.Lost, _ = strconv.ParseUint(c.resp.Trailer.Get(captureLost), 10, 64)
	return n
}

// Close lets go of it; one that runs ends.
func (c *Capture) Close() error { return c.resp.Body.Close() }
