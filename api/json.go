package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// MaxBody bounds the body of a request, in bytes: a picture in base64.
	MaxBody = 16 << 20
	// bodyWait is how long the body of a request may take. On a local socket 16 MiB take less
	// than a second.
	bodyWait = 10 * time.Second
)

// JSON answers a request with what f returns as JSON, or with a [Problem]. An error that wraps a
// [Status] is answered with that, any other with 500. f reads the body with [Decode].
func JSON(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &body{http.MaxBytesReader(w, r.Body, MaxBody), http.NewResponseController(w), false}
		v, err := f(r)
		if err != nil {
			Fail(w, err)
			return
		}
		var text bytes.Buffer
		if err := json.NewEncoder(&text).Encode(v); err != nil { // such as a NaN, or a time after the year 9999
			Fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = text.WriteTo(w) // the client has gone
	})
}

// Decode reads the body of a request of [JSON], which is one JSON value.
func Decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	err := d.Decode(v)
	if err == nil { // to its end, where its deadline ends
		if _, err = d.Token(); err == io.EOF {
			err = nil
		} else if _, syntax := errors.AsType[*json.SyntaxError](err); syntax || err == nil {
			err = errors.New("there is more behind the JSON value")
		}
	}
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the request has not come within %v (%w)", bodyWait, Status(http.StatusRequestTimeout))
	case errors.As(err, &long):
		return fmt.Errorf("the request: %w (%w)", err, Status(http.StatusRequestEntityTooLarge))
	}
	return fmt.Errorf("the request: %w (%w)", err, Status(http.StatusBadRequest))
}

// body is the body of a request, which has to come within bodyWait. The deadline is the
// connection's, so it is taken back at the end: the server reads on, to see whether the client
// hangs up while it waits for the answer.
type body struct {
	io.ReadCloser
	conn *http.ResponseController
	read bool
}

func (b *body) Read(p []byte) (int, error) {
	if !b.read {
		b.read = true
		_ = b.conn.SetReadDeadline(time.Now().Add(bodyWait)) // there is none in a test without a connection
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
