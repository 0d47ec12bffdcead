package display

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// site is a server of good and bad answers.
func site(t testing.TB) *httptest.Server {
	t.Helper()
	good := encodeJPEG(t, corners(64, 48))
	mux := http.NewServeMux()
	answer := func(path, kind string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		})
	}
	answer("/good.jpg", "image/jpeg", good)
	answer("/lies.txt", "text/plain", good)
	answer("/page.html", "text/html", []byte("<!DOCTYPE html><html><body>Please log in</body></html>"))
	answer("/page.jpg", "image/jpeg", []byte("<html><body>Please log in</body></html>"))
	answer("/cut.jpg", "image/jpeg", good[:len(good)/2])
	answer("/empty.jpg", "image/jpeg", nil)
	answer("/noise", "image/png", []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 0xff, 0x80})
	answer("/bomb.png", "image/png", pngHeader(60000, 60000))
	answer("/bomb.gif", "image/gif", gifHeader(65535, 65535))
	answer("/tall.png", "image/png", pngHeader(1, 1<<20))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		for junk := make([]byte, 64<<10); ; {
			if _, err := w.Write(junk); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/promise", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "99999999999")
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("u"))
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestHostileInputLeavesTheScreenAlone(t *testing.T) {
	srv := site(t)
	folder := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.png")
	if err := os.WriteFile(outside, encodePNG(t, corners(8, 8)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"in.png": encodePNG(t, corners(8, 8)), "notes.txt": []byte("hello"), "large.png": make([]byte, 600<<10)} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	links := os.Symlink(outside, filepath.Join(folder, "link.png")) == nil

	to := func(u string) string { return srv.URL + "/to?u=" + url.QueryEscape(u) }
	tests := []struct {
		name, uri string
		want      error
		say       string // part of the message
	}{
		{"body without end", srv.URL + "/endless", ErrTooLarge, "more than 524288 bytes"},
		{"promise of many bytes", srv.URL + "/promise", ErrTooLarge, "more than 524288 bytes"},
		{"PNG decompression bomb", srv.URL + "/bomb.png", ErrTooLarge, "PNG of 60000 x 60000 pixels"},
		{"GIF decompression bomb", srv.URL + "/bomb.gif", ErrTooLarge, "GIF of 65535 x 65535 pixels"},
		{"picture a million pixels high", srv.URL + "/tall.png", ErrTooLarge, "65535 a side"},
		{"web page", srv.URL + "/page.html", ErrPicture, "is a web page, not a picture"},
		{"web page called a JPEG", srv.URL + "/page.jpg", ErrPicture, "is a web page, not a picture"},
		{"noise called a PNG", srv.URL + "/noise", ErrPicture, "of no known kind"},
		{"nothing", srv.URL + "/empty.jpg", ErrPicture, "it is empty"},
		{"half a JPEG", srv.URL + "/cut.jpg", ErrPicture, "the JPEG is cut short"},
		{"404", srv.URL + "/missing.jpg", ErrPicture, "404 Not Found"},
		{"server error", srv.URL + "/error", ErrPicture, "500 Internal Server Error"},
		{"redirect loop", srv.URL + "/loop", ErrRefused, "more than 5 redirects"},
		{"redirect to link-local", to("http://169.254.169.254/latest/meta-data/"), ErrRefused, "169.254.169.254 is a link-local address"},
		{"redirect to mapped link-local", to("http://[::ffff:169.254.169.254]/"), ErrRefused, "169.254.169.254 is a link-local address"},
		{"redirect to a file", to("file:///etc/passwd"), ErrRefused, `redirect to scheme "file"`},
		{"redirect to data", to("data:image/png,x"), ErrRefused, `redirect to scheme "data"`},
		{"link-local", "http://169.254.169.254/", ErrRefused, "link-local"},
		{"link-local, IPv6", "http://[fe80::1]/", ErrRefused, "link-local"},
		{"link-local, IPv6 with zone", "http://[fe80::1%25eth0]/", ErrRefused, "link-local"},
		{"all zeroes", "http://0.0.0.0:80/", ErrRefused, "unspecified"},
		{"all zeroes, IPv6", "http://[::]:80/", ErrRefused, "unspecified"},
		{"multicast", "http://224.0.0.251/", ErrRefused, "multicast"},
		{"NAT64 of link-local", "http://[64:ff9b::a9fe:a9fe]/", ErrRefused, "link-local"},
		{"6to4 of link-local", "http://[2002:a9fe:a9fe::1]/", ErrRefused, "link-local"},
		{"denied network", "http://10.9.8.7/", ErrRefused, "denied network 10.0.0.0/8"},
		{"/etc/passwd", "file:///etc/passwd", ErrRefused, "in no folder that pictures may be read from"},
		{"out of the folder", "file://" + filepath.ToSlash(folder) + "/../" + filepath.Base(filepath.Dir(outside)) + "/secret.png", ErrRefused, "in no folder"},
		{"out of the folder, encoded", "file://" + filepath.ToSlash(folder) + "/%2e%2e/%2e%2e/etc/passwd", ErrRefused, "in no folder"},
		{"the folder itself", "file://" + filepath.ToSlash(folder), ErrRefused, "no regular file"},
		{"text file", "file://" + filepath.ToSlash(folder) + "/notes.txt", ErrPicture, "text/plain"},
		{"large file", "file://" + filepath.ToSlash(folder) + "/large.png", ErrTooLarge, "more than 524288 bytes"},
		{"file that is not there", "file://" + filepath.ToSlash(folder) + "/none.png", os.ErrNotExist, "none.png"},
		{"file on another host", "file://server/share/a.png", ErrRefused, "another host"},
		{"relative file", "file:a.png", ErrRefused, "no absolute file address"},
		{"data without comma", "data:image/png;base64", ErrPicture, "without a comma"},
		{"data with broken base64", "data:image/png;base64,%%%", ErrPicture, "data URI"},
		{"data with base64 of nothing known", "data:image/png;base64,####", ErrPicture, "broken base64"},
		{"data with broken escape", "data:image/png,%zz", ErrPicture, `"%zz"`},
		{"data that ends within an escape", "data:image/png,%8", ErrPicture, "ends within"},
		{"data of text", "data:,hello", ErrPicture, "text/plain"},
		{"data that is too long", "data:image/png;base64," + strings.Repeat("A", 3<<20), ErrTooLarge, "limit"},
		{"data that is too long when decoded", "data:image/png;base64," + strings.Repeat("A", 1<<20), ErrTooLarge, "limit"},
		{"javascript", "javascript:alert(1)", ErrRefused, `scheme "javascript"; use http, https, data or file`},
		{"ftp", "ftp://example.com/a.jpg", ErrRefused, `scheme "ftp"`},
		{"no scheme", "/etc/passwd", ErrRefused, "no scheme"},
		{"no host", "http:///a.jpg", ErrRefused, "names no host"},
		{"control characters", "http://example.com/\x00\n", ErrRefused, "no valid address"},
		{"overlong", "http://example.com/" + strings.Repeat("a", 9000), ErrTooLarge, "limit is 8192 bytes"},
	}
	if links {
		tests = append(tests, struct {
			name, uri string
			want      error
			say       string
		}{"link out of the folder", "file://" + filepath.ToSlash(folder) + "/link.png", nil, "escapes"})
	}

	f := newFake(rgb565)
	var logged bytes.Buffer
	s := New(f, "/dev/fb0", Opts{Fetch: FetchOpts{
		MaxBytes: 512 << 10, AllowFolders: []string{folder}, Own: anything,
		DenyNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}}, slog.New(slog.NewTextHandler(&logged, nil)))
	defer s.Close()
	if err := s.Show(context.Background(), srv.URL+"/good.jpg"); err != nil {
		t.Fatal(err)
	}
	before := f.snapshot()
	logged.Reset()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := s.Show(context.Background(), tc.uri)
			if err == nil {
				t.Fatal("shown")
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %q is not %q", err, tc.want)
			}
			if m := err.Error(); !strings.Contains(m, tc.say) || strings.Contains(m, "\n") || len(m) > 400 {
				t.Errorf("error %q: want one line that says %q", m, tc.say)
			}
			if !bytes.Equal(f.snapshot(), before) {
				t.Error("the screen has changed")
			}
		})
	}
	if logged.Len() > 0 {
		t.Errorf("logged what was returned: %s", &logged)
	}
}

