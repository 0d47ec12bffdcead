package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pithings/api"
)

// Who may ask: programs on this machine, people at a browser, and clients with the token; not web pages
// of others, by whatever name.
func TestGate(t *testing.T) {
	open, locked := &Gate{names: []string{"localhost", "pi", "pi.local"}}, &Gate{token: NewToken("a secret of sixteen")}
	login := basic("me", "a secret of sixteen")
	for _, tc := range []struct {
		name         string
		host         string
		headers      string // Name: value, separated by |
		open, locked int
	}{
		{"curl", "127.0.0.1:8080", "", 200, 401},
		{"curl by name", "localhost:8080", "", 200, 401},
		{"by the machine's name", "PI.local.", "", 200, 401},
		{"by IPv6", "[::1]:8080", "", 200, 401},
		{"a name that resolves to us", "evil.example:8080", "", 403, 401},
		{"a name that looks like ours", "localhost.evil.example", "", 403, 401},
		{"no host", "", "", 403, 401},
		{"a browser's address bar", "localhost:8080", "Sec-Fetch-Site: none", 200, 401},
		{"our own page", "localhost:8080", "Sec-Fetch-Site: same-origin|Origin: http://localhost:8080|Referer: http://localhost:8080/", 200, 401},
		{"another port of this machine", "localhost:8080", "Sec-Fetch-Site: same-site", 403, 403},
		{"a page elsewhere", "127.0.0.1:8080", "Sec-Fetch-Site: cross-site", 403, 403},
		{"a form elsewhere, an older browser", "127.0.0.1:8080", "Origin: https://evil.example", 403, 403},
		{"a form of a file", "127.0.0.1:8080", "Origin: null", 403, 403},
		{"a picture elsewhere, an older browser", "127.0.0.1:8080", "Referer: https://evil.example/page", 403, 403},
		{"a picture elsewhere, without Referer, by http", "pi:8080", "User-Agent: Mozilla/5.0 (X11)|Authorization: Basic " + login, 403, 403},
		{"our own page, by http", "pi:8080", "User-Agent: Mozilla/5.0 (X11)|Referer: http://pi:8080/|Authorization: Basic " + login, 200, 200},
		{"curl with a login", "pi:8080", "User-Agent: curl/8.5|Authorization: Basic " + login, 200, 200},
		{"with the token", "fleet.example", "Authorization: Bearer a secret of sixteen", 403, 200},
		{"with the token and another case of the scheme", "127.0.0.1:8080", "Authorization: bearer a secret of sixteen", 200, 200},
		{"with the token as a password", "127.0.0.1:8080", "Authorization: Basic " + login, 200, 200},
		{"with another token", "127.0.0.1:8080", "Authorization: Bearer a secret of sixteeN", 200, 401},
		{"with no more than the scheme", "127.0.0.1:8080", "Authorization: Bearer ", 200, 401},
		{"with the token, from a page elsewhere", "127.0.0.1:8080", "Authorization: Basic " + login + "|Sec-Fetch-Site: cross-site", 403, 403},
	} {
		for g, want := range map[*Gate]int{open: tc.open, locked: tc.locked} {
			r := httptest.NewRequest("GET", "/press_on", nil)
			r.Host = tc.host
			for _, h := range strings.Split(tc.headers, "|") {
				if name, value, ok := strings.Cut(h, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			in := false
			g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in = true }), changes).ServeHTTP(w, r)
			if want != 200 && !(strings.Contains(w.Body.String(), `"ok":false`) && w.Header().Get("Content-Type") == "application/json") {
				t.Errorf("%s: %s", tc.name, w.Body)
			}
			if w.Code != want || in != (want == 200) {
				t.Errorf("%s, token %v: %d, want %d, handled %v", tc.name, g.token != nil, w.Code, want, in)
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil) // what only shows something may be asked for from the address bar
	r.Host = "pi:8080"
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11)")
	w := httptest.NewRecorder()
	open.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), changes).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("a browser's address bar, by http: %d", w.Code)
	}
	if !api.OwnHost("localhost", NewGate(nil).names) {
		t.Error("localhost is not this machine")
	}
}

func changes(r *http.Request) bool { return r.URL.Path == "/press_on" }

func basic(user, password string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

// A token that is empty is shown by no request without one.
func TestEmptyToken(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	if NewToken("").Shown(r) {
		t.Error("shown")
	}
}
