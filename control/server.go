package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Gateway is what the server shows and changes: a running gateway. Its methods may be called
// from any goroutine.
type Gateway interface {
	Status() Status
	FDB() []FDBEntry
	GetFDB(FDBChange) ([]FDBEntry, error)
	ChangeFDB(verb string, c FDBChange) error
	FlushFDB(FDBFilter) (removed int, err error)
	VNIs() []json.RawMessage
	AddVNI(json.RawMessage) error
	SetVNI(json.RawMessage) error
	DeleteVNI(vni uint32) error
	AddRemote(RemoteChange) error
	DeleteRemote(RemoteChange) error
	AddAllowed(AllowChange) error
	DeleteAllowed(AllowChange) error
	AllowAnyone(VNIName) error
	AddPort(PortChange) error
	DeletePort(PortChange) error
	FDBHistory(mac string, vni uint32) ([]FDBHistory, error)
	Neighbours(NeighFilter) ([]Neighbour, error)
	ChangeNeighbour(verb string, c NeighChange) error
	FlushNeighbours(NeighFilter) (removed int, err error)
	Explain(ExplainRequest) (Explanation, error)
	SetLog(LogChange) error
	WatchFDB(ctx context.Context, started func(), send func([]FDBEvent) error) error
}

// Server answers on a unix socket until Close.
type Server struct {
	http     http.Server
	listener net.Listener
}

// Listen takes the socket at path, mode 0660. A socket that a killed gateway left
// there is replaced; one that answers is an error. With an existing folder it makes
// nothing but the socket.
func Listen(path string) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the control socket: %w", err)
	}
	if err := RemoveStale(path); err != nil {
		return nil, err
	}
	old := unix.Umask(0o117)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket %s: %w (choose another with --control)", path, err)
	}
	return &Server{listener: l}, nil
}

// RemoveStale removes the socket that a killed gateway left at path. That there is
// none is no error; that one answers is, and anything else than a socket.
func RemoveStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the control socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("control socket %s: there is something else than a socket (choose another path with --control)", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("control socket %s: another gw answers there (choose another path with --control)", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("control socket %s: does another gw have it? %w (choose another path with --control)", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the control socket of a killed gw: %w", err)
	}
	return nil
}

// Serve answers for g in the background until Close.
func (s *Server) Serve(g Gateway) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, g.Status()) })
	mux.HandleFunc("GET /v1/fdb", func(w http.ResponseWriter, _ *http.Request) { answer(w, g.FDB()) })
	mux.HandleFunc("GET /v1/fdb/monitor", func(w http.ResponseWriter, r *http.Request) { monitorFDB(w, r, g) })
	mux.HandleFunc("GET /v1/fdb/history", func(w http.ResponseWriter, r *http.Request) { historyFDB(w, r, g) })
	mux.HandleFunc("POST /v1/fdb/{verb}", func(w http.ResponseWriter, r *http.Request) { changeFDB(w, r, g) })
	mux.HandleFunc("POST /v1/fdb/flush", func(w http.ResponseWriter, r *http.Request) { flushFDB(w, r, g) })
	neighbours(mux, g)
	explain(mux, g)
	verb(mux, "log", g.SetLog)
	changes(mux, g)
	s.http.Handler = mux
	s.http.ReadHeaderTimeout = 10 * time.Second
	go s.http.Serve(s.listener) // returns when Close closes the listener
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // fails only when the client has gone
}

// Close ends all answers and removes the socket. Serve was called.
func (s *Server) Close() error {
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
