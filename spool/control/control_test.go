package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/api"
)

func serve(t *testing.T, path string) *Server {
	t.Helper()
	s, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(api.Route{Method: "POST", Path: "/twice", Handler: api.JSON(func(r *http.Request) (any, error) {
		b, err := io.ReadAll(r.Body)
		return map[string]string{"twice": string(b) + string(b)}, err
	})}, api.Route{Method: "GET", Path: "/wrong", Handler: api.JSON(func(*http.Request) (any, error) {
		return nil, fmt.Errorf("no such flow: %w", api.Status(404))
	})}, api.Route{Method: "POST", Path: "/echo", Handler: StreamHandler(func(ctx context.Context, _ *http.Request, c *Stream) {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		io.Copy(c, c.R)
	})})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestControl(t *testing.T) {
	for name, path := range map[string]string{
		"short": filepath.Join(t.TempDir(), "socket"),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("x", 120), "socket"),
	} {
		t.Run(name, func(t *testing.T) {
			if len(path) > maxPath && maxPath != 107 {
				t.Skip("this system takes no such path")
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			c := NewClient(path)
			defer c.Close()
			if err := c.Do(t.Context(), "GET", "/wrong", nil, nil); !errors.Is(err, ErrNoOwner) {
				t.Errorf("without a server: %v", err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil { // what an earlier owner may have left
				t.Fatal(err)
			}
			serve(t, path)
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("socket: %v, %v", st.Mode(), err)
			}
			var answer struct{ Twice string }
			if err := c.Do(t.Context(), "POST", "/twice", 12, &answer); err != nil || answer.Twice != "1212" {
				t.Errorf("%+v, %v", answer, err)
			}
			var wrong *AnswerError
			if err := c.Do(t.Context(), "GET", "/wrong", nil, nil); !errors.As(err, &wrong) || wrong.Status != 404 || !strings.HasPrefix(wrong.Text, "no such flow") {
				t.Errorf("%v", err)
			}
			if _, err := c.Stream(t.Context(), "/nothing"); !errors.As(err, &wrong) || wrong.Status != 404 {
				t.Errorf("%v", err)
			}
			s, err := c.Stream(t.Context(), "/echo")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := io.WriteString(s, "hello\nworld"); err != nil {
				t.Fatal(err)
			}
			if line, err := s.R.ReadString('\n'); err != nil || line != "hello\n" {
				t.Errorf("%q, %v", line, err)
			}
			if err := s.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(s.R); err != nil || string(rest) != "world" {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

// An owner that is stopped is distinguished from one that is not there, in finite time.
func TestSilentOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path) // whose connections are not accepted
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(path)
	defer c.Close()
	c.silence = 20 * time.Millisecond
	if err := c.Do(t.Context(), "GET", "/x", nil, nil); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
	if _, err := c.Stream(t.Context(), "/x"); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Do(ctx, "GET", "/x", nil, nil); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
}

// A client asks an agent of before /api/v1 at the paths that it had, and one of today at
// today's.
func TestOlderAgent(t *testing.T) {
	says := func(text string) http.Handler { return api.JSON(func(*http.Request) (any, error) { return text, nil }) }
	echo := StreamHandler(func(_ context.Context, _ *http.Request, c *Stream) { io.Copy(c, c.R) })
	for name, routes := range map[string][]api.Route{
		"older": {{Method: "GET", Path: "/v1/queues/{id}", Handler: says("x")}, {Method: "GET", Path: "/flows", Handler: says("y")},
			{Method: "POST", Path: "/flows/start", Handler: says("z")}, {Method: "POST", Path: "/v1/messages", Handler: echo}},
		"today's": {{Method: "GET", Path: "/api/v1/queues/{id}", Handler: says("x")}, {Method: "GET", Path: "/api/v1/flows", Handler: says("y")},
			{Method: "POST", Path: "/api/v1/flows/start", Handler: says("z")}, {Method: "POST", Path: "/api/v1/messages", Handler: echo}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "socket")
			s, err := Listen(path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			s.Serve(routes...)
			s.server.Handler = s.mux // an older one knows no newer names
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- s.Run(ctx) }()
			defer func() {
				cancel()
				<-ended
			}()
			c := NewClient(path)
			defer c.Close()
			for range 2 { // also once it knows which it is
				for _, r := range []struct{ method, path, want string }{{"GET", "/api/v1/queues/a%2Fb", "x"}, {"GET", "/api/v1/flows", "y"}, {"POST", "/api/v1/flows/start", "z"}} {
					var got string
					if err := c.Do(t.Context(), r.method, r.path, map[string]int{"n": 1}, &got); err != nil || got != r.want {
						t.Errorf("%s %s: %q, %v", r.method, r.path, got, err)
					}
				}
				stream, err := c.Stream(t.Context(), "/api/v1/messages?connection=x")
				if err != nil {
					t.Fatal(err)
				}
				stream.Close()
			}
			var answer *AnswerError
			if err := c.Do(t.Context(), "POST", "/api/v1/reload", nil, nil); !errors.As(err, &answer) || answer.Status != http.StatusNotFound || !strings.Contains(answer.Text, "another version") {
				t.Errorf("what it cannot do: %v", err)
			}
		})
	}
}
