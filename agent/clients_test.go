package agent

import (
	"bufio"
	"bytes"
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

	"pithings/agent/access"
	"pithings/agent/web"
	"pithings/api"
	"pithings/things"
)

// eye is a camera whose pictures are larger than what the buffers of a connection take.
type eye struct{ things.Thing }

func (eye) Name() string                             { return "eye" }
func (eye) Snapshot(context.Context) ([]byte, error) { return make([]byte, 8<<20), nil }

// A viewer that stops reading is dropped, and while it is there the others are served.
func TestStoppedViewers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := web.New(l, 16, slog.New(slog.DiscardHandler))
	door, err := access.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.Open(door, false)
	s := &snapshots{func() []things.Thing { return []things.Thing{eye{}} }, make(chan struct{}, maxViewers), time.Second}
	ended := make(chan string, maxViewers)
	w.Serve([]api.Route{
		{Method: "GET", Path: "/one", For: api.Look, Doc: "x", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.SetPathValue("name", "eye"); s.one(w, r) })},
		{Method: "GET", Path: "/stream", For: api.Look, Doc: "x", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue("name", "eye")
			s.stream(w, r)
			ended <- r.RemoteAddr
		})},
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Run(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	look := func() int64 {
		t.Helper()
		resp, err := http.Get("http://" + l.Addr().String() + "/one")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range maxViewers - 1 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1<<10)); err != nil { // it has begun
			t.Fatal(err)
		}
	}
	if n := look(); n != 8<<20 {
		t.Errorf("another viewer gets %d bytes", n)
	}
	for range maxViewers - 1 {
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("a viewer that does not read is not dropped")
		}
	}
	if n := look(); n != 8<<20 {
		t.Errorf("afterwards a viewer gets %d bytes", n)
	}
	for range maxViewers { // all places are free again
		select {
		case s.viewers <- struct{}{}:
		case <-time.After(patience):
			t.Fatal("a viewer that has gone keeps its place")
		}
	}
}

// A body that is too large is refused by every route of the web server, whether its length is announced or
// not, and takes no more memory than one of the largest size.
func TestOversizedBodies(t *testing.T) {
	s := serve(t)
	all, err := s.routes()
	if err != nil {
		t.Fatal(err)
	}
	// A JSON value without an end: what is no JSON is refused at its first byte.
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 256<<10, bytes.Repeat([]byte(" "), 256<<10))
	for i := range all {
		r := &all[i]
		if !r.For.TCP() {
			continue
		}
		path := request(r).URL.Path
		for _, length := range []string{"Content-Length: 1099511627776", "Transfer-Encoding: chunked"} {
			if testing.Short() && r.Takes != nil && strings.HasPrefix(length, "T") {
				continue // 16 MiB each
			}
			c, err := net.Dial("tcp", s.WebAddr())
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: pi.example\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", r.Method, path, s.act, length)
			written := make(chan int, 1)
			go func() { // until it is answered
				n := 0
				for {
					m, err := io.WriteString(c, chunk)
					if n += m; err != nil {
						written <- n
						return
					}
				}
			}()
			if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			c.Close()
			n := <-written
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Errorf("%s, %s: %v", r.Pattern(), length, err)
				continue
			}
			switch resp.StatusCode {
			case http.StatusRequestEntityTooLarge, http.StatusBadRequest:
			case http.StatusNotFound: // whatever the body, if it is not read
				if n > 16<<20 {
					t.Errorf("%s, %s: 404 after %d bytes", r.Pattern(), length, n)
				}
			default:
				t.Errorf("%s, %s: %d", r.Pattern(), length, resp.StatusCode)
			}
			if most := api.MaxBody + 16<<20; n > most { // and what the buffers of the connection take
				t.Errorf("%s, %s: %d bytes were taken", r.Pattern(), length, n)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*api.MaxBody { // buffers that grow by doubling
				t.Errorf("%s, %s: %d bytes of memory", r.Pattern(), length, grown)
			}
		}
	}
}
