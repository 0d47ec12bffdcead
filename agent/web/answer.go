package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"pithings/api"
)

// How long clients may take. What a handler does in between has its own limits: a capture, an action or a
// sensor of a slow bus takes as long as it takes, and its request ends when the client hangs up.
//
// http.Server.ReadTimeout does not fit: its deadline is that of the connection, and the server reads on
// behind a request, to see whether the client hangs up. When it passes, the context of the handler is
// cancelled. WriteTimeout begins with the request, so that a handler that takes longer cannot answer.
const (
	headerTime = 5 * time.Second
	bodyTime   = 10 * time.Second
	answerTime = 60 * time.Second // from its first byte: a picture over a slow radio link
	idleTime   = 60 * time.Second
)

// answer is the answer to a request. Its time begins when the handler begins it. Redirects, which
// know nothing of the path of a proxy, lead below that.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	base    string // of the proxy
	begun   bool
}

// newAnswer also bounds how long the body of the request may take.
func newAnswer(w http.ResponseWriter, r *http.Request) *answer {
	a := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
	_ = a.control.SetWriteDeadline(time.Time{}) // of the answer before; there is none in a test without a connection
	if r.ContentLength != 0 {
		_ = a.control.SetReadDeadline(time.Now().Add(bodyTime))
		r.Body = &timedBody{r.Body, a.control}
	}
	return a
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// SetWriteDeadline is for [http.ResponseController]: a handler whose answer has no end gives each part
// of it a time of its own.
func (a *answer) SetWriteDeadline(t time.Time) error {
	a.begun = true
	return a.control.SetWriteDeadline(t)
}

// begin begins its time. An answer that a handler has not begun is begun at its end.
func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		_ = a.control.SetWriteDeadline(time.Now().Add(answerTime))
	}
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	a.begin()
	if to := a.Header().Get("Location"); a.base != "" && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		a.Header().Set("Location", a.base+to)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(b)
}

// ReadFrom implements [io.ReaderFrom]: a file goes from the disk to the network without us.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, r)
}

// timedBody takes the deadline back at the end of a body: the server reads on then.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// maxUnused bounds a body that a route has no use for, in bytes. Some clients send {} with every POST.
const maxUnused = 4 << 10

// fits reports whether the body of a request is none too large for a route, which it answers itself if it
// is not. What is announced is refused unread; what is not is read first, if it has to be small.
func fits(w http.ResponseWriter, r *http.Request, route *api.Route) bool {
	most := int64(maxUnused)
	switch {
	case route.Changes:
		most = maxForm
	case route.Takes != nil:
		most = api.MaxBody
	}
	err := error(nil)
	switch {
	case r.ContentLength > most:
		err = tooLarge(most)
	case r.ContentLength < 0 && most < api.MaxBody:
		var text []byte
		text, err = io.ReadAll(io.LimitReader(r.Body, most+1))
		if err == nil && int64(len(text)) > most {
			err = tooLarge(most)
		} else if err != nil {
			err = fmt.Errorf("the request: %w (%w)", err, api.Status(http.StatusBadRequest))
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		api.Fail(w, err)
		return false
	}
	return true
}

func tooLarge(most int64) error {
	return fmt.Errorf("the request has more than the %d bytes that this route takes (%w)", most, api.Status(http.StatusRequestEntityTooLarge))
}
