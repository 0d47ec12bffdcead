// Package web is the one web server of an agent: it serves the routes of package api whose
// audience is on TCP, to that audience, over a bounded number of connections.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"pithings/api"
)

// Server serves HTTP on one address.
type Server struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
	access   atomic.Pointer[Access]
}

// New returns a server on a listener, for so many connections at a time. Before [Server.Allow]
// it answers programs on this machine only.
func New(l net.Listener, connections int, log *slog.Logger) *Server {
	mux := http.NewServeMux()
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second, // a picture over a slow radio link
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	limit := newConnLimit(l, connections, log)
	limit.watch(server)
	s := &Server{listener: limit, server: server, mux: mux}
	s.Allow(&Access{})
	return s
}

// Allow changes who may ask besides this machine.
func (s *Server) Allow(x *Access) { s.access.Store(x) }

// Serve adds the routes whose audience is on TCP.
func (s *Server) Serve(routes []api.Route) {
	for _, r := range routes {
		if r.For.TCP() {
			s.mux.Handle(r.Pattern(), s.guard(&r))
		}
	}
}

// ServeHTTP answers a request past the limit of connections.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// guard lets a route answer its audience.
func (s *Server) guard(r *api.Route) http.Handler {
	var allowed func(*http.Request) bool
	var refusal string
	switch r.For {
	case api.Anyone:
		return r.Handler
	case api.Monitors:
		allowed = func(r *http.Request) bool { return s.access.Load().allows(r) }
		refusal = "only for programs on this machine, and for those that http.allow_nets and http.token_file of its configuration allow"
	default:
		allowed = local
		refusal = "only for programs on this machine"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case !allowed(req):
			http.Error(w, refusal, http.StatusForbidden)
		case !sameOrigin(req):
			http.Error(w, "not for pages of other sites", http.StatusForbidden)
		default:
			w.Header().Set("X-Content-Type-Options", "nosniff")
			r.Handler.ServeHTTP(w, req)
		}
	})
}

// Addr is the address that is listened on.
func (s *Server) Addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// Close releases the port.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx is done and then lets the requests end.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("web server: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if s.server.Shutdown(grace) != nil {
		s.server.Close()
	}
	<-served
	return nil
}

// local reports whether a request comes from this machine and names it. The name in the Host
// header has to be a local one: otherwise a web page elsewhere could have its own name resolve to
// 127.0.0.1 and read the answers through a browser on this machine (DNS rebinding).
func local(r *http.Request) bool {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && client.Addr().Unmap().IsLoopback() && LocalName(r.Host)
}

// LocalName reports whether a host, with or without a port, is this machine by a loopback
// address or localhost.
func LocalName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// sameOrigin reports whether a request is none of a web page of another site. Browsers name the
// page's site in Origin when the page wants to read the answer (fetch.spec.whatwg.org, "origin
// header"); other programs send none.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && u.Scheme == "http" && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