// pngHeader is a whole PNG but for its pixels.
func pngHeader(w, h uint32) []byte {
	data := encodePNG(quietTB{}, image.NewGray(image.Rect(0, 0, 1, 1)))
	for i, v := range []uint32{w, h} {
		for j := range 4 {
			data[16+4*i+j] = byte(v >> (24 - 8*j))
		}
	}
	crc := crcOf(data[12:29])
	for j := range 4 {
		data[29+j] = byte(crc >> (24 - 8*j))
	}
	return data
}

func gifHeader(w, h int) []byte {
	return append([]byte("GIF89a"), byte(w), byte(w>>8), byte(h), byte(h>>8), 0, 0, 0, ',', 0, 0, 0, 0, byte(w), byte(w>>8), byte(h), byte(h>>8), 0, 8, 1, 0, 0)
}

func TestWhatIsFetched(t *testing.T) {
	srv := site(t)
	folder := t.TempDir()
	gif := encodeGIF(t, corners(16, 12))
	if err := os.Mkdir(filepath.Join(folder, "a b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a b", "p.gif"), gif, 0o600); err != nil {
		t.Fatal(err)
	}
	png := encodePNG(t, corners(16, 12))
	b64 := base64.StdEncoding.EncodeToString(png)
	var percent strings.Builder
	for _, c := range png {
		fmt.Fprintf(&percent, "%%%02x", c)
	}
	port := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://")).Port()
	for name, uri := range map[string]string{
		"http":                      srv.URL + "/good.jpg",
		"upper case, spaces around": " HTTP" + strings.TrimPrefix(srv.URL, "http") + "/good.jpg\n",
		"fragment":                  srv.URL + "/good.jpg#top",
		"wrong content type":        srv.URL + "/lies.txt",
		"redirect":                  srv.URL + "/to?u=/good.jpg",
		"by name":                   fmt.Sprintf("http://localhost:%d/good.jpg", port),
		"data, base64":              "data:image/png;base64," + b64,
		"data, URL-safe, unpadded":  "DATA:;base64," + base64.RawURLEncoding.EncodeToString(png),
		"data, escaped padding":     "data:image/png;BASE64," + strings.ReplaceAll(b64, "=", "%3D"),
		"data, folded":              "data:image/png;base64," + b64[:20] + "%0D%0A " + b64[20:],
		"data, percent-encoded":     "data:image/png," + percent.String(),
		"file":                      "file://" + filepath.ToSlash(folder) + "/a%20b/p.gif",
		"file, localhost":           "file://localhost" + filepath.ToSlash(folder) + "/a%20b/p.gif",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(rgb565)
			s := newScreen(t, f, Opts{Fetch: FetchOpts{AllowFolders: []string{t.TempDir(), folder}}})
			if err := s.Show(context.Background(), uri); err != nil {
				t.Fatal(err)
			}
			if f.isBlack() {
				t.Error("nothing is shown")
			}
		})
	}
}

