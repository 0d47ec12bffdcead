package pictures

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pithings/camera/store"
	"pithings/fleet/internal/limited"
)

// Limits of the server.
const (
	connections = 64 // open at a time; further ones wait in the listen queue
	maxHeader   = 8 << 10
	idle        = 5 * time.Second
	patience    = 10 * time.Second // for a request, and for its answer
	endsWithin  = time.Second
	folder      = "/pictures/"
)

// Server serves an album.
type Server struct {
	album    *Album
	listener net.Listener
	base     string
	http     http.Server
}

// Listen begins to listen on HOST:PORT. Addresses of pictures have seen, by which others reach this
// machine, where HOST is none in particular. Run or Close must follow.
func (a *Album) Listen(address, seen string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	at := l.Addr().(*net.TCPAddr)
	host := at.IP.String()
	if at.IP.IsUnspecified() {
		host = seen
	}
	s := &Server{album: a, listener: limited.New(l, connections),
		base: "http://" + net.JoinHostPort(host, strconv.Itoa(at.Port)) + folder}
	s.http = http.Server{Handler: s, ReadHeaderTimeout: idle, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: idle,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0)}
	return s, nil
}

// Base is what all addresses begin with.
func (s *Server) Base() string { return s.base }

// URI is the address of a device's picture.
func (s *Server) URI(device int, number uint32) string { return s.base + s.album.Name(device, number) }

// Has reports whether an address is below Base, and whether there is a picture.
func (s *Server) Has(uri string) (ours, there bool) {
	name, ours := strings.CutPrefix(uri, s.base)
	if ours {
		_, _, there = s.album.Find(name)
	}
	return ours, there
}

// Own reports whether an address has the form of those of an agent's cameras, which are the only
// ones that a screen fetches from its own machine.
func Own(u *url.URL) bool {
	name, ok := strings.CutPrefix(u.EscapedPath(), folder)
	return ok && store.IsName(name) && u.User == nil && u.RawQuery == "" && !u.ForceQuery
}

// Close ends a server that does not run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx is done, and then gives the answers under way a second.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsWithin)
		defer cancel()
		_ = s.http.Shutdown(grace) // what is not answered then is closed
		s.http.Close()
	})
	err := s.http.Serve(s.listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	s.http.Close()
	return err
}

// ServeHTTP answers with a picture: GET and HEAD of an address that URI returned. Everything else is not
// found.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, folder)
	device, number, found := s.album.Find(name)
	if !ok || !found || r.URL.RawQuery != "" {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "no such picture", http.StatusNotFound)
		return
	}
	b, err := s.album.Draw(r.Context(), device, number)
	if err != nil {
		http.Error(w, "not drawn", http.StatusServiceUnavailable)
		return
	}
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	if r.Method == http.MethodGet {
		_, _ = w.Write(b)
	}
}
