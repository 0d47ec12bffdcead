package web

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"pithings/agent/access"
	"pithings/api"
)

// /metrics of 200 Pis is for the host that collects them, and for no other host in the network.
func TestMetricsForNamedNetworksOrAToken(t *testing.T) {
	sum := sha256.Sum256([]byte("0123456789abcdef"))
	open := Access{nets: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24"), netip.MustParsePrefix("fd00::/8")}, names: []string{"pi", "pi.local"}, token: &sum}
	closed := Access{names: open.names}
	for _, tc := range []struct {
		client, host, authorization string
		want, closed                bool
	}{
		{"127.0.0.1:5000", "localhost:8080", "", true, true},
		{"127.0.0.1:5000", "evil.example:8080", "", false, false},
		{"192.168.7.9:5000", "192.168.7.1:8080", "", true, false},
		{"[::ffff:192.168.7.9]:5000", "pi.local:8080", "", true, false},
		{"[fd00::9%eth0]:5000", "[fd00::1]:8080", "", true, false},
		{"192.168.7.9:5000", "evil.example:8080", "", false, false}, // its name resolves to us
		{"192.168.8.9:5000", "192.168.7.1:8080", "", false, false},
		{"192.168.8.9:5000", "proxy.example", "Bearer 0123456789abcdef", true, false},
		{"192.168.8.9:5000", "192.168.7.1:8080", "Bearer 0123456789abcdeF", false, false},
		{"192.168.8.9:5000", "192.168.7.1:8080", "Bearer ", false, false},
		{"192.168.8.9:5000", "192.168.7.1:8080", "Basic 0123456789abcdef", false, false},
		{"@", "192.168.7.1", "", false, false},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr, r.Host = tc.client, tc.host
		if tc.authorization != "" {
			r.Header.Set("Authorization", tc.authorization)
		}
		if got := monitors(&open, r); got != tc.want {
			t.Errorf("from %s for %s with %q: %v, want %v", tc.client, tc.host, tc.authorization, got, tc.want)
		}
		if got := monitors(&closed, r); got != tc.closed {
			t.Errorf("closed: from %s for %s with %q: %v, want %v", tc.client, tc.host, tc.authorization, got, tc.closed)
		}
	}
}

// monitors reports whether a request may see /metrics.
func monitors(x *Access, r *http.Request) bool {
	var s Server
	s.Allow(x)
	door, _ := access.Open("")
	s.Open(door, false)
	_, d := s.decide(r, access.NeedMonitor, &api.Route{Method: "GET", For: api.Monitors})
	return d.Allowed()
}