func TestSlowServerIsGivenUp(t *testing.T) {
	for _, what := range []string{"header", "body"} {
		t.Run(what, func(t *testing.T) {
			stop := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if what == "body" {
					w.Write([]byte("\xff\xd8\xff"))
					w.(http.Flusher).Flush()
				}
				<-stop
			}))
			defer srv.Close()
			defer close(stop)
			s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{Timeout: 30 * time.Millisecond}})
			err := s.Show(context.Background(), srv.URL)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "longer than 30ms") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNoSecretsInErrors(t *testing.T) {
	srv := site(t)
	host := strings.TrimPrefix(srv.URL, "http://")
	s := newScreen(t, newFake(rgb565), Opts{})
	for _, uri := range []string{
		"http://user:hunter2@" + host + "/missing?sig=hunter2",
		"http://user:hunter2@" + host + "/to?u=http://169.254.1.1/%3Fsig%3Dhunter2",
		"http://user:hunter2@[bad/?hunter2",
		"http://user:hun@hunter2@127.0.0.1:1/?q#hunter2",
		"http://hunter2@127.0.0.1:1/a@b",
		"ftp://user:hunter2@host/",
		"//user:hunter2@host/x",
		"user:hunter2@host",
	} {
		err := s.Show(context.Background(), uri)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestRequestsTellNobodyElse(t *testing.T) {
	var final http.Header
	good := encodePNG(t, corners(8, 8))
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		final = r.Header.Clone()
		w.Write(good)
	}))
	defer other.Close()
	var first http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first = r.Header.Clone()
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
		http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
	}))
	defer srv.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s := newScreen(t, newFake(rgb565), Opts{})
	if err := s.Show(context.Background(), strings.Replace(srv.URL, "://", "://user:secret@", 1)+"/?signature=1"); err != nil {
		t.Fatal(err)
	}
	if first.Get("Authorization") == "" || first.Get("User-Agent") != "pithings" {
		t.Errorf("first request: %v", first)
	}
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		if v := final.Get(name); v != "" {
			t.Errorf("%s: %s went to the host redirected to", name, v)
		}
	}
}

