package agent

import (
	"bufio"
	"context"
	"fmt"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/spool/control"
)

// served is an agent with a simulated camera, at work, that has a password and tokens.
type served struct {
	*Agent
	url       string
	look, act string
}

func serve(t *testing.T) *served {
	t.Helper()
	return serveThings(t, "things: [{name: eye, type: camera, size: 64x48, warm_up_frames: 0}]\n")
}

// serveThings is an agent with simulated things, and what else a configuration says.
func serveThings(t *testing.T, text string) *served {
	t.Helper()
	cfg, _, err := config.Parse("test", []byte("broker: {listen: \"127.0.0.1:0\"}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\", max_connections: 16}\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Ready: func() { close(ready) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &served{Agent: a, url: "http://" + a.WebAddr()}
	hash, err := access.Hash(testPassword)
	if err == nil {
		err = a.web.door.SetPassword(hash)
	}
	if err == nil {
		s.look, err = a.web.door.AddToken("look", access.Look, nil)
	}
	if err == nil {
		s.act, err = a.web.door.AddToken("act", access.Act, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-ready
	return s
}

// ask sends a request as one of another host does: by a name that is not local.
func (s *served) ask(t *testing.T, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "pi.example"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// Cameras are seen by a token in the header or the address, and by a signed address until it ends.
func TestSnapshots(t *testing.T) {
	s := serve(t)
	const path = "/api/v1/things/eye/snapshot.jpg"
	until := func(d time.Duration) string {
		query, err := s.web.door.Sign(path, time.Now().Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return "?" + query
	}
	good := until(time.Hour)
	for _, tc := range []struct {
		path    string
		headers []string
		want    int
	}{
		{path, nil, 401},
		{path, []string{"Authorization", "Bearer " + s.look}, 200},
		{path + "?token=" + s.look, nil, 200},
		{path + "?token=" + s.look + "x", nil, 401},
		{path + "?token=" + s.look, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"/api/v1/things?token=" + s.look, nil, 401}, // of no other route
		{path + good, nil, 200},
		{path + until(-time.Second), nil, 401},
		{path + good + "x", nil, 401},
		{"/api/v1/things/eye/stream.mjpeg" + good, nil, 401},
		{"/api/v1/things/other/snapshot.jpg?token=" + s.look, nil, 404},
	} {
		resp := s.ask(t, "GET", tc.path, "", tc.headers...)
		if resp.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(tc.path, s.look, "TOKEN"), resp.StatusCode, tc.want)
		}
		if resp.StatusCode == http.StatusOK {
			if _, err := jpeg.Decode(resp.Body); err != nil {
				t.Errorf("%s: %v", tc.path, err)
			}
		}
	}
	for body, want := range map[string]int{
		`{"path": "` + path + `", "for": "1h"}`:                    200,
		`{"path": "` + path + `", "for": "721h"}`:                  400,
		`{"path": "` + path + `", "for": "0s"}`:                    400,
		`{"path": "/api/v1/things", "for": "1h"}`:                  400,
		`{"path": "/api/v1/things/../snapshot.jpg", "for": "1h"}`:  400,
		`{"path": "http://evil.example` + path + `", "for": "1h"}`: 400,
	} {
		if resp := s.ask(t, "POST", "/api/v1/address", body, "Authorization", "Bearer "+s.act); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, resp.StatusCode, want)
		}
	}
	// A key that is made anew ends all addresses.
	if err := os.Remove(s.folder.Dir + "/web-access/key"); err != nil {
		t.Fatal(err)
	}
	door, err := access.Open(s.folder.Dir)
	if err != nil {
		t.Fatal(err)
	}
	s.web.Open(door, false)
	if resp := s.ask(t, "GET", path+good, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an address of another key: %d", resp.StatusCode)
	}
}

// A stream gives picture after picture, does not count as a connection, and ends with the token.
func TestStreams(t *testing.T) {
	s := serve(t)
	const path = "/api/v1/things/eye/stream.mjpeg?token="
	watch := func() (*multipart.Reader, *http.Response) {
		resp := s.ask(t, "GET", path+s.look, "")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d", resp.StatusCode)
		}
		return multipart.NewReader(resp.Body, "frame"), resp
	}
	see := func(m *multipart.Reader) error {
		p, err := m.NextRawPart()
		if err == nil {
			_, err = jpeg.Decode(p)
		}
		return err
	}
	var all []*multipart.Reader
	for range maxViewers {
		m, _ := watch()
		all = append(all, m)
		for range 2 {
			if err := see(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if resp := s.ask(t, "GET", path+s.look, ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", resp.StatusCode)
	}
	if err := s.web.door.RevokeToken("look"); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		var err error
		for range 10 { // what is on its way
			if err = see(m); err != nil {
				break
			}
		}
		if err == nil {
			t.Error("a stream outlives its token")
		}
	}
}

// 10,000 wrong passwords take no memory and lock no one out who has a session; nor do clients that
// send their requests slowly. (Issue L, must hold 1.)
func TestAttacksOnTheLogin(t *testing.T) {
	s := serve(t)
	attempts := 10_000
	if testing.Short() {
		attempts = 1000
	}
	login := s.ask(t, "POST", "/api/v1/login", fmt.Sprintf(`{"password": %q}`, testPassword))
	if login.StatusCode != http.StatusOK {
		t.Fatalf("login: %d", login.StatusCode)
	}
	cookie := login.Cookies()[0]
	owner := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}).DialContext}}
	defer owner.CloseIdleConnections()
	works := func() {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/things", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "pi.example"
		r.AddCookie(cookie)
		resp, err := owner.Do(r)
		if err != nil {
			t.Fatalf("the owner is locked out: %v", err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("the owner is locked out: %d, %v", resp.StatusCode, err)
		}
	}
	works()
	var slow []net.Conn // more than there may be
	for range 40 {
		c, err := net.Dial("tcp", s.WebAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Le"); err != nil {
			continue // closed for another
		}
		slow = append(slow, c)
		works()
	}
	for _, c := range slow {
		c.Close()
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	answers := map[int]int{}
	c, err := net.Dial("tcp", s.WebAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	const wrong = `{"password": "wrong password"}`
	var most uint64
	for i := range attempts {
		if _, err := fmt.Fprintf(c, "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(wrong), wrong); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		answers[resp.StatusCode]++
		if i%100 == 0 {
			works()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapInuse+after.StackInuse)
		}
	}
	if len(answers) != 2 || answers[http.StatusUnauthorized] < 4 || answers[http.StatusUnauthorized] > 60 || answers[http.StatusTooManyRequests] == 0 {
		t.Errorf("answers %v", answers)
	}
	if grown := int64(most) - int64(before.HeapInuse+before.StackInuse); grown > 25<<20 {
		t.Errorf("%d bytes more in use", grown)
	} else {
		t.Logf("%d bytes more in use at most; answers %v", grown, answers)
	}
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapSys-after.HeapReleased) - int64(before.HeapSys-before.HeapReleased); kept > 25<<20 {
		t.Errorf("%d bytes more are kept from the system", kept)
	}
}

// The owner sets the password and tokens of a running agent on the local socket.
func TestCredentialsOnTheSocket(t *testing.T) {
	s := serve(t)
	c := control.NewClient(s.folder.Socket())
	defer c.Close()
	token, password, err := AskToken(t.Context(), c, NewToken{Name: "x", Role: "look", From: []string{"127.0.0.0/8"}})
	if err != nil || !password {
		t.Fatalf("%v %v", password, err)
	}
	things := func() int {
		return s.ask(t, "GET", "/api/v1/things", "", "Authorization", "Bearer "+token).StatusCode
	}
	if got := things(); got != http.StatusOK {
		t.Errorf("the token: %d", got)
	}
	if all, err := AskTokens(t.Context(), c); err != nil || len(all) != 3 || all[2].Name != "x" || all[2].SHA256 != "" || all[2].Used == "" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := AskRevoke(t.Context(), c, "x"); err != nil || things() != http.StatusUnauthorized {
		t.Errorf("revoked: %v", err)
	}
	hash, err := access.Hash("another password")
	if err == nil {
		err = AskPassword(t.Context(), c, hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]int{"another password": 200, testPassword: 401} {
		if got := s.ask(t, "POST", "/api/v1/login", fmt.Sprintf(`{"password": %q}`, given)).StatusCode; got != want {
			t.Errorf("%s: %d", given, got)
		}
	}
	if err := AskPassword(t.Context(), c, "x"); err == nil {
		t.Error("any text is a hash")
	}
	// Sessions are of the web server.
	if err := c.Do(t.Context(), http.MethodPost, "/api/v1/login", map[string]string{"password": testPassword}, nil); err == nil || !strings.Contains(err.Error(), "needs no session") {
		t.Errorf("login on the socket: %v", err)
	}
}
