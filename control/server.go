package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Gateway is what the server shows and changes: a running gateway. Its methods may be called
// from any goroutine.
type Gateway interface {
	Version() string
	Status() Status
	Config() (Configuration, error)
	ReloadFile(ReloadRequest) (Reloaded, error)
	FDB() []FDBEntry
	GetFDB(FDBChange) ([]FDBEntry, error)
	ChangeFDB(verb string, c FDBChange) error
	FlushFDB(FDBFilter) (removed int, err error)
	VNIs() []json.RawMessage
	AddVNI(json.RawMessage) error
	SetVNI(json.RawMessage) error
	DeleteVNIs(VNIRange) error
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
	// Capture and StopCapture: see gateway/capture.go.
	Capture(ctx context.Context, s CaptureSpec, begin func(id uint64) FlushWriter) (CaptureCounts, error)
	StopCapture(id uint64) error
	HandOver(HandOver) (begin func(), err error)
	WatchFDB(ctx context.Context, started func(), send func([]FDBEvent) error) error
}

// Server answers on a unix socket until Close.
type Server struct {
	http     http.Server
	listener net.Listener
	group    uint32        // whose members may ask
	patience time.Duration // requestPatience
	ending   ending
}

// What one who may ask can make the gateway spend.
const (
	mostConnections = 64      // at a time; more wait in the kernel's queue
	mostHeader      = 1 << 14 // bytes
	mostBody        = 1 << 20 // bytes

	requestPatience = 10 * time.Second // until all of a request is there, and until the next
	answerPatience  = 30 * time.Second // until an answer is taken
)

func newServer(l net.Listener, group uint32) *Server {
	return &Server{listener: newBounded(l, mostConnections), group: group, patience: requestPatience, ending: ending{begun: make(chan struct{})}}
}

// Serve answers for g in the background until Close.
func (s *Server) Serve(g Gateway) {
	s.http.Handler = s.handler(g)
	s.http.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(context.WithValue(ctx, peerKey{}, peerOf(c)), endingKey{}, &s.ending)
	}
	s.http.ReadHeaderTimeout, s.http.IdleTimeout = s.patience, s.patience
	s.http.MaxHeaderBytes = mostHeader
	go s.http.Serve(s.listener) // returns when Close closes the listener
}

// handler finds who asks, then what is asked for, and reads the body, before a route has a look at it.
func (s *Server) handler(g Gateway) http.Handler {
	mux := http.NewServeMux()
	for _, route := range Routes() {
		mux.HandleFunc(route.Pattern(), func(w http.ResponseWriter, r *http.Request) { route.handle(w, r, g) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.SetWriteDeadline(time.Time{}) // of an answer before
		// Also of a body that nobody reads: the server reads on to the next request behind it.
		_ = c.SetReadDeadline(time.Now().Add(s.patience)) // fails only when the client has gone
		p, ok := r.Context().Value(peerKey{}).(peer)
		if why := p.refusal(s.group); !ok || why != "" {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusForbidden, errors.New(why))
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
			unknown(w, r, g, mux)
			return
		}
		if !readBody(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// unknown says why there is no route for a request.
func unknown(w http.ResponseWriter, r *http.Request, g Gateway, mux *http.ServeMux) {
	var others []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "" {
			others = append(others, method)
		}
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case path.Clean(r.URL.Path) != r.URL.Path: // which the mux would redirect from, in HTML
		refuse(w, http.StatusNotFound, fmt.Errorf("%s is no path of the API of gw %s: is it %s?", r.URL.Path, g.Version(), path.Clean(r.URL.Path)))
	case len(others) > 0:
		w.Header().Set("Allow", strings.Join(others, ", "))
		refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s, not %s", r.URL.Path, strings.Join(others, " or "), r.Method))
	case version != API:
		refuse(w, http.StatusNotFound, fmt.Errorf("there is no API %q: gw %s has /%s (GET /%s/version)", "/"+version, g.Version(), API, API))
	default:
		refuse(w, http.StatusNotFound, fmt.Errorf("%s is no path of the API of gw %s (docs/api.md lists them)", r.URL.Path, g.Version()))
	}
}

// readBody reads the whole body while there is patience for it, and has r deliver it from memory. It reports false when it has answered.
func readBody(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		w.Header().Set("Connection", "close") // what is left of the body is no request
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is longer than %d bytes", tooLong.Limit))
		} else {
			refuse(w, http.StatusBadRequest, fmt.Errorf("read the body: %w", err))
		}
		return false // and the deadline stays, for what the server still reads
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // an answer may take longer
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// write answers in JSON, as long as the client takes it.
func write(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // not reached: all types have a form in JSON
		status, text = http.StatusInternalServerError, []byte(`{"error": "the answer has no form in JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerPatience))
	w.WriteHeader(status)
	_, _ = w.Write(slices.Concat(text, []byte("\n"))) // fails only when the client has gone
}

func answer(w http.ResponseWriter, v any) { write(w, http.StatusOK, v) }

// refusal is the body of an answer that is not 200.
type refusal struct {
	Error string `json:"error"` // a sentence
}

func refuse(w http.ResponseWriter, status int, err error) { write(w, status, refusal{err.Error()}) }

// Close ends all answers, captures with what they have yet, and removes the socket. Serve may have been called.
func (s *Server) Close() error {
	s.ending.end()
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
