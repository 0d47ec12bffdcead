package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pithings/mqttlink/broker"
)

// web is the one HTTP server of the process.
type web struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
}

// newWeb binds addr, or one of the ports behind it.
func newWeb(addr string, ports int, log *slog.Logger) (*web, error) {
	l, err := firstFree(addr, ports, func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) })
	if broker.Taken(err) {
		return nil, fmt.Errorf("web server: another program has that port (%w): stop it, or choose another with --listen or http.listen", err)
	}
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
