package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds waits for events that must come; it is no measure of speed.
const patience = 30 * time.Second

// served is a web server with a limit, at work.
func served(t *testing.T, max int, h http.Handler) (addr string, limit *connLimit) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := New(l, max, slog.New(slog.DiscardHandler))
	w.mux.Handle("/", h)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w.Addr().String(), w.listener.(*connLimit)
}

func (l *connLimit) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// from dials from one of the machine's loopback addresses.
func from(t *testing.T, ip, addr string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Skipf("this machine has no loopback address %s: %v", ip, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a request on a connection and returns what is answered.
func ask(c net.Conn) (string, error) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return "", err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	return string(b[:n]), err
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

// TestIdleConnectionsAreLimited: 16,400 idle connections took 330 MB. Good
// clients, old and new, are served all the time.
func TestIdleConnectionsAreLimited(t *testing.T) {
	attempts, budget := 16_400, int64(16<<20)
	if testing.Short() {
		attempts = 1000
	}
	const most = 64
	addr, limit := served(t, most, hello)
	good := from(t, "127.0.0.2", addr) // keeps its connection through all of it
	if _, err := ask(good); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var mine []net.Conn
	var slowest time.Duration
	for i := range attempts {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 1 {
			io.WriteString(c, "GET / HT") // a request that never ends
		}
		if mine = append(mine, c); len(mine) > 1000 { // of file descriptors there are few
			mine[0].Close()
			mine = mine[1:]
		}
		if i%100 == 0 {
			began := time.Now()
			if answer, err := ask(good); err != nil || !strings.HasSuffix(answer, "hello") {
				t.Fatalf("after %d connections: %q, %v", i, answer, err)
			}
			slowest = max(slowest, time.Since(began))
		}
	}
	if answer, err := ask(from(t, "127.0.0.3", addr)); err != nil || !strings.HasSuffix(answer, "hello") {
		t.Errorf("a new client: %q, %v", answer, err)
	}
	if n := limit.len(); n > most {
		t.Errorf("%d connections, at most %d", n, most)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	if grown > budget {
		t.Errorf("%d bytes more in use, at most %d", grown, budget)
	}
	if slowest > time.Second {
		t.Errorf("a good request took %v", slowest)
	}
	t.Logf("%d connections: %d bytes more in use; the slowest good request took %v", attempts, grown, slowest)
	for _, c := range mine {
		c.Close()
	}
}

// What a connection is worth: idle ones of the host that has most go first, then the
// oldest; those that are served only for a host that has fewer.
func TestWhichConnectionGoes(t *testing.T) {
	release := make(chan struct{})
	busy := make(chan string, 8)
	addr, limit := served(t, 4, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		busy <- r.RemoteAddr
		<-release
		io.WriteString(w, "hello")
	}))
	defer close(release)
	request := func(c net.Conn) {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-busy
	}
	closed := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(patience))
		_, err := c.Read(make([]byte, 1))
		return err != nil && !strings.Contains(err.Error(), "timeout")
	}
	counted := func(n int) {
		t.Helper()
		for end := time.Now().Add(patience); limit.len() != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d connections, want %d", limit.len(), n)
			}
		}
	}
	served := from(t, "127.0.0.2", addr)
	request(served)
	first := from(t, "127.0.0.2", addr)
	counted(2)
	other := from(t, "127.0.0.3", addr)
	counted(3)
	second := from(t, "127.0.0.2", addr)
	counted(4)
	third := from(t, "127.0.0.4", addr)
	if !closed(first) {
		t.Error("the oldest idle one of the host that has most stays")
	}
	request(second)
	request(other)
	request(third)
	if !closed(from(t, "127.0.0.3", addr)) {
		t.Error("a host that has as many as any other is let in")
	}
	from(t, "127.0.0.5", addr)
	if !closed(served) {
		t.Error("the oldest one served of the host that has most stays")
	}
	counted(4)
}

// No connection of a client that is known goes for one of a client that is not, and streams leave
// the others their connections.
func TestKnownClientsAndStreamsStay(t *testing.T) {
	release := make(chan struct{})
	streams := make(chan func(), 4)
	addr, limit := served(t, 4, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*limitedConn)
		c.by(r.Host == "known")
		if r.Host == "stream" {
			end, ok := Stream(r)
			if !ok {
				t.Error("there are too many streams")
				return
			}
			streams <- end
			<-release
			end()
		}
		io.WriteString(w, "hello")
	}))
	defer close(release)
	request := func(ip, host string) net.Conn {
		t.Helper()
		c := from(t, ip, addr)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	answered := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(patience))
		_, err := c.Read(make([]byte, 4096))
		return err == nil
	}
	for i := range 4 { // as many as all others together
		request(fmt.Sprintf("127.0.1.%d", i+1), "stream")
		<-streams
	}
	var known []net.Conn
	for range 4 { // of one host, which would be the first to lose some
		c := request("127.0.0.2", "known")
		if !answered(c) {
			t.Fatal("a stream counts as a connection")
		}
		known = append(known, c)
	}
	for i := range 8 {
		if c := from(t, fmt.Sprintf("127.0.0.%d", i+3), addr); answered(c) {
			t.Error("an unknown client is let in")
		}
	}
	for _, c := range known {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: other\r\n\r\n"); err != nil || !answered(c) {
			t.Error("a known client was dropped for an unknown one")
		}
	}
	// The last requests were of no known client: they may go now.
	if !answered(request("127.0.0.3", "other")) {
		t.Error("an unknown client is not let in")
	}
	if n := limit.len(); n > 8 {
		t.Errorf("%d connections", n)
	}
}

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7/32", "[::ffff:192.0.2.7]:80": "192.0.2.7/32",
		"[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%lo]:80": "fe80::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(hostOf(a)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
