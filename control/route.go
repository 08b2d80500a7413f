package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// API is the version of the requests and answers, the first element of each path. It changes when
// one of them means something else; keys and routes that come beside others do not change it.
const API = "v1"

// Route is a request that the server answers, with what docs/api.md says of it. That page is made of
// the table, and a test runs its examples.
type Route struct {
	Method string
	Path   string // from the slash behind the version on
	Doc    string // what it does, in sentences of Markdown
	Query  []Parameter
	Body   any    // a value of the type that the body has; nil: there is none
	Answer any    // likewise the answer
	Lines  bool   // the answer is one such value a line, as they come, until the client goes
	Stream string // media type of an answer that is no JSON and comes bit by bit; empty: it is Answer
	Sample string // for the example: a body, or a query from the question mark on

	handle func(http.ResponseWriter, *http.Request, Gateway)
}

// Parameter is one of a query.
type Parameter struct{ Name, Doc string }

// Changes says whether the request is one that changes the gateway. Who may ask may do both.
func (r *Route) Changes() bool { return r.Method != http.MethodGet }

// Pattern is the route as http.ServeMux takes it.
func (r *Route) Pattern() string { return r.Method + " /" + API + r.Path }

// Routes are all there are, in the order of the documentation. To answer one more request add it to the
// list of its file, or a list to this one, and run make generate.
func Routes() []Route {
	return slices.Concat(aboutRoutes(), reloadRoutes(), vniRoutes(), remoteRoutes(), portRoutes(), fdbRoutes(), neighRoutes(), explainRoutes(), captureRoutes(), logRoutes(), handOverRoutes())
}

// ErrInvalid is behind errors about values that no gateway takes, whatever it has.
var ErrInvalid = errors.New("bad value")

// Invalid is a refusal because of a value that no gateway takes.
type Invalid struct{ Err error }

func (i Invalid) Error() string        { return i.Err.Error() }
func (i Invalid) Unwrap() error        { return i.Err }
func (i Invalid) Is(target error) bool { return target == ErrInvalid }

// get is a route that answers what f returns.
func get[A any](path, doc string, f func(Gateway) (A, error)) Route {
	var example A
	return Route{Method: http.MethodGet, Path: path, Doc: doc, Answer: example, handle: func(w http.ResponseWriter, _ *http.Request, g Gateway) {
		respond(w)(f(g))
	}}
}

// post is a route that answers what f returns for the body of a request. sample is one.
func post[B, A any](path, doc, sample string, f func(Gateway, B) (A, error)) Route {
	var body B
	var example A
	return Route{Method: http.MethodPost, Path: path, Doc: doc, Body: body, Answer: example, Sample: sample, handle: func(w http.ResponseWriter, r *http.Request, g Gateway) {
		var body B
		if err := read(r, &body); err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("%s: the body: %w", r.URL.Path, err))
			return
		}
		respond(w)(f(g, body))
	}}
}

// verb is a route that has nothing to tell of what do did.
func verb[B any](path, doc, sample string, do func(Gateway, B) error) Route {
	return post(path, doc, sample, func(g Gateway, body B) (Done, error) { return Done{}, do(g, body) })
}

// respond writes an answer, or why there is none.
func respond(w http.ResponseWriter) func(any, error) {
	return func(v any, err error) {
		if err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, v)
	}
}

// read decodes the body of a request, in which an unknown key is an error, and so is what stands behind it.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var other *json.UnmarshalTypeError
	switch {
	case err == io.EOF:
		return errors.New("it is empty (give a JSON object)")
	case errors.As(err, &other) && other.Field != "":
		return fmt.Errorf("%s cannot be a JSON %s", other.Field, other.Value)
	case errors.As(err, &other):
		return fmt.Errorf("a JSON %s is no object", other.Value)
	case err != nil:
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more than one JSON object")
	}
	return nil
}

// statusOf tells what a script may want to know of a refusal without reading it.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrExists):
		return http.StatusConflict
	case errors.Is(err, ErrInvalid):
		return http.StatusBadRequest
	}
	return http.StatusUnprocessableEntity
}

// statuses are those that an answer may have, with what they mean.
var statuses = []struct {
	code int
	doc  string
}{
	{http.StatusOK, "done: when the answer comes, workers act on it"},
	{http.StatusBadRequest, "a value or a configuration that no start would take, an unknown key, or no JSON; the commands of `gw` end with status 2 then"},
	{http.StatusForbidden, "who asks may not"},
	{http.StatusNotFound, "no such path, or it names a VNI, port or entry that is not there"},
	{http.StatusMethodNotAllowed, "the path is there, with another method, which the header `Allow` names"},
	{http.StatusConflict, "what is to be added is there already"},
	{http.StatusRequestEntityTooLarge, "the body is longer than 1 MiB"},
	{http.StatusUnprocessableEntity, "the gateway cannot do that as it is: the sentence says why"},
}
