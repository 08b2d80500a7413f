package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// HandOver has a gateway end, and leave to the one that follows it interfaces, programs and tables as they are: POST
// /v1/handover.
type HandOver struct {
	// Store is the path of a datagram socket that keeps descriptors, as FDSTORE=1 of sd_notify(3) has it. Empty stands for
	// the service manager's.
	Store string `json:"store,omitempty"`
}

// HandOver asks for that. The answer comes when the gateway begins to end; its lock is free when it has. The error is a
// *Refused when it goes on.
func (c *Client) HandOver(ctx context.Context, h HandOver) error {
	return c.post(ctx, "handover", h, &Done{})
}

// handOverRoutes are those of gw handover.
func handOverRoutes() []Route {
	return []Route{{Method: http.MethodPost, Path: "/handover", Body: HandOver{}, Answer: Done{}, Sample: "{}", handle: handOver,
		Doc: "Has the gateway end, and leave interfaces, programs and tables to the one that follows. The answer comes when it begins to end. It is refused where nobody would keep them."}}
}

// handOver answers before the gateway begins, since the end of that cuts every answer short.
func handOver(w http.ResponseWriter, r *http.Request, g Gateway) {
	var h HandOver
	if err := read(r, &h); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("%s: the body: %w", r.URL.Path, err))
		return
	}
	begin, err := g.HandOver(h)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	const done = "{}\n" // Done
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(done)))
	io.WriteString(w, done) // fails only when the client has gone
	http.NewResponseController(w).Flush()
	begin()
}