// TestNamesAreCheckedWhenDialled has a name server whose answer changes after
// the first question, as in DNS rebinding.
func TestNamesAreCheckedWhenDialled(t *testing.T) {
	srv := site(t)
	port := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://")).Port()
	var hostile atomic.Bool
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerName(theirs, func() [4]byte {
			if hostile.Load() {
				return [4]byte{169, 254, 169, 254}
			}
			return [4]byte{127, 0, 0, 1}
		})
		return ours, nil
	}}
	f := newFake(rgb565)
	s := newScreen(t, f, Opts{})
	s.fetch.dialer.Resolver = resolver
	uri := fmt.Sprintf("http://camera.example:%d/good.jpg", port)
	if err := s.Show(context.Background(), uri); err != nil {
		t.Fatal(err)
	}
	before := f.snapshot()
	hostile.Store(true)
	s.fetch.client.CloseIdleConnections()
	err := s.Show(context.Background(), uri)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "169.254.169.254 is a link-local address") {
		t.Errorf("error %v", err)
	}
	if !bytes.Equal(f.snapshot(), before) {
		t.Error("the screen has changed")
	}
}

// answerName answers DNS questions over a stream (RFC 1035 §4.2.2), which is
// what the resolver speaks on a connection that is no packet connection.
func answerName(c net.Conn, address func() [4]byte) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := readFull(c, size[:]); err != nil {
			return
		}
		msg := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := readFull(c, msg); err != nil {
			return
		}
		var q dnsmessage.Message
		if q.Unpack(msg) != nil || len(q.Questions) != 1 {
			return
		}
		a := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true}, Questions: q.Questions}
		if q.Questions[0].Type == dnsmessage.TypeA {
			a.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: address()},
			}}
		}
		out, err := a.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append([]byte{byte(len(out) >> 8), byte(len(out))}, out...)); err != nil {
			return
		}
	}
}

