package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"pithings/fleet/internal/limited"
	"pithings/mqttlink/certs"
)

// Server is one that listens and does not serve yet.
type Server struct {
	listener net.Listener
	tls      bool
	patience time.Duration // maxReply
}

// Options say where a server listens.
type Options struct {
	Address   string // host and port
	Token     bool   // clients show one
	Cert, Key string // files, for https
	Secret    bool   // what is served must not be read on the way
}

const (
	maxConns = 64
	maxWait  = 5 * time.Second  // at the end, for requests under way
	maxReply = 15 * time.Second // for a client to take a part of its answer
)

// Listen opens the port. Elsewhere than on loopback it wants a token, and TLS for secrets.
func Listen(o Options) (*Server, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("http: %q is no address: give one such as 127.0.0.1:8080", o.Address)
	}
	a, err := netip.ParseAddr(host)
	if err != nil && host != "localhost" && host != "" {
		return nil, fmt.Errorf("http: %q is no address of this machine: give one such as 127.0.0.1:8080", host)
	}
	loopback := host == "localhost" || a.IsLoopback()
	secure := o.Cert != ""
	switch {
	case secure != (o.Key != ""):
		return nil, errors.New("http: a certificate and its key belong together: give both files")
	case !loopback && !o.Token:
		return nil, fmt.Errorf("http: others reach %s: give a token, which they show, or listen on 127.0.0.1", o.Address)
	case !loopback && o.Secret && !secure:
		return nil, fmt.Errorf("http: others could read private keys on the way to %s: give a certificate, or listen on 127.0.0.1", o.Address)
	}
	s := &Server{tls: secure, patience: maxReply}
	var config *tls.Config
	if secure {
		pair, err := certs.ReadPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("http: %w", err)
		}
		config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	s.listener = limited.New(l, maxConns)
	if secure {
		s.listener = tls.NewListener(s.listener, config)
	}
	return s, nil
}

// URL is where the server is reached from this machine, without a path.
func (s *Server) URL() string {
	scheme := "http"
	if s.tls {
		scheme = "https"
	}
	address := s.listener.Addr().String()
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().IsUnspecified() { // no client connects to 0.0.0.0 or [::]
		address = net.JoinHostPort("localhost", strconv.Itoa(int(a.Port())))
	}
	return scheme + "://" + address
}

// Close closes a server that does not serve.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx is done.
func (s *Server) Run(ctx context.Context, h http.Handler) error {
	server := &http.Server{
		Handler:           s.timed(h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // of clients
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxWait)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		err = server.Close()
	}
	<-ended
	return err
}

// timed bounds how long a client may take to read. Without it, few clients that read nothing hold all
// connections. http.Server.WriteTimeout begins with the request, and actions of thousands of devices take
// as long as they need.
func (s *Server) timed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.SetWriteDeadline(time.Time{}) // of the request before
		h.ServeHTTP(&timedWriter{w, c, s.patience}, r)
	})
}

// timedWriter sets a new deadline for each part of an answer.
type timedWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// WriteHeader implements http.ResponseWriter.
func (w *timedWriter) WriteHeader(status int) {
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *timedWriter) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

// extend ignores the error: a connection that has ended has no deadline.
func (w *timedWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.patience)) }
