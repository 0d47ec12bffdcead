package pub

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func bufioReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// refuse is a network without a broker.
func refuse(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }

// watched is a buffer that reports when a text has come.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	want string
	come chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if w.want != "" && strings.Contains(w.b.String(), w.want) {
		close(w.come)
		w.want = ""
	}
	return len(p), nil
}

func (w *watched) count(s string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.b.String(), s)
}

func (w *watched) wait(t *testing.T, want string) {
	t.Helper()
	w.mu.Lock()
	if strings.Contains(w.b.String(), want) {
		w.mu.Unlock()
		return
	}
	w.want, w.come = want, make(chan struct{})
	come := w.come
	w.mu.Unlock()
	select {
	case <-come:
	case <-time.After(time.Minute):
		w.mu.Lock()
		defer w.mu.Unlock()
		t.Fatalf("%q did not come, but %.200q", want, w.b.String())
	}
}