func TestAllowedHostsAndNets(t *testing.T) {
	srv := site(t)
	for _, tc := range []struct {
		name string
		o    FetchOpts
		ok   bool
	}{
		{"everything", FetchOpts{}, true},
		{"this host", FetchOpts{AllowHosts: []string{"127.0.0.1"}}, true},
		{"another host", FetchOpts{AllowHosts: []string{"camera.example"}}, false},
		{"this net", FetchOpts{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, true},
		{"another net", FetchOpts{AllowNets: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}}, false},
		{"denied within allowed", FetchOpts{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, DenyNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScreen(t, newFake(rgb565), Opts{Fetch: tc.o})
			for _, path := range []string{"/good.jpg", "/to?u=/good.jpg"} {
				err := s.Show(context.Background(), srv.URL+path)
				if tc.ok != (err == nil) || !tc.ok && !errors.Is(err, ErrRefused) {
					t.Errorf("%s: error %v", path, err)
				}
			}
		})
	}
	s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{AllowHosts: []string{"127.0.0.1"}}})
	err := s.Show(context.Background(), srv.URL+"/to?u=http://localhost/good.jpg")
	if !errors.Is(err, ErrRefused) {
		t.Errorf("redirect to another host: %v", err)
	}
}

func TestAddressRules(t *testing.T) {
	deny := addressRules{loopback: true, deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for address, refused := range map[string]bool{
		"127.0.0.1": false, "::1": false, "192.168.1.5": false, "172.16.0.1": false, "fd00::1": false, "100.64.0.1": false,
		"8.8.8.8": false, "2a00:1450::1": false, "64:ff9b::808:808": false, "2002:808:808::1": false,
		"0.0.0.0": true, "0.1.2.3": true, "169.254.0.1": true, "224.0.0.1": true, "239.255.255.250": true, "255.255.255.255": true,
		"::": true, "fe80::1": true, "febf::1": true, "ff02::1": true, "fd00:ec2::254": true,
		"::ffff:169.254.1.1": true, "::169.254.1.1": true, "64:ff9b::169.254.1.1": true, "64:ff9b:1::169.254.1.1": true,
		"64:ff9b:1:a9fe:a9:fe00::": true, "2002:a9fe:101::1": true, "2001::ffff:ffff:5601:fefe": true, "2a00::5efe:169.254.1.1": true,
		"::ffff:0.0.0.0": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::10.1.2.3": true, "11.1.2.3": false,
	} {
		if err := deny.check(netip.MustParseAddr(address)); refused != errors.Is(err, ErrRefused) || refused != (err != nil) {
			t.Errorf("%s: %v", address, err)
		}
	}
	hosts := addressRules{hosts: []string{"a.example", ".b.example"}}
	for host, refused := range map[string]bool{"a.example": false, "A.Example.": false, "x.b.example": false,
		"b.example": true, "xb.example": true, "x.a.example": true, "": true} {
		if err := hosts.checkHost(host); refused != (err != nil) {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// TestPicturesOfLocalHosts: NAME.local is found (GoSungrow#83, go2rtc#857, glance#620), and
// the rules see what it was found to be.
func TestPicturesOfLocalHosts(t *testing.T) {
	srv := site(t)
	port := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://")).Port()
	for _, tc := range []struct {
		address string
		deny    []netip.Prefix
		want    string
	}{
		{"127.0.0.1", nil, ""},
		{"127.0.0.1", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "127.0.0.1 is in the denied network"},
		{"169.254.169.254", nil, "169.254.169.254 is a link-local address"},
	} {
		s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{DenyNets: tc.deny}})
		s.fetch.dialer.Avahi = avahi(t, "+ 1 0 camera.local "+tc.address+"\n")
		err := s.Show(context.Background(), fmt.Sprintf("http://camera.local:%d/good.jpg", port))
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s, denied %v: error %v", tc.address, tc.deny, err)
		}
	}
}

// avahi is a daemon that knows one answer to everything.
func avahi(t *testing.T, answer string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "avahi")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 512))
			_, _ = c.Write([]byte(answer))
			c.Close()
		}
	}()
	return socket
}
