package metrics

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// named refuses what was asked for by a stranger's name at a loopback address. A web site can give its own name that address,
// and would read the answers through the browser of somebody on this host (DNS rebinding). Whoever asks for an
// address, localhost or the host's name is no such site.
func named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if at != nil && at.IP.IsLoopback() && !ownName(r.Host) {
			http.Error(w, fmt.Sprintf("gw does not answer to the name %q at %v (ask for %v, or localhost)", r.Host, at, at), http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ownName says whether a Host header, which old clients leave out, names this host.
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "" || host == "localhost" {
		return true
	}
	self, err := os.Hostname()
	return err == nil && host == strings.ToLower(self)
}
