package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"

	"golang.org/x/sys/unix"
)

// Client asks the gateway that listens on a unix socket. Any goroutine.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the socket at path. Nothing is opened before the
// first request.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	return c
}

// ErrNotRunning says that no gateway answers on the socket.
var ErrNotRunning = errors.New("no gw answers")

// Status returns the gateway's state. The error wraps ErrNotRunning when there is
// no gateway.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.get(ctx, "status", &s)
}

// Config returns the configuration in force.
func (c *Client) Config(ctx context.Context) (Configuration, error) {
	var v Configuration
	return v, c.get(ctx, "config", &v)
}

// FDB returns the MAC tables.
func (c *Client) FDB(ctx context.Context) ([]FDBEntry, error) {
	var f []FDBEntry
	return f, c.get(ctx, "fdb", &f)
}

// GetFDB returns the entry that change names, or the destinations of a flood list.
// The error is a *Refused when there is none.
func (c *Client) GetFDB(ctx context.Context, change FDBChange) ([]FDBEntry, error) {
	var f []FDBEntry
	return f, c.post(ctx, "fdb/get", change, &f)
}

// ChangeFDB carries out the verb add, append, replace or del. The error is a
// *Refused when the gateway does not do it.
func (c *Client) ChangeFDB(ctx context.Context, verb string, change FDBChange) error {
	var none []FDBEntry
	return c.post(ctx, "fdb/"+verb, change, &none)
}

// FlushFDB takes the entries away that f chooses and returns their number.
func (c *Client) FlushFDB(ctx context.Context, f FDBFilter) (removed int, err error) {
	var flushed Flushed
	err = c.post(ctx, "fdb/flush", f, &flushed)
	return flushed.Removed, err
}

// VNIs returns the VNIs in force, as elements of the list vnis of a file.
func (c *Client) VNIs(ctx context.Context) ([]json.RawMessage, error) {
	var v []json.RawMessage
	return v, c.get(ctx, "vni", &v)
}

// Change carries out a verb of VNIs, remotes or ports, such as vni/add, with its body.
// The error is a *Refused when the gateway does not do it.
func (c *Client) Change(ctx context.Context, verb string, body any) error {
	return c.post(ctx, verb, body, &Done{})
}

func (c *Client) get(ctx context.Context, what string, into any) error {
	return c.ask(ctx, http.MethodGet, what, nil, into)
}

func (c *Client) post(ctx context.Context, what string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.ask(ctx, http.MethodPost, what, text, into)
}

func (c *Client) ask(ctx context.Context, method, what string, body []byte, into any) error {
	resp, err := c.do(ctx, method, what, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.path, err)
	}
	return nil
}

// do returns an answer that is 200; the caller closes its body.
func (c *Client) do(ctx context.Context, method, what string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://gw/v1/"+what, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return nil, fmt.Errorf("ask %s: %w (is it running? see --control)", c.path, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("ask %s: permission denied (run as root, or as a member of the group that the socket is of)", c.path)
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", c.path, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refused(resp)
	}
	return resp, nil
}
