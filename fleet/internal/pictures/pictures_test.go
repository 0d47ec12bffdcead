package pictures

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"pithings/camera/store"
	"pithings/fleet/internal/limited"
)

func album(seed uint64) *Album {
	return New(seed, 3, func(i int) string { return fmt.Sprintf("dev-%04d", i+1) })
}

// An address stands for one picture, and nothing else is one: not that of another seed, of a
// device that there is not, or with a letter changed.
func TestNames(t *testing.T) {
	a := album(7)
	seen := map[string]bool{}
	for device := range 3 {
		for _, number := range []uint32{0, 1, 2, 1<<32 - 1} {
			name := a.Name(device, number)
			if d, n, ok := a.Find(name); !ok || d != device || n != number || !store.IsName(name) || seen[name] {
				t.Errorf("%s: %d %d %v, want %d %d", name, d, n, ok, device, number)
			}
			seen[name] = true
			for i := range name {
				for _, letter := range "a7" {
					if other := name[:i] + string(letter) + name[i+1:]; other != name {
						if _, _, ok := a.Find(other); ok {
							t.Errorf("%s is a picture, too", other)
						}
					}
				}
			}
			if _, _, ok := album(8).Find(name); ok {
				t.Errorf("%s is one of seed 8, too", name)
			}
		}
	}
	for _, name := range []string{"", "x", a.Name(3, 1), strings.ToUpper(a.Name(1, 1)), "../" + a.Name(1, 1), a.Name(1, 1) + "?"} {
		if _, _, ok := a.Find(name); ok {
			t.Errorf("%q is a picture", name)
		}
	}
	if again := album(7).Name(1, 1); again != a.Name(1, 1) {
		t.Errorf("the same seed has another name, %s", again)
	}
}

func FuzzFind(f *testing.F) {
	a := album(7)
	f.Add(a.Name(2, 5))
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaaa.jpg")
	f.Fuzz(func(t *testing.T, name string) {
		if device, number, ok := a.Find(name); ok && a.Name(device, number) != name {
			t.Errorf("%q is picture %d of device %d, which has another name", name, number, device)
		}
	})
}

// Each picture is a small JPEG of its own, the same whenever it is drawn.
func TestPictures(t *testing.T) {
	long := New(7, 1, func(int) string { return strings.Repeat("Long_name.with:all-", 7)[:128] })
	seen := map[string]bool{}
	for _, tc := range []struct {
		a      *Album
		device int
		number uint32
	}{{album(7), 0, 1}, {album(7), 0, 2}, {album(7), 1, 1}, {album(8), 0, 1}, {long, 0, 1<<32 - 1}} {
		b, err := tc.a.Draw(t.Context(), tc.device, tc.number)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil || img.Bounds().Dx() != width || img.Bounds().Dy() != height || len(b) > 16<<10 || seen[string(b)] {
			t.Errorf("device %d number %d: %d bytes, %v", tc.device, tc.number, len(b), err)
		}
		seen[string(b)] = true
		for range 3 {
			if again, _ := tc.a.Draw(t.Context(), tc.device, tc.number); !bytes.Equal(again, b) {
				t.Errorf("device %d number %d: another picture the next time", tc.device, tc.number)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := album(1)
	for range drawn {
		<-a.pens
	}
	if _, err := a.Draw(ctx, 0, 1); err == nil {
		t.Error("drawn without a pen")
	}
}

// serve runs a server until the test, or stop, ends it.
func serve(t *testing.T, a *Album, address string, patience time.Duration) (s *Server, stop func()) {
	t.Helper()
	s, err := a.Listen(address, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.http.ReadHeaderTimeout = patience
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = func() {
		if cancel(); ended != nil {
			if err := <-ended; err != nil {
				t.Error(err)
			}
			ended = nil
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// The server answers with pictures, to GET and HEAD, and with nothing else.
func TestServer(t *testing.T) {
	a := album(7)
	s, stop := serve(t, a, "0.0.0.0:0", idle)
	if !strings.HasPrefix(s.Base(), "http://127.0.0.1:") {
		t.Errorf("%s is not where others reach it", s.Base())
	}
	uri := s.URI(1, 5)
	want, _ := a.Draw(t.Context(), 1, 5)
	for _, tc := range []struct {
		method, uri string
		status      int
		body        string
	}{
		{"GET", uri, 200, string(want)},
		{"HEAD", uri, 200, ""},
		{"POST", uri, 405, "only GET and HEAD\n"},
		{"GET", s.URI(3, 5), 404, "no such picture\n"},
		{"GET", s.Base(), 404, "no such picture\n"},
		{"GET", uri + "?x", 404, "no such picture\n"},
		{"GET", strings.Replace(uri, "/pictures/", "/", 1), 404, "no such picture\n"},
		{"GET", strings.Replace(uri, "/pictures/", "/pictures/../pictures/", 1), 404, "no such picture\n"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tc.status || string(body) != tc.body || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %d, %d bytes, %v; want %d and %d bytes", tc.method, tc.uri, resp.StatusCode, len(body), err, tc.status, len(tc.body))
		}
		if tc.status == 200 && (resp.Header.Get("Content-Type") != "image/jpeg" || resp.ContentLength != int64(len(want))) {
			t.Errorf("%s %s: %v", tc.method, tc.uri, resp.Header)
		}
	}
	for uri, want := range map[string][2]bool{uri: {true, true}, s.URI(3, 5): {true, false}, s.Base() + "x": {true, false}, "http://127.0.0.1:1/pictures/x": {}} {
		if ours, there := s.Has(uri); ours != want[0] || there != want[1] {
			t.Errorf("%s: ours %v, there %v", uri, ours, there)
		}
	}
	u, err := url.Parse(uri)
	if err != nil || !Own(u) {
		t.Errorf("a screen does not take %s for a picture of its own machine: %v", uri, err)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if c, err := net.Dial("tcp", u.Host); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// No more connections are open than there may be: one more is served when another is closed.
func TestConnectionsAreBounded(t *testing.T) {
	s, _ := serve(t, album(7), "127.0.0.1:0", time.Hour)
	u, err := url.Parse(s.Base())
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	for range connections {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	limit := s.listener.(*limited.Listener)
	for deadline := time.Now().Add(60 * time.Second); limit.Open() < connections; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections", limit.Open())
		}
	}
	answered := make(chan int, 1)
	go func() {
		c := http.Client{Timeout: 60 * time.Second}
		defer c.CloseIdleConnections()
		resp, err := c.Get(s.URI(0, 1))
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	select {
	case status := <-answered:
		t.Errorf("%d while all places are taken", status)
	case <-time.After(50 * time.Millisecond):
	}
	held[7].Close()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("%d with a place", status)
	}
}

// A connection on which nothing is asked is closed.
func TestSilentConnections(t *testing.T) {
	s, _ := serve(t, album(7), "127.0.0.1:0", 50*time.Millisecond)
	u, err := url.Parse(s.Base())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("GET /pictures/x HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it stays open")
	}
}
