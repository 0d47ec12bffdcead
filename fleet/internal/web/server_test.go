package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/provision/authority"
)

func TestListen(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		says string // "": it listens
	}{
		{"loopback", Options{Address: "127.0.0.1:0"}, ""},
		{"loopback by name", Options{Address: "localhost:0", Secret: true}, ""},
		{"everywhere", Options{Address: ":0"}, "give a token"},
		{"everywhere with a token", Options{Address: "0.0.0.0:0", Token: true}, ""},
		{"secrets everywhere", Options{Address: "0.0.0.0:0", Token: true, Secret: true}, "private keys"},
		{"no port", Options{Address: "127.0.0.1"}, "no address"},
		{"a name", Options{Address: "pi.example:80"}, "no address of this machine"},
		{"a certificate alone", Options{Address: "127.0.0.1:0", Cert: "x"}, "both files"},
		{"no such certificate", Options{Address: "127.0.0.1:0", Cert: "none", Key: "none"}, "none"},
	} {
		s, err := Listen(tc.o)
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
		if err == nil {
			if url := s.URL(); strings.Contains(url, "[::]") || strings.Contains(url, "0.0.0.0") {
				t.Errorf("%s: no client reaches %s", tc.name, url)
			}
			s.Close()
		}
	}
}

// started is a server at work.
func started(t *testing.T, o Options, h http.Handler) *Server {
	t.Helper()
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

// With a certificate the server speaks TLS only.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	a, err := authority.Open(dir, authority.Options{Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Server(); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s := started(t, Options{Address: "127.0.0.1:0", Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server.key")}, hello)
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", s.URL())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "hello" {
		t.Errorf("%q, %v", body, err)
	}
}

// Connections above the bound wait until others end.
func TestConnectionsAreBounded(t *testing.T) {
	s := started(t, Options{Address: "127.0.0.1:0"}, hello)
	address := strings.TrimPrefix(s.URL(), "http://")
	var idle []net.Conn
	for range maxConns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get(s.URL())
		if err == nil {
			answer.Body.Close()
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("answered beside %d others: %v", maxConns, err)
	case <-time.After(100 * time.Millisecond): // that it waits for ever cannot be seen
	}
	for _, c := range idle {
		c.Close()
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A request under way is answered when the server ends.
func TestEnd(t *testing.T) {
	s, err := Listen(Options{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done() // as the end of the fleet is the end of its requests
			io.WriteString(w, "broken off")
		}))
	}()
	go func() { <-began; cancel() }()
	answer, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); string(body) != "broken off" {
		t.Errorf("%q", body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A client that asks and does not read loses its connection. One whose answer only begins late does not.
func TestClientsThatDoNotRead(t *testing.T) {
	s, err := Listen(Options{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.patience = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended, wrote := make(chan error, 1), make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				time.Sleep(4 * s.patience)
				io.WriteString(w, "late")
				return
			}
			part := make([]byte, 1<<20)
			for {
				if _, err := w.Write(part); err != nil {
					wrote <- err
					return
				}
			}
		}))
	}()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	for range 2 { // the second one on the same connection
		answer, err := http.Get(s.URL() + "/late")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "late" {
			t.Errorf("%q, %v", body, err)
		}
		answer.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
