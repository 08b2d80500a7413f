package page

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"vxgw/control"
)

// fixed is a gateway whose status and tables are given.
type fixed struct {
	status control.Status
	find   func(control.FDBQuery) control.FDBFound
}

func (f *fixed) Status() control.Status { return f.status }

func (f *fixed) FindFDB(q control.FDBQuery) control.FDBFound { return f.find(q) }

func nothing(control.FDBQuery) control.FDBFound {
	return control.FDBFound{Entries: []control.FDBEntry{}}
}

func handler(s Source) http.Handler {
	mux := http.NewServeMux()
	Handle(mux, s)
	return mux
}

func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// What is there can be read and nothing else, and a browser is told to do nothing else with it.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	h := handler(&fixed{find: nothing})
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/plot.js": "text/javascript; charset=utf-8",
		"/icon.svg": "image/svg+xml", "/state": "application/json", "/fdb": "application/json", "/fdb?vni=x": "application/json",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, path)
			if want := map[bool]int{false: 200, true: 400}[strings.HasSuffix(path, "=x")]; w.Code != want {
				t.Errorf("%s %s: status %d", method, path, w.Code)
			}
			for name, want := range map[string]string{
				"Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": policy, "Access-Control-Allow-Origin": "",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
				}
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if w := ask(h, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: status %d, allowed %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/index.html", "/files/page.js", "/page", "/../page.go", "/state/"} {
		if w := ask(h, "GET", path); w.Code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
	for _, d := range []string{"'unsafe", "http", "*", "data:"} {
		if strings.Contains(policy, d) {
			t.Errorf("the policy has %s in it", d)
		}
	}
}

// Names of interfaces and sentences with them are text, whatever they look like.
func TestEscaped(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'&`
	s := control.Status{Version: evil, Ready: true, Problems: []string{evil}, Hint: evil, Remotes: []control.Remote{{Address: evil, State: evil, Reason: evil}},
		Workers: []control.Worker{{Verdicts: map[string]uint64{"ttl": 1}}}}
	s.Underlay.Name, s.Underlay.Trouble = evil, evil
	h := handler(&fixed{status: s, find: nothing})
	for _, path := range []string{"/", "/state", "/fdb?mac=%3Cscript%3E", "/fdb?%3Cscript%3E=1", "/fdb?dst=%3Cscript%3E&vni=%3Cscript%3E"} {
		if text := ask(h, "GET", path).Body.String(); strings.Contains(text, "<script>") {
			t.Errorf("%s: %s", path, text)
		}
	}
	if text := ask(h, "GET", "/").Body.String(); strings.Count(text, "&lt;script&gt;alert(1)") < 5 || !strings.Contains(text, "The outer TTL is zero.") {
		t.Errorf("the page lacks what it is about: %s", text)
	}
	var back state
	if err := json.Unmarshal(ask(h, "GET", "/state").Body.Bytes(), &back); err != nil || back.Remotes.Rows[0].Remote != evil {
		t.Errorf("the state is another one: %v, %+v", err, back.Remotes)
	}
}

// Nothing comes from elsewhere, and no script sets anything but text.
func TestOfItself(t *testing.T) {
	t.Parallel()
	outside := regexp.MustCompile(`(?i)https?://[^"'\s]*|\bsrc="//|@import|url\(`)
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:| on[a-z]+="| style="|<style|<script>`)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		for _, found := range outside.FindAllString(string(text), -1) {
			if found != "http://www.w3.org/2000/svg" {
				t.Errorf("%s: %s", path, found)
			}
		}
		if found := unsafe.FindString(string(text)); found != "" {
			t.Errorf("%s: %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A gateway of any size makes a page of bounded size, of those with the most traffic.
func TestBounded(t *testing.T) {
	t.Parallel()
	many := func(n int, busy map[int]uint64) control.Status {
		s := control.Status{PID: 1, Uptime: 10, Problems: make([]string, n)}
		for i := range n {
			t := control.Traffic{RxPackets: busy[i]}
			s.Remotes = append(s.Remotes, control.Remote{Address: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), Traffic: t})
			s.VNIs = append(s.VNIs, control.VNI{VNI: uint32(i + 1), Traffic: t})
			p := control.Port{VNI: uint32(i + 1)}
			p.Name, p.Queues = fmt.Sprintf("veth%d", i), []control.Queue{{RxPackets: busy[i], Kernel: control.Kernel{RxRingFull: 1}}}
			p.Drops = map[string]uint64{"ttl": uint64(1 + i)}
			p.FallbackCure = "cure"
			s.Ports = append(s.Ports, p)
		}
		s.Workers = []control.Worker{{Verdicts: map[string]uint64{"ttl": 1}}}
		return s
	}
	before := many(20_000, map[int]uint64{3: 1 << 40})
	now := many(20_000, map[int]uint64{3: 1 << 40, 19_000: 10, 700: 20, 701: 5})
	now.Uptime++
	s := makeState(&now, &before)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 150_000 {
		t.Errorf("the state has %d bytes", len(text))
	}
	if n := s.Remotes.More; n != 20_000-most || len(s.Remotes.Rows) != most {
		t.Errorf("%d remotes are shown and %d are more", len(s.Remotes.Rows), n)
	}
	var shown []string
	for _, r := range s.Remotes.Rows {
		shown = append(shown, r.Remote)
	}
	if list := strings.Join(shown, " "); !strings.Contains(list, "10.0.0.3 ") || !strings.Contains(list, "10.0.2.188 10.0.2.189 10.0.74.56") {
		t.Errorf("shown are %s", list)
	}
	if d := s.Drops[0]; len(d.Where) != mostPlaces || d.Elsewhere != 20_000-mostPlaces || d.Where[0].Packets != 20_000 {
		t.Errorf("the drops are %+v", d)
	}
	if s.Total.Rates == nil || s.Total.Rates.RxPackets != 35 || s.VNIs.Rows[1].Rates == nil {
		t.Errorf("the total is %+v", s.Total)
	}
}
