package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// web is the one HTTP server of the process.
type web struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
}

// listenWeb binds addr. When next is set and the port is taken, the next free
// one is used.
func listenWeb(addr string, next bool, log *slog.Logger) (*web, error) {
	l, err := listen(addr, next)
	if err != nil {
		return nil, fmt.Errorf("web server: %w", err)
	}
	mux := http.NewServeMux()
	return &web{l, &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second, // a picture over a slow radio link
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}, mux}, nil
}

// tries is how many ports are tried from the one asked for.
const tries = 20

func listen(addr string, next bool) (net.Listener, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: write HOST:PORT, for example 127.0.0.1:8080", addr)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("address %q: the port must be a number from 0 to 65535", addr)
	}
	for i := uint64(0); ; i++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(port+i, 10)))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		if !next || i == tries-1 || port+i == 65535 {
			return nil, fmt.Errorf("%w; another program has that port: choose one with --listen", err)
		}
	}
}

// Addr is the address that is listened on.
func (w *web) Addr() *net.TCPAddr { return w.listener.Addr().(*net.TCPAddr) }

// open serves h to everybody, local to programs on this machine only.
func (w *web) open(pattern string, h http.Handler)  { w.mux.Handle(pattern, h) }
func (w *web) local(pattern string, h http.Handler) { w.mux.Handle(pattern, localOnly(h)) }

// run serves until ctx is done and then lets the requests end.
func (w *web) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(w.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("web server: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if w.server.Shutdown(grace) != nil {
		w.server.Close()
	}
	<-served
	return nil
}

// localOnly answers clients of this machine and refuses all others. The name in
// the Host header has to be a local one too: otherwise a web page elsewhere could
// have its own name resolve to 127.0.0.1 and read the answers through a browser
// on this machine.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !client.Addr().Unmap().IsLoopback() || !localName(r.Host) {
			http.Error(w, "only for programs on this machine", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

func localName(hostport string) bool {
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

// baseURL is how others reach the web server: what the configuration says, else
// the address listened on, else the local address toward the broker.
func baseURL(configured string, listening *net.TCPAddr, towardBroker net.IP) string {
	if configured != "" {
		return strings.TrimRight(configured, "/")
	}
	ip := listening.IP
	if ip.IsUnspecified() {
		if ip = towardBroker; ip == nil {
			ip = net.IPv4(127, 0, 0, 1)
		}
	}
	return "http://" + net.JoinHostPort(ip.String(), strconv.Itoa(listening.Port))
}
