package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener for connections in memory, whose deadlines go by the clock of a test.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return new(net.TCPAddr) }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.made <- server
	return client
}

// timed calls test with a server at work whose requests h answers.
func timed(t *testing.T, h http.HandlerFunc, test func(t *testing.T, p *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		w := New(p, 8, slog.New(slog.DiscardHandler))
		w.mux.Handle("/", h)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		test(t, p)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A handler may take as long as it needs: its client is answered, and its context ends with the client.
func TestLongRequests(t *testing.T) {
	var cause error
	timed(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		select {
		case <-time.After(time.Hour):
		case <-r.Context().Done():
		}
		cause = r.Context().Err()
		fmt.Fprintf(w, "done %s", body)
	}, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		in := bufio.NewReader(c)
		for range 2 { // the second one on the same connection, after the times of the first
			for _, request := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"} {
				if _, err := io.WriteString(c, request); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				if err != nil || !strings.HasPrefix(string(text), "done") || cause != nil {
					t.Errorf("%q, %v; the context: %v", text, err, cause)
				}
			}
		}
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(30 * time.Second)
		c.Close()
		synctest.Wait()
		if took := time.Since(began); cause == nil || took > time.Minute {
			t.Errorf("the client has hung up, and the context is: %v after %v", cause, took)
		}
	})
}

// A body has to come in time, also one that the handler does not read, and an answer has to be read in
// time, from when it begins.
func TestSlowClients(t *testing.T) {
	var readErr, writeErr error
	var wrote time.Time
	timed(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, readErr = io.ReadAll(r.Body)
		case "/answer":
			time.Sleep(10 * time.Minute)
			for writeErr == nil {
				_, writeErr = w.Write(make([]byte, 64<<10))
			}
			wrote = time.Now()
		}
	}, func(t *testing.T, p *pipes) {
		gone := func(c net.Conn) time.Duration {
			began := time.Now()
			_, _ = io.Copy(io.Discard, c)
			return time.Since(began)
		}
		for _, path := range []string{"/body", "/unread"} {
			c := p.dial()
			if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\nslow"); err != nil {
				t.Fatal(err)
			}
			if took := gone(c); took > 2*bodyTime {
				t.Errorf("%s: closed after %v", path, took)
			}
			c.Close()
		}
		if readErr == nil {
			t.Error("half a body is a whole one")
		}
		c := p.dial()
		if _, err := io.WriteString(c, "GET /answer HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(10*time.Minute + answerTime + time.Second)
		synctest.Wait()
		if took := wrote.Sub(began); !errors.Is(writeErr, context.DeadlineExceeded) && !isTimeout(writeErr) || took != 10*time.Minute+answerTime {
			t.Errorf("an answer that is not read ends after %v: %v", took, writeErr)
		}
		c.Close()
		half := p.dial() // of a request
		if _, err := io.WriteString(half, "GET / HTT"); err != nil {
			t.Fatal(err)
		}
		if took := gone(half); took > 2*headerTime {
			t.Errorf("half a request: closed after %v", took)
		}
	})
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
