package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// FDBEvent is an entry that came or changed, or one that went, in the words and keys
// of `bridge monitor fdb`.
type FDBEvent struct {
	Deleted bool `json:"deleted,omitempty"`
	FDBEntry
}

// String prints the event as bridge(8) does.
func (e FDBEvent) String() string {
	if e.Deleted {
		return "Deleted " + e.FDBEntry.String()
	}
	return e.FDBEntry.String()
}

// monitorFDB answers GET /v1/fdb/monitor: one FDBEvent a line, as they come.
func monitorFDB(w http.ResponseWriter, r *http.Request, g Gateway) {
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	begun := false
	err := g.WatchFDB(r.Context(), func() {
		begun = true
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
		flush.Flush() // fails only when the client has gone, which the first event finds out
	}, func(events []FDBEvent) error {
		for _, e := range events {
			if err := out.Encode(e); err != nil {
				return err
			}
		}
		return flush.Flush()
	})
	if !begun && err != nil {
		refuse(w, statusOf(err), err)
	}
}

// FDBWatch delivers the changes of the MAC tables.
type FDBWatch struct {
	body interface{ Close() error }
	json *json.Decoder
}

// WatchFDB returns the changes from now on; the caller closes what it returns.
func (c *Client) WatchFDB(ctx context.Context) (*FDBWatch, error) {
	resp, err := c.do(ctx, http.MethodGet, "fdb/monitor", nil)
	if err != nil {
		return nil, err
	}
	return &FDBWatch{resp.Body, json.NewDecoder(resp.Body)}, nil
}

// ErrEnded says that the gateway has stopped telling.
var ErrEnded = errors.New("the gateway has stopped")

// Next waits for the next change. The error wraps ErrEnded when there will be none.
func (w *FDBWatch) Next() (e FDBEvent, err error) {
	if err = w.json.Decode(&e); err != nil {
		err = fmt.Errorf("%w (%w)", ErrEnded, err)
	}
	return e, err
}

// Close ends it.
func (w *FDBWatch) Close() error { return w.body.Close() }
