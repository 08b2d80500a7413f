// Package page shows a gateway to people with a browser: what it moves, what it drops and why, whom it reaches,
// and what is wrong. It is read-only. Everything comes from the binary, nothing from elsewhere.
//
// The flow: the browser gets the page, whose script asks for /state each second and for /fdb when somebody searches.
// However many look, the gateway is asked for its status once a second (share.go), what is told of it is bounded
// (state.go), and one search runs at a time (search.go).
package page

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"

	"vxgw/control"
)

// Source is what the page shows: a running gateway. Its methods may be called from any goroutine.
type Source interface {
	Status() control.Status
	FindFDB(control.FDBQuery) control.FDBFound
}

//go:embed files
var files embed.FS

// index is the page itself. Without a script it is a table of how things stood when it was asked for.
var index = template.Must(template.ParseFS(files, "files/index.html"))

// policy lets a browser use what comes from here, and nothing else: no script or style within the page, no frame
// around it (https://www.w3.org/TR/CSP3/).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Handle adds the page of s to mux. Methods other than GET and HEAD are refused.
func Handle(mux *http.ServeMux, s Source) {
	shared := newShare(s)
	mux.Handle("GET /{$}", guarded("text/html; charset=utf-8", func(w http.ResponseWriter, _ *http.Request) {
		state, _ := shared.look()
		index.Execute(w, state) // fails only when the client has gone
	}))
	mux.Handle("GET /state", guarded("application/json", func(w http.ResponseWriter, _ *http.Request) {
		_, text := shared.look()
		w.Write(text)
	}))
	mux.Handle("GET /fdb", guarded("application/json", (&searcher{source: s, turn: make(chan struct{}, 1)}).answer))
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "plot.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		text, err := files.ReadFile("files/" + name)
		if err != nil {
			panic(err) // the binary was built without it, which a test would find
		}
		mux.Handle("GET /"+name, guarded(kind, func(w http.ResponseWriter, _ *http.Request) { w.Write(text) }))
	}
}

// guarded answers with the headers that keep a browser from doing anything else with the answer.
func guarded(kind string, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		answer(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	json.NewEncoder(w).Encode(v) // fails only when the client has gone
}
