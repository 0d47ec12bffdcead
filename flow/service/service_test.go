package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/device"
	"pithings/flow"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// serve runs a server that records what it is asked.
func serve(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"method": %q, "path": %q, "query": %q, "key": %q, "type": %q, "body": %q}`,
			r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("X-Key"), r.Header.Get("Content-Type"), body)
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain \xff") })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{")
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2000)) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.invalid/", http.StatusFound)
	})
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/text", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestCall(t *testing.T) {
	server := serve(t)
	at := server.URL
	params := map[string]device.ValueType{"a": device.AnyType, "b": device.AnyType}
	do := func(a flow.ServiceAction) map[string]flow.ServiceAction {
		a.Params = params
		if a.Method == "" {
			a.Method = http.MethodGet
		}
		return map[string]flow.ServiceAction{"do": a}
	}
	in := flow.Values{"a": "x/y & z?", "b": 2.5}
	for _, tc := range []struct {
		name   string
		action flow.ServiceAction
		want   any // a value, or the text of an error
	}{
		{"get with query and header", flow.ServiceAction{URL: at + "/echo/", Query: map[string]any{"q": "${a}", "n": "${b}"}, Header: map[string]any{"X-Key": "k${b}"}},
			map[string]any{"method": "GET", "path": "/echo/", "query": "n=2.5&q=x%2Fy+%26+z%3F", "key": "k2.5", "type": "", "body": ""}},
		{"values in the path add no parts", flow.ServiceAction{URL: at + "/echo/${a}/${b}?q=${a}"},
			map[string]any{"method": "GET", "path": "/echo/x%2Fy%20&%20z%3F/2.5", "query": "q=x%2Fy+%26+z%3F", "key": "", "type": "", "body": ""}},
		{"post an object", flow.ServiceAction{Method: http.MethodPost, URL: at + "/echo/", Body: map[string]any{"n": "${b}", "t": "it is ${a}", "fix": true}},
			map[string]any{"method": "POST", "path": "/echo/", "query": "", "key": "", "type": "application/json", "body": `{"fix":true,"n":2.5,"t":"it is x/y \u0026 z?"}`}},
		{"post text", flow.ServiceAction{Method: http.MethodPost, URL: at + "/echo/", Text: "it is ${a}"},
			map[string]any{"method": "POST", "path": "/echo/", "query": "", "key": "", "type": "text/plain; charset=utf-8", "body": "it is x/y & z?"}},
		{"an answer of text", flow.ServiceAction{URL: at + "/text"}, "plain \uFFFD"},
		{"no answer", flow.ServiceAction{URL: at + "/none"}, nil},
		{"a redirect on the same host", flow.ServiceAction{URL: at + "/here"}, "plain \uFFFD"},
		{"bad JSON", flow.ServiceAction{URL: at + "/bad"}, errors.New("says that it is JSON, and is not")},
		{"not there", flow.ServiceAction{URL: at + "/gone"}, errors.New("404 Not Found")},
		{"too long", flow.ServiceAction{URL: at + "/long"}, errors.New("longer than 1000 bytes")},
		{"a redirect to another host", flow.ServiceAction{URL: at + "/away"}, errors.New("a redirect to another host (example.invalid)")},
		{"redirects without end", flow.ServiceAction{URL: at + "/loop"}, errors.New("more than 3 redirects")},
		{"slow", flow.ServiceAction{URL: at + "/slow"}, errors.New("it took longer than 300ms")},
		{"at AWS", flow.ServiceAction{Cloud: "a Lambda function"}, errors.New("is a Lambda function, which runs at AWS only; give a URL of your own")},
		{"a host from a value", flow.ServiceAction{URL: "http://${b}.example.com/"}, errors.New(`"2.5.example.com" is none of the hosts`)},
		{"a host with signs from a value", flow.ServiceAction{URL: "http://${a}.example.com/"}, errors.New("url: invalid URL escape")},
		{"a host that begins as an allowed one", flow.ServiceAction{URL: at + "${b}/"}, errors.New("")},
		{"a whole url from a value", flow.ServiceAction{URL: "${a}"}, errors.New("scheme")},
		{"a path that climbs", flow.ServiceAction{URL: at + "/echo/../x"}, errors.New(`".." in its path`)},
		{"other schemes", flow.ServiceAction{URL: "file:///etc/passwd"}, errors.New("write http:// or https://")},
		{"a password in the url", flow.ServiceAction{URL: "http://u:p@host/"}, errors.New("send a header")},
		{"a header that chooses", flow.ServiceAction{URL: at + "/echo/", Header: map[string]any{"host": "other"}}, errors.New("choose another server")},
		{"a header of two lines", flow.ServiceAction{URL: at + "/echo/", Header: map[string]any{"X-Key": "a\r\nb: c"}}, errors.New("invalid header")},
		{"a value that is not given", flow.ServiceAction{URL: at + "/echo/${c}"}, errors.New(`no variable "c"`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := New([]flow.ServiceModel{{ID: "svc", Actions: do(tc.action)}}, Options{AllowNets: loopback, MaxBytes: 1000, Timeout: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got, err := s.Call(t.Context(), "SVC", "Do", in)
			if want, isErr := tc.want.(error); isErr {
				if err == nil || !strings.Contains(err.Error(), want.Error()) {
					t.Errorf("got %v, %v; want %v", got, err, want)
				}
			} else if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %#v, %v\nwant %#v", got, err, tc.want)
			}
		})
	}
}

func TestErrorName(t *testing.T) {
	server := serve(t)
	s, err := New([]flow.ServiceModel{{ID: "svc", Actions: map[string]flow.ServiceAction{"do": {Method: "GET", URL: server.URL + "/busy"}}}}, Options{AllowNets: loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Call(t.Context(), "svc", "do", nil)
	var named interface{ ErrorName() string }
	if !errors.As(err, &named) || named.ErrorName() != "HTTP503" {
		t.Errorf("got %v", err)
	}
	if _, err := s.Call(t.Context(), "svcc", "do", nil); err == nil || !strings.Contains(err.Error(), `did you mean "svc"?`) {
		t.Errorf("got %v", err)
	}
	if has, known := s.Known("svc", "other"); has || !known {
		t.Error("it knows the action other")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Call(ctx, "svc", "do", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAddresses: what is dialled is checked, whatever the name says.
func TestAddresses(t *testing.T) {
	server := serve(t)
	u, _ := url.Parse(server.URL)
	for _, host := range []string{u.Host, "localhost:" + u.Port()} {
		s, err := New([]flow.ServiceModel{{ID: "svc", Actions: map[string]flow.ServiceAction{"do": {Method: "GET", URL: "http://" + host + "/text"}}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Call(t.Context(), "svc", "do", nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: got %v", host, err)
		}
		s.Close()
	}
	s, _ := New(nil, Options{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	for addr, ok := range map[string]bool{
		"192.168.1.5": true, "10.0.0.1": true, "93.184.216.34": true, "2606:4700::1": true, "fd12::1": true, "127.0.0.2": true,
		"127.0.0.1": false, "::1": false, "169.254.169.254": false, "fe80::1": false, "0.0.0.0": false, "::": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false, "2002:a9fe:a9fe::": false, "fd00:ec2::254": false, "0.1.2.3": false,
	} {
		if err := s.checkAddr(netip.MustParseAddr(addr)); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// FuzzAddress: no value of a flow chooses the host.
func FuzzAddress(f *testing.F) {
	for _, v := range []string{"x", "@evil.example/", "/../", "?a#b", "%2f", "..", "\x00"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		u, err := address(flow.ServiceAction{URL: "http://good.example/a/${v}?q=${v}"}, flow.Values{"v": v})
		if err != nil {
			return
		}
		if u.Host != "good.example" || u.User != nil || !strings.HasPrefix(u.EscapedPath(), "/a/") || strings.Count(u.EscapedPath(), "/") != 2 || u.Fragment != "" {
			t.Fatalf("%q: %s", v, u)
		}
		if got := u.Query()["q"]; len(u.Query()) != 1 || len(got) != 1 || got[0] != v {
			t.Fatalf("%q: %s", v, u.RawQuery)
		}
	})
}

// TestServicesOfLocalHosts: NAME.local is found (GoSungrow#83, glance#620), and what it is
// found to be is under the rules for addresses.
func TestServicesOfLocalHosts(t *testing.T) {
	server := serve(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	socket := filepath.Join(t.TempDir(), "avahi") // a daemon that knows one answer
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 512))
			_, _ = io.WriteString(c, "+ 1 0 hub.local 127.0.0.1\n")
			c.Close()
		}
	}()
	models := []flow.ServiceModel{{ID: "svc", Actions: map[string]flow.ServiceAction{"do": {Method: "GET", URL: "http://hub.local:" + port + "/none"}}}}
	for _, allowed := range [][]netip.Prefix{loopback, nil} {
		s, err := New(models, Options{AllowNets: allowed})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.dialer.Avahi = socket
		_, err = s.Call(t.Context(), "svc", "do", nil)
		if allowed != nil && err != nil || allowed == nil && !errors.Is(err, ErrRefused) {
			t.Errorf("allowed %v: error %v", allowed, err)
		}
	}
}
