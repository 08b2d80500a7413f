package control

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idle is a gateway that is asked for its version only.
type idle struct{ Gateway }

func (idle) Version() string { return "test" }

// serve runs a server on a socket of its own.
func serve(t *testing.T, group uint32) (path string) {
	t.Helper()
	return servePatiently(t, group, requestPatience)
}

func servePatiently(t *testing.T, group uint32, patience time.Duration) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "gw.sock")
	s, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	s.group, s.patience = group, patience
	s.Serve(idle{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return path
}

func post1(t *testing.T, path, what string, body io.Reader) (int, string) {
	t.Helper()
	resp, err := NewClient(path).http.Post("http://gw"+what, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	path := serve(t, uint32(os.Getegid()))
	for _, r := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v2/status", "", http.StatusNotFound, `there is no API \"/v2\": gw test has /v1`},
		{"/", "", http.StatusNotFound, "gw test has /v1"},
		{"/v1/nothing", "", http.StatusNotFound, "docs/api.md"},
		{"/v1/status", "", http.StatusMethodNotAllowed, "takes GET, not POST"},
		{"/v1//fdb/add", "{}", http.StatusNotFound, "is it /v1/fdb/add?"},
		{"/v1/fdb/add/", "{}", http.StatusNotFound, "is it /v1/fdb/add?"},
		{"/v1/fdb/add", "", http.StatusBadRequest, "it is empty (give a JSON object)"},
		{"/v1/fdb/add", "{} {}", http.StatusBadRequest, "more than one JSON object"},
		{"/v1/fdb/add", "[]", http.StatusBadRequest, "the body: a JSON array is no object"},
		{"/v1/fdb/add", `{"vni": "x"}`, http.StatusBadRequest, "the body: vni cannot be a JSON string"},
		{"/v1/fdb/add", `{"macs": 1}`, http.StatusBadRequest, "macs"},
		{"/v1/fdb/add", `{"mac": "02:00:00:00:00:01"}`, http.StatusBadRequest, "dev is missing"},
		{"/v1/fdb/add", strings.Repeat(" ", mostBody+1), http.StatusRequestEntityTooLarge, "longer than 1048576 bytes"},
	} {
		if status, text := post1(t, path, r.path, strings.NewReader(r.body)); status != r.status || !strings.Contains(text, r.want) {
			t.Errorf("%s: %d %s, want %d and %s", r.path, status, text, r.status, r.want)
		}
	}
}

// Clients beyond the bound wait for those before them, and are served then.
func TestMostConnections(t *testing.T) {
	t.Parallel()
	path := serve(t, uint32(os.Getegid()))
	var held []net.Conn
	for range mostConnections {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	ask := func(c net.Conn) error {
		_, err := fmt.Fprint(c, "GET /v1/version HTTP/1.1\r\nHost: gw\r\n\r\n")
		return err
	}
	for _, c := range held { // all are served: none waits for another
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	late, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := ask(late); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := late.Read(make([]byte, 1))
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("one more is answered: %v", err)
	case <-time.After(50 * time.Millisecond): // it waits
	}
	held[0].Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// Whoever does not send the body that it has announced loses its connection, whether anybody reads the body or not.
func TestStalledBodies(t *testing.T) {
	t.Parallel()
	members, strangers := uint32(os.Getegid()), uint32(os.Getegid())+1
	for name, r := range map[string]struct {
		group uint32
		what  string
	}{
		"read":    {members, "/v1/vni/add"},
		"unknown": {members, "/v2/vni/add"},
		"stream":  {strangers, "/v1/capture"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := servePatiently(t, r.group, 200*time.Millisecond)
			try := func(deadline time.Time) (string, error) {
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.SetReadDeadline(deadline); err != nil {
					t.Fatal(err)
				}
				if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: gw\r\nContent-Length: 100\r\n\r\n{", r.what); err != nil {
					return "", err
				}
				text, err := io.ReadAll(c)
				return string(text), err
			}
			for deadline := time.Now().Add(20 * time.Second); ; {
				text, err := try(deadline)
				if err == nil && strings.Contains(text, `"error"`) {
					return
				}
				if text != "" || time.Now().After(deadline) { // nothing is said where the header took too long, too
					t.Fatalf("%q, %v", text, err)
				}
			}
		})
	}
}

func TestGroupID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"": NoGroup, "root": 0, "4711": 4711} {
		if got, err := GroupID(name); err != nil || got != want {
			t.Errorf("%q: %d, %v", name, got, err)
		}
	}
	if _, err := GroupID("no-such-group"); err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("%v", err)
	}
}

// What the kernel says of a client decides, not what the client says.
func TestPeer(t *testing.T) {
	t.Parallel()
	own := peer{uid: uint32(os.Geteuid())}
	for _, r := range []struct {
		who peer
		may bool
	}{
		{peer{uid: 0}, true},
		{own, true},
		{peer{uid: 65534, groups: []uint32{65534}}, false},
		{peer{uid: 65534, groups: []uint32{65534, 4711}}, true},
		{peer{err: os.ErrInvalid}, false},
	} {
		if why := r.who.refusal(4711); (why == "") != r.may {
			t.Errorf("%+v: %q", r.who, why)
		}
	}
}
