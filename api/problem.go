package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Status is an HTTP status that an error is answered with.
type Status int

// Error is the status in words.
func (s Status) Error() string { return http.StatusText(int(s)) }

// Problem is how an error travels: a problem of RFC 9457 without a type of its own, for which
// clients go by the status.
type Problem struct {
	Title  string `json:"title" jsonschema:"the status in words"`
	Status int    `json:"status" jsonschema:"the status of the answer"`
	Detail string `json:"detail" jsonschema:"what is wrong and what to do, for people"`
	// Error is what errors were before there were problems, for older clients.
	Error string `json:"error" jsonschema:"the same, in the words of earlier versions"`
}

// ProblemType is the Content-Type of a [Problem].
const ProblemType = "application/problem+json"

// NewProblem is an error as a problem. An error that wraps a [Status] has that, any other 500.
func NewProblem(err error) Problem {
	status := Status(http.StatusInternalServerError)
	errors.As(err, &status)
	p := Problem{Title: status.Error(), Status: int(status), Error: err.Error()}
	p.Detail = strings.TrimSuffix(p.Error, " ("+p.Title+")") // which the title says
	return p
}

// Fail answers with an error, as a [Problem].
func Fail(w http.ResponseWriter, err error) {
	p := NewProblem(err)
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone
}

// NoSuchPath is the detail of the problem that answers a path which no route has.
const NoSuchPath = "there is no such path: is the agent of another version?"

// Unrouted answers as mux does, but where it has no route and the path is one of this API, with a
// [Problem] instead of a line of text.
func Unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" || !strings.HasPrefix(r.URL.Path, "/api/") {
			mux.ServeHTTP(w, r)
			return
		}
		said := refusal{header: http.Header{}}
		h.ServeHTTP(&said, r)
		if said.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = said.header["Allow"]
			Fail(w, statusError{"the path is there for " + strings.Join(said.header["Allow"], ", ") + " only", Status(said.status)})
			return
		}
		Fail(w, statusError{NoSuchPath, http.StatusNotFound})
	})
}

// refusal is what a mux answers to a request that it has no route for.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(p []byte) (int, error) { return len(p), nil }

// statusError is an error with a status and words that do not repeat it.
type statusError struct {
	text   string
	status Status
}

func (e statusError) Error() string { return e.text }
func (e statusError) Unwrap() error { return e.status }
