package metrics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// Server answers scrapes until Close.
type Server struct {
	http http.Server
	addr string
}

// Listen serves /metrics on a TCP address in the background, and what others adds.
func Listen(addr string, s Source, others func(*http.ServeMux)) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen for metrics on %s: the address is in use, perhaps by another gw (choose another with --metrics ADDRESS:PORT, or --metrics '' for none)", addr)
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil, fmt.Errorf("listen for metrics on %s: this host has no such address (ip link set lo up, where it is a loopback address; or choose another with --metrics ADDRESS:PORT, or --metrics '' for none)", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w (choose another with --metrics ADDRESS:PORT, or --metrics '' for none)", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", scrapes(NewRegistry(s)))
	others(mux)
	server := &Server{addr: l.Addr().String(), http: http.Server{Handler: named(mux), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute}}
	go server.http.Serve(l) // returns when Close closes the listener
	return server, nil
}

// Close ends all answers.
func (s *Server) Close() error { return s.http.Close() }

// Addr is the address that it listens on.
func (s *Server) Addr() string { return s.addr }
