package agent

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestBaseURL(t *testing.T) {
	broker := net.IPv4(192, 0, 2, 7)
	for name, tc := range map[string]struct {
		configured string
		listening  string
		toward     net.IP
		want       string
	}{
		"configured":                   {"https://hall.example/pi/", "127.0.0.1:8080", broker, "https://hall.example/pi"},
		"loopback":                     {"", "127.0.0.1:8080", broker, "http://127.0.0.1:8080"},
		"an address":                   {"", "198.51.100.3:80", broker, "http://198.51.100.3:80"},
		"an IPv6 address":              {"", "[2001:db8::1]:8080", broker, "http://[2001:db8::1]:8080"},
		"all addresses":                {"", "0.0.0.0:8080", broker, "http://192.0.2.7:8080"},
		"all, IPv6":                    {"", "[::]:8080", net.ParseIP("2001:db8::9"), "http://[2001:db8::9]:8080"},
		"all, no connection ever made": {"", "0.0.0.0:8080", nil, "http://127.0.0.1:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, err := net.ResolveTCPAddr("tcp", tc.listening)
			if err != nil {
				t.Fatal(err)
			}
			if got := baseURL(tc.configured, addr, tc.toward); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestLocalOnly(t *testing.T) {
	h := localOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("secret")) }))
	for _, tc := range []struct {
		client, host string
		want         int
	}{
		{"127.0.0.1:5000", "127.0.0.1:8080", 200},
		{"127.8.8.8:5000", "localhost:8080", 200},
		{"[::1]:5000", "[::1]:8080", 200},
		{"[::ffff:127.0.0.1]:5000", "LOCALHOST", 200},
		{"192.0.2.1:5000", "127.0.0.1:8080", 403},
		{"[2001:db8::1]:5000", "localhost", 403},
		{"127.0.0.1:5000", "evil.example:8080", 403},
		{"127.0.0.1:5000", "127.0.0.1.evil.example", 403},
		{"127.0.0.1:5000", "192.0.2.1:8080", 403},
		{"127.0.0.1:5000", "", 403},
		{"@", "localhost", 403},
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.RemoteAddr, r.Host = tc.client, tc.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("from %s for %s: %d, want %d", tc.client, tc.host, w.Code, tc.want)
		}
	}
}

func TestNextFreePort(t *testing.T) {
	first, err := newWeb("127.0.0.1:0", 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer first.listener.Close()
	if w, err := newWeb(first.Addr().String(), 1, slog.New(slog.DiscardHandler)); err == nil {
		w.listener.Close()
		t.Error("two on one port")
	}
	next, err := newWeb(first.Addr().String(), portsTried, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer next.listener.Close()
	if next.Addr().Port <= first.Addr().Port {
		t.Errorf("%v after %v", next.Addr(), first.Addr())
	}
	for _, bad := range []string{"", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"} {
		if w, err := newWeb(bad, 1, slog.New(slog.DiscardHandler)); err == nil {
			w.listener.Close()
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
