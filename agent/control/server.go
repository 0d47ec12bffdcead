package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Server answers other processes.
type Server struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
	ctx      context.Context // of streams
	cancel   context.CancelFunc
	streams  sync.WaitGroup
	release  func()
}

// Listen makes the socket at path. Its folder must be owned: a socket that an
// earlier owner left there is removed.
func Listen(path string, log *slog.Logger) (*Server, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		release()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := net.Listen("unix", short)
	if err != nil {
		release()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // a successor may have made its own by then
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		release()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s := &Server{listener: l, mux: http.NewServeMux(), release: release}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.server = &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handle serves requests that match pattern (see http.ServeMux).
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// HandleJSON answers requests with what f returns as JSON. f may decode the body;
// an error that wraps a Status is answered with that.
func (s *Server) HandleJSON(pattern string, f func(r *http.Request) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := f(r)
		if err != nil {
			code := http.StatusInternalServerError
			var status Status
			if errors.As(err, &status) {
				code = int(status)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			json.NewEncoder(w).Encode(failure{err.Error()})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	})
}

// HandleStream lets f talk with the client of a stream, until f returns or ctx is
// done: then f should come to its end.
func (s *Server) HandleStream(pattern string, f func(ctx context.Context, r *http.Request, c *Stream)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != protocol {
			http.Error(w, "this is a stream: ask for an upgrade to "+protocol, http.StatusUpgradeRequired)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.streams.Add(1)
		defer s.streams.Done()
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err != nil {
			return
		}
		f(s.ctx, r, &Stream{Conn: conn, R: rw.Reader})
	})
}

// Run serves until ctx is done, and then waits for the streams, whose context ends
// too.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	s.Close()
	<-served
	s.streams.Wait()
	return nil
}

// Close ends the server, also one that was never run.
func (s *Server) Close() {
	s.cancel()
	s.server.Close()
	s.listener.Close()
	s.release()
}

// Status is an HTTP status that an error is answered with.
type Status int

// Error is the status in words.
func (s Status) Error() string { return http.StatusText(int(s)) }

// failure is how an error travels.
type failure struct {
	Error string `json:"error"`
}

const (
	maxBody  = 16 << 20
	protocol = "pithings-stream"
)
