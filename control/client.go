package control

import (
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

// FDB returns the MAC tables.
func (c *Client) FDB(ctx context.Context) ([]FDBEntry, error) {
	var f []FDBEntry
	return f, c.get(ctx, "fdb", &f)
}

func (c *Client) get(ctx context.Context, what string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gw/v1/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("ask %s: %w (is it running? see --control)", c.path, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("ask %s: permission denied (run as root)", c.path)
	case err != nil:
		return fmt.Errorf("ask %s: %w", c.path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s for %s: %s", c.path, what, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.path, err)
	}
	return nil
}
