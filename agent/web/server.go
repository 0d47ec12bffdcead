// Package web is the one web server of an agent: it serves the routes of package api whose
// audience is on TCP, to that audience, over a bounded number of connections.
package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"pithings/agent/access"
	"pithings/api"
	"pithings/quietlog"
)

// Server serves HTTP on one address.
type Server struct {
	listener  net.Listener
	server    *http.Server
	mux       *http.ServeMux
	routed    http.Handler // mux, with problems where it has no route
	log       *slog.Logger
	repeats   *quietlog.Repeats
	access    atomic.Pointer[Access]
	doors     atomic.Pointer[access.Door]
	simulated bool
	signed    bool
	// addressed are the paths of routes that can be opened by their address alone.
	addressed map[string]bool
}

// New returns a server on a listener, for so many connections at a time. Before [Server.Allow]
// and [Server.Open] it answers programs on this machine only.
func New(l net.Listener, connections int, log *slog.Logger) *Server {
	s := &Server{mux: http.NewServeMux(), log: log, repeats: quietlog.NewRepeats(log), addressed: map[string]bool{}}
	s.routed = api.Unrouted(s.mux)
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime, // the times of bodies and answers are in newAnswer
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	limit := newConnLimit(l, connections, log)
	limit.watch(s.server)
	s.listener = limit
	s.Allow(&Access{})
	closed, _ := access.Open("") // no file, no error
	s.Open(closed, false)
	return s
}

// Allow changes what the configuration says of who may ask.
func (s *Server) Allow(x *Access) { s.access.Store(x) }

// Secure encrypts all connections, with the certificate that get returns. HTTP/2 is not offered: one of
// its connections carries any number of requests, and connections are what the limit counts.
func (s *Server) Secure(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) {
	s.listener = tls.NewListener(s.listener, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: get})
}

// Open lets clients in by a password, sessions and tokens. With simulated, programs on this
// machine may act without.
func (s *Server) Open(d *access.Door, simulated bool) {
	s.doors.Store(d)
	s.simulated = simulated
}

// Sign makes the routes for anyone that show something need more than their path: a signature in the
// address, or a client that may look. It is called before [Server.Serve].
func (s *Server) Sign() { s.signed = true }

func (s *Server) door() *access.Door { return s.doors.Load() }

// Serve adds the routes whose audience is on TCP.
func (s *Server) Serve(routes []api.Route) {
	for _, r := range routes {
		if r.For.TCP() {
			s.addressed[r.Path] = byAddress[r.Path] || s.signed && forAnyone(&r)
			s.mux.Handle(r.Pattern(), s.guard(&r))
		}
	}
}

// ServeHTTP answers a request past the limit of connections.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := newAnswer(w, r)
	defer a.begin()
	if !clean(r.URL) {
		http.NotFound(a, r)
		return
	}
	x := s.access.Load()
	o := x.originOf(r)
	a.base = x.basePath(r, &o)
	s.routed.ServeHTTP(a, below(x.base, r))
}

// forAnyone reports whether a route shows something to everyone who knows its path.
func forAnyone(r *api.Route) bool { return r.For == api.Anyone && r.Method == http.MethodGet }

// guard lets a route answer its audience.
func (s *Server) guard(route *api.Route) http.Handler {
	if forAnyone(route) && !s.signed {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if fits(w, r, route) {
				route.Handler.ServeHTTP(w, r)
			}
		})
	}
	need := map[api.Audience]access.Need{api.Anyone: access.NeedLogin, api.Monitors: access.NeedMonitor, api.Look: access.NeedLook, api.Act: access.NeedAct}[route.For]
	if forAnyone(route) {
		need = access.NeedLook
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, d := s.decide(r, need, route)
		v.again = func() access.Decision { _, d := s.decide(r, need, route); return d }
		if c, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
			c.by(d.Known)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !d.Allowed() {
			s.refuse(w, need, &d)
			return
		}
		if !fits(w, r, route) {
			return
		}
		route.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}

// refuse answers a request that is not allowed: in the manner of the API, but for monitors as it
// has always been.
func (s *Server) refuse(w http.ResponseWriter, need access.Need, d *access.Decision) {
	if need == access.NeedMonitor {
		http.Error(w, d.Reason, d.Status)
		return
	}
	if d.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="pithings"`)
	}
	api.Fail(w, refusal{d.Reason, d.Status})
}

// refusal is why a request is not allowed.
type refusal struct {
	text   string
	status int
}

func (e refusal) Error() string { return e.text }
func (e refusal) Unwrap() error { return api.Status(e.status) }

// decide reads the facts of a request and decides about it.
func (s *Server) decide(r *http.Request, need access.Need, route *api.Route) (*visit, access.Decision) {
	x, door := s.access.Load(), s.door()
	o := x.originOf(r)
	f := access.Facts{Need: need, Change: route.Changes || r.Method != http.MethodGet && r.Method != http.MethodHead,
		Loopback: o.loopback(), LocalName: LocalName(r.Host), Forwarded: o.forwarded, CrossSite: crossSite(r, &o),
		Simulated: s.simulated, Password: door.PasswordSet()}
	v := &visit{origin: o, base: x.basePath(r, &o), secure: secure(r, &o)}
	if c, err := r.Cookie(CookieName); err == nil {
		if f.Session, f.CSRF = door.Session(c.Value, r.Header.Get("X-CSRF-Token")); f.Session > access.None {
			v.session, v.csrf = c.Value, door.CSRF(c.Value)
		}
		if f.Session > access.None && !f.CSRF && route.Changes && r.Method == http.MethodPost {
			_, f.CSRF = door.Session(c.Value, formSecret(r))
		}
	}
	if token, ok := bearer(r); ok {
		f.Token = door.Token(token, o.from)
		if f.Token > access.None && f.Token >= f.Session {
			v.token = door.TokenName(token)
		}
	}
	if s.addressed[route.Path] && f.Token == access.None {
		f.Token = addressed(door, r.URL, &o)
	}
	if need == access.NeedMonitor {
		f.Listed = x.lists(r, o.from)
	}
	f.CrossSite = f.CrossSite || route.Changes && mute(r)
	d := access.Decide(&f)
	v.role = d.Role
	return v, d
}

// refused logs that a login was refused, few times.
func (s *Server) refused(v *visit, err error) {
	s.repeats.Say(slog.LevelWarn, "login", "web server: a login was refused", "from", v.origin.counts().Addr(), "err", err)
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
