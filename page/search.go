package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"vxgw/control"
)

const (
	// mostFound is how many entries an answer may have, usualFound how many it has unless asked for another number.
	mostFound, usualFound = 1000, 50
	// mostWaiting is how many searches wait for their turn; more are refused.
	mostWaiting = 8
	// searchShare bounds what searches take of a CPU to 1/(1+searchShare): a walk through millions of entries takes
	// a part of a second.
	searchShare = 3
	// mostText is how long what is looked for may be, in bytes.
	mostText = 100
)

// searcher runs one search at a time.
type searcher struct {
	source  Source
	turn    chan struct{} // holds a token while one runs, and while it rests
	waiting atomic.Int32
}

// answer answers GET /fdb?mac=PART&vni=N&dst=PART&limit=N with a control.FDBFound.
func (s *searcher) answer(w http.ResponseWriter, r *http.Request) {
	q, err := query(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > mostWaiting {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many search at once: try again")
		return
	}
	select {
	case s.turn <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	begin := time.Now()
	found := s.source.FindFDB(q)
	time.AfterFunc(searchShare*time.Since(begin), func() { <-s.turn })
	writeJSON(w, found)
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	writeJSON(w, map[string]string{"error": text})
}

// query reads what is looked for. Words that it does not know are refused: an answer to another question looks
// like one to this.
func query(values url.Values) (q control.FDBQuery, err error) {
	q.Limit = usualFound
	for name, texts := range values {
		text := strings.TrimSpace(texts[0])
		switch {
		case len(texts) > 1:
			return q, fmt.Errorf("%q is given twice", name)
		case len(text) > mostText:
			return q, fmt.Errorf("%q is longer than %d bytes", name, mostText)
		}
		switch name {
		case "mac":
			q.MAC, err = control.ParseMACPart(text)
		case "vni":
			q.VNI, err = number("VNI", text, 1<<24-1)
		case "dst":
			q.Dst = strings.ToLower(text)
		case "limit":
			var n uint32
			if n, err = number(name, text, mostFound); n > 0 {
				q.Limit = int(n)
			}
		default:
			err = fmt.Errorf("%q is unknown (mac, vni, dst or limit)", name)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

// number reads one from 1 to most; an empty text is 0.
func number(name, text string, most uint64) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || n > most {
		return 0, fmt.Errorf("%s %q is not a number from 1 to %d", name, text, most)
	}
	return uint32(n), nil
}
