package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// changeFDB answers POST /v1/fdb/{verb} with an FDBChange for a body: the entries
// that get found, nothing for the verbs that change one.
func changeFDB(w http.ResponseWriter, r *http.Request, g Gateway) {
	verb := r.PathValue("verb")
	var c FDBChange
	if err := read(w, r, &c); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("fdb %s: %w", verb, err))
		return
	}
	if err := c.Check(verb); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("fdb %s: %w", verb, err))
		return
	}
	found := []FDBEntry{}
	var err error
	if verb == "get" {
		found, err = g.GetFDB(c)
	} else {
		err = g.ChangeFDB(verb, c)
	}
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	answer(w, found)
}

// Flushed is what POST /v1/fdb/flush answers.
type Flushed struct {
	Removed int `json:"removed"` // entries
}

// flushFDB answers POST /v1/fdb/flush with an FDBFilter for a body.
func flushFDB(w http.ResponseWriter, r *http.Request, g Gateway) {
	var f FDBFilter
	err := read(w, r, &f)
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("fdb flush: %w", err))
		return
	}
	n, err := g.FlushFDB(f)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	answer(w, Flushed{n})
}

// mostBody is how long a request may be, in bytes.
const mostBody = 1 << 20

// read decodes the body of a request, in which an unknown key is an error.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// statusOf tells what a script may want to know of a refusal without reading it.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrExists):
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}

// refusal is the body of an answer that is not 200.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(refusal{err.Error()}) // fails only when the client has gone
}
