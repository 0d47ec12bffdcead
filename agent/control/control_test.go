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
)

func serve(t *testing.T, path string) *Server {
	t.Helper()
	s, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.HandleJSON("POST /twice", func(r *http.Request) (any, error) {
		b, err := io.ReadAll(r.Body)
		return map[string]string{"twice": string(b) + string(b)}, err
	})
	s.HandleJSON("GET /wrong", func(*http.Request) (any, error) { return nil, fmt.Errorf("no such flow: %w", Status(404)) })
	s.HandleStream("POST /echo", func(ctx context.Context, _ *http.Request, c *Stream) {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		io.Copy(c, c.R)
	})
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

// An owner that is stopped is told from one that is not there, in finite time.
func TestSilentOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path) // whose connections nobody accepts
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
