package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"pithings/api"
	"pithings/mqttlink/durable"
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
	others   []*shared // further sockets
	closing  sync.Once
}

// shared is a socket for those who do not know the state folder.
type shared struct {
	net.Listener
	path    string
	made    os.FileInfo // the socket
	release func()
}

// close ends it, and removes the socket unless a successor has made its own by then.
func (s *shared) close() {
	s.Listener.Close()
	s.release()
	if now, err := os.Lstat(s.path); err == nil && s.made != nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path) // one that stays is one without an answer
	}
}

// Listen makes the socket at path. Its folder must be owned: a socket that an
// earlier owner left there is removed.
func Listen(path string, log *slog.Logger) (*Server, error) {
	l, release, err := listen(path, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Server{listener: l, mux: http.NewServeMux(), release: release}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.server = &http.Server{
		Handler:           renamed(api.Unrouted(s.mux)),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       s.greet,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// listen makes a socket, which belongs to the owner of its folder.
func listen(path string, mode os.FileMode) (l net.Listener, release func(), err error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, nil, fmt.Errorf("control socket: %w", err)
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		config := net.ListenConfig{Control: bornWith(mode)}
		l, err = config.Listen(context.Background(), "unix", short)
	}
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // a successor may have made its own by then
	if err := errors.Join(withMode(path, mode), durable.GiveSocket(path)); err != nil {
		l.Close()
		release()
		return nil, nil, fmt.Errorf("control socket: %w", err)
	}
	return l, release, nil
}

// withMode changes the mode of a socket that the umask has not let be born with it.
func withMode(path string, mode os.FileMode) error {
	st, err := os.Lstat(path)
	if err != nil || st.Mode().Perm() == mode {
		return err
	}
	return os.Chmod(path, mode)
}

// Serve adds routes. All of them are served, whatever their audience; those for the owner
// answer root and the user of this process only.
func (s *Server) Serve(routes ...api.Route) {
	for _, r := range routes {
		h := r.Handler
		if r.For == api.Owner {
			h = forOwner(r.Doc, h)
		}
		s.mux.Handle(r.Pattern(), h)
	}
}

// renamed leads the paths of earlier versions to those of today, for commands that are older
// than the agent: /v1/agent is /api/v1/agent, and /flows is /api/v1/flows.
func renamed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix := ""
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/v1/"):
			prefix = "/api"
		case path == "/flows" || strings.HasPrefix(path, "/flows/"):
			prefix = "/api/v1"
		}
		if prefix != "" {
			u := *r.URL
			u.Path = prefix + u.Path
			if u.RawPath != "" {
				u.RawPath = prefix + u.RawPath
			}
			r = r.WithContext(r.Context())
			r.URL = &u
		}
		h.ServeHTTP(w, r)
	})
}

// StreamHandler lets f talk with the client of a stream, until f returns or ctx is done: then f
// should come to its end. The server waits for it.
func StreamHandler(f func(ctx context.Context, r *http.Request, c *Stream)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := r.Context().Value(peerKey{}).(*visitor)
		if v == nil || r.Header.Get("Upgrade") != protocol {
			http.Error(w, "this is a stream of the local socket: ask for an upgrade to "+protocol, http.StatusUpgradeRequired)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s := v.server
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
	served := make(chan error, 1+len(s.others))
	go func() { served <- s.server.Serve(s.listener) }()
	for _, o := range s.others {
		go func() { served <- s.server.Serve(o.Listener) }()
	}
	err, ended := error(nil), 0
	select {
	case err = <-served:
		err, ended = fmt.Errorf("control socket: %w", err), 1
	case <-ctx.Done():
	}
	s.Close()
	for ; ended < cap(served); ended++ {
		<-served
	}
	s.streams.Wait()
	return err
}

// Close ends the server, also one that was never run.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.cancel()
		s.server.Close()
		s.listener.Close()
		s.release()
		for _, o := range s.others {
			o.close()
		}
	})
}

// protocol is what streams are upgraded to.
const protocol = "pithings-stream"
