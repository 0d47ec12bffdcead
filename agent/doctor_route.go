package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"pithings/agent/doctor"
	"pithings/api"
)

const (
	// examineTime is how long an examination may take.
	examineTime = 50 * time.Second
	// examineAgain is how long one counts: who asks sooner gets the same, and the parts rest.
	examineAgain = 10 * time.Second
)

// Examination is what the doctor found.
type Examination struct {
	Time     time.Time     `json:"time"`
	Version  string        `json:"version,omitempty"`
	Failed   int           `json:"failed" jsonschema:"checks that found what does not work"`
	Warnings int           `json:"warnings" jsonschema:"and what may not"`
	Checks   doctor.Report `json:"checks"`
}

// examiner looks for what is wrong, for those who ask over the API: one examination at a time,
// beside the things, which keep their parts.
type examiner struct {
	take func(context.Context) (*Findings, error)

	mu   sync.Mutex
	busy bool
	last *Examination
}

// route shows what is wrong.
func (e *examiner) route() api.Route {
	return api.Route{Method: http.MethodGet, Path: "/api/v1/doctor", For: api.Look, Doc: "look at the machine and all parts, and say what is wrong and what fixes it", Gives: Examination{},
		Handler: api.JSON(func(r *http.Request) (any, error) { return e.examine(r.Context()) })}
}

func (e *examiner) examine(ctx context.Context) (*Examination, error) {
	e.mu.Lock()
	last, busy := e.last, e.busy
	fresh := last != nil && time.Since(last.Time) < examineAgain
	e.busy = busy || !fresh
	e.mu.Unlock()
	switch {
	case fresh:
		return last, nil
	case busy:
		return nil, fmt.Errorf("another examination is under way: try again (%w)", api.Status(http.StatusServiceUnavailable))
	}
	ctx, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	var found *Examination
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.busy = false; found != nil {
			e.last = found
		}
	}()
	f, err := e.take(ctx)
	switch {
	case errors.Is(err, errNoDoctor):
		return nil, fmt.Errorf("%w (%w)", err, api.Status(http.StatusNotFound))
	case err != nil:
		return nil, err
	}
	found = &Examination{time.Now().UTC(), f.Version, f.Failed, f.Warnings, f.Checks}
	return found, nil
}
