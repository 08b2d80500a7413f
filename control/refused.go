package control

import (
	"encoding/json"
	"io"
	"net/http"
)

// Refused is what a running gateway says when it does not do what it was asked.
type Refused struct {
	Status int // of HTTP
	Text   string
}

// Error is the gateway's sentence.
func (r *Refused) Error() string { return r.Text }

// Is lets errors.Is find the errors of the API on the client's side.
func (r *Refused) Is(target error) bool {
	return target == ErrNotFound && r.Status == http.StatusNotFound || target == ErrExists && r.Status == http.StatusConflict ||
		target == ErrInvalid && r.Status == http.StatusBadRequest
}

// refused reads an answer that is not 200.
func refused(resp *http.Response) error {
	var r refusal
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostBody)).Decode(&r); err != nil || r.Error == "" {
		r.Error = "the gateway answers " + resp.Status
	}
	return &Refused{resp.StatusCode, r.Error}
}
