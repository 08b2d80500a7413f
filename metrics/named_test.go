package metrics

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"vxgw/control"
)

// A web site whose name leads to a loopback address learns nothing.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	server, err := Listen("127.0.0.1:0", fixed(control.Status{}), func(mux *http.ServeMux) {
		mux.HandleFunc("GET /other", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "gw_ more") })
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	self, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, own := range map[string]bool{
		"127.0.0.1:9478": true, "127.0.0.1": true, "localhost:9478": true, "LocalHost.": true, "[::1]:9478": true, "192.0.2.1": true, self + ":80": true,
		"evil.example": false, "evil.example:9478": false, "127.0.0.1.evil.example": false, "localhost.evil.example:80": false,
	} {
		for _, path := range []string{"/metrics", "/other"} {
			r, err := http.NewRequest(http.MethodGet, "http://"+server.Addr()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.StatusCode == http.StatusOK; got != own || strings.Contains(string(text), "gw_") != own {
				t.Errorf("%s of %s: %s: %.200s", path, host, resp.Status, text)
			}
		}
	}
}
