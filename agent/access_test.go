package agent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/access"
	"pithings/agent/web"
	"pithings/api"
)

const testPassword = "correct horse battery"

// guarded is a web server with all routes of an agent, which do nothing, and what opens it.
type guarded struct {
	*web.Server
	door      *access.Door
	routes    []api.Route
	look, act string // tokens
}

// ofSessions are the routes that are tested with what they do.
var ofSessions = []string{"/api/v1/login", "/api/v1/logout", "/api/v1/session"}

// teapot answers for all other routes: what they do is tested elsewhere.
func teapot(routes []api.Route) []api.Route {
	routes = slices.Clone(routes)
	for i := range routes {
		if !slices.Contains(ofSessions, routes[i].Path) {
			routes[i].Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		}
	}
	return routes
}

// guard serves routes with a password and tokens. The sessions' routes are those of the server
// itself.
func guard(t *testing.T, routes []api.Route, rules web.Rules) *guarded {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{Server: web.New(l, 64, slog.New(slog.DiscardHandler))}
	t.Cleanup(func() { g.Close() })
	if g.door, err = access.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	g.Open(g.door, false)
	allowed, err := web.NewAccess(rules)
	if err != nil {
		t.Fatal(err)
	}
	g.Allow(allowed)
	own := g.Routes()
	for _, r := range teapot(routes) {
		for _, o := range own {
			if o.Pattern() == r.Pattern() && slices.Contains(ofSessions, r.Path) {
				r = o
			}
		}
		g.routes = append(g.routes, r)
	}
	g.Serve(g.routes)
	g.setPassword(t, testPassword)
	for role, token := range map[access.Role]*string{access.Look: &g.look, access.Act: &g.act} {
		if *token, err = g.door.AddToken(role.String(), role, nil); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func (g *guarded) setPassword(t *testing.T, password string) {
	t.Helper()
	hash, err := access.Hash(password)
	if err == nil {
		err = g.door.SetPassword(hash)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// request asks for a route from another host.
func request(r *api.Route) *http.Request {
	path := strings.NewReplacer("{id}", "x", "{file}", "x.png", "{name}", "x", "{$}", "").Replace(r.Path)
	return plainRequest(r.Method, path, "")
}

func plainRequest(method, path, body string) *http.Request {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.RemoteAddr, req.Host = "192.0.2.1:5000", "pi.example:8080"
	return req
}

func (g *guarded) do(req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, req)
	return w
}

// login begins a session, as a browser does.
func (g *guarded) login(t *testing.T) (cookie, csrf string) {
	t.Helper()
	w := g.do(plainRequest("POST", "/api/v1/login", fmt.Sprintf(`{"password": %q}`, testPassword)))
	var is struct{ CSRF string }
	if err := json.Unmarshal(w.Body.Bytes(), &is); err != nil || w.Code != http.StatusOK || is.CSRF == "" {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()
	if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" {
		t.Fatalf("login: cookies %v", c)
	}
	return c[0].Name + "=" + c[0].Value, is.CSRF
}

// caller is a client of another host or this one, and as what it is served.
type caller struct {
	name    string
	prepare func(*http.Request)
	get     access.Role // as which it may GET
	post    access.Role // and POST
	refused int         // how it is refused what it may not
	login   int         // how a login with the right password is answered, if not with 200
}

// Every route by every client: no login, look, act, wrong token, expired session, after logout,
// after a change of the password, without CSRF, from other sites, through proxies, by a name that
// resolves to us. (Issue L, must hold 1.)
func TestEveryRouteByEveryClient(t *testing.T) {
	all, err := everything(t).routes()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		g := guard(t, all, web.Rules{Proxies: []string{"10.0.0.0/8"}})
		bearer := func(token string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
		}
		session := func(cookie, csrf string) func(*http.Request) {
			return func(r *http.Request) {
				r.Header.Set("Cookie", cookie)
				if csrf != "" {
					r.Header.Set("X-CSRF-Token", csrf)
				}
			}
		}
		here := func(headers ...string) func(*http.Request) {
			return func(r *http.Request) {
				r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8080"
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
			}
		}
		both := func(all ...func(*http.Request)) func(*http.Request) {
			return func(r *http.Request) {
				for _, f := range all {
					f(r)
				}
			}
		}
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(name, value) }
		}
		host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
		from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
		// Sessions that are over, made first, for a change of the password ends all.
		changed, changedCSRF := g.login(t)
		g.setPassword(t, testPassword)
		idle, idleCSRF := g.login(t)
		old, oldCSRF := g.login(t)
		for range 20 { // in use all the time
			time.Sleep(11 * time.Hour)
			g.door.Session(strings.TrimPrefix(old, "pithings-session="), "")
		}
		left, leftCSRF := g.login(t)
		w := g.do(func() *http.Request {
			r := plainRequest("POST", "/api/v1/logout", "")
			session(left, leftCSRF)(r)
			return r
		}())
		if w.Code != http.StatusOK {
			t.Fatalf("logout: %d %s", w.Code, w.Body)
		}
		cookie, csrf := g.login(t)
		if _, err := g.door.AddToken("near", access.Act, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}); err != nil {
			t.Fatal(err)
		}
		near, err := g.door.AddToken("far", access.Act, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
		if err != nil {
			t.Fatal(err)
		}
		const no, denied = http.StatusUnauthorized, http.StatusForbidden
		for _, by := range []caller{
			{"no login", func(*http.Request) {}, access.None, access.None, no, 0},
			{"this machine", here(), access.Look, access.None, no, 0},
			{"look token", bearer(g.look), access.Look, access.Look, denied, 0},
			{"act token", bearer(g.act), access.Act, access.Act, 0, 0},
			{"wrong token", bearer(g.act + "x"), access.None, access.None, no, 0},
			{"empty token", bearer(""), access.None, access.None, no, 0},
			{"token from its network", both(bearer(near), from("198.51.100.7:1")), access.Act, access.Act, 0, 0},
			{"token from another network", bearer(near), access.None, access.None, no, 0},
			{"token from its network, by a proxy", both(bearer(near), from("10.1.1.1:1"), header("X-Forwarded-For", "198.51.100.7")), access.Act, access.Act, 0, 0},
			{"token with a forged address", both(bearer(near), header("X-Forwarded-For", "198.51.100.7")), access.None, access.None, no, 0},
			{"token with a forged address, by a proxy", both(bearer(near), from("10.1.1.1:1"), header("X-Forwarded-For", "198.51.100.7, 203.0.113.9")), access.None, access.None, no, 0},
			{"session", session(cookie, csrf), access.Act, access.Act, 0, 0},
			{"session without CSRF", session(cookie, ""), access.Act, access.None, denied, 0},
			{"session with the CSRF of another", session(cookie, leftCSRF), access.Act, access.None, denied, 0},
			{"unknown session", session("pithings-session=x", "x"), access.None, access.None, no, 0},
			{"idle session", session(idle, idleCSRF), access.None, access.None, no, 0},
			{"old session", session(old, oldCSRF), access.None, access.None, no, 0},
			{"after logout", session(left, leftCSRF), access.None, access.None, no, 0},
			{"after a change of the password", session(changed, changedCSRF), access.None, access.None, no, 0},
			{"session, a page of another site", both(session(cookie, csrf), header("Origin", "http://evil.example")), access.None, access.None, denied, denied},
			{"session, marked cross-site", both(session(cookie, csrf), header("Sec-Fetch-Site", "cross-site")), access.None, access.None, denied, denied},
			{"act token, marked cross-site", both(bearer(g.act), header("Sec-Fetch-Site", "cross-site")), access.None, access.None, denied, denied},
			{"session, a page of another port", both(session(cookie, csrf), header("Sec-Fetch-Site", "same-site")), access.None, access.None, denied, denied},
			{"session, a page of ours", both(session(cookie, csrf), header("Origin", "http://pi.example:8080"), header("Sec-Fetch-Site", "same-origin")), access.Act, access.Act, 0, 0},
			{"session, a page of ours with TLS", both(session(cookie, csrf), header("Origin", "https://pi.example:8080")), access.None, access.None, denied, denied},
			{"session, a page of ours by a proxy with TLS", both(session(cookie, csrf), from("10.1.1.1:1"), header("Origin", "https://home.example"), header("X-Forwarded-Host", "home.example"), header("X-Forwarded-Proto", "https")), access.Act, access.Act, 0, 0},
			{"a name that resolves to us", both(here(), host("evil.example")), access.None, access.None, no, 0},
			{"a proxy that forwards from the internet", here("X-Forwarded-For", "203.0.113.9"), access.None, access.None, no, 0},
			{"one that hides from whom", here("X-Forwarded-Proto", "https"), access.None, access.None, no, 0},
			{"one that speaks RFC 7239", here("Forwarded", "for=203.0.113.9"), access.None, access.None, no, 0},
			{"one that names this machine", here("X-Forwarded-For", "127.0.0.1"), access.None, access.None, no, 0},
			{"a trusted proxy that names this machine", both(from("10.1.1.1:1"), host("localhost"), header("X-Forwarded-For", "127.0.0.1")), access.None, access.None, no, 0},
			{"this machine, a page of another site", here("Sec-Fetch-Site", "cross-site"), access.None, access.None, denied, denied},
		} {
			for i := range g.routes {
				r := &g.routes[i]
				req := request(r)
				by.prepare(req)
				want, role := http.StatusTeapot, by.get
				if r.Method == http.MethodPost || r.Changes {
					role = by.post
				}
				if r.Path == "/api/v1/session" {
					want = http.StatusOK
				}
				switch {
				case r.Path == "/api/v1/login", r.Path == "/api/v1/logout":
					continue // below, and above
				case !r.For.TCP():
					want = http.StatusNotFound
				case r.For == api.Anyone:
				case r.For == api.Monitors && by.get == access.None:
					want = denied
				case r.For == api.Look && role < access.Look, r.For == api.Act && role < access.Act:
					want = by.refused
				}
				if got := g.do(req).Code; got != want {
					t.Errorf("%s: %s: %d, want %d", by.name, r.Pattern(), got, want)
				}
			}
			req := plainRequest("POST", "/api/v1/login", fmt.Sprintf(`{"password": %q}`, testPassword))
			by.prepare(req)
			time.Sleep(time.Minute) // the limit of attempts is not what is tested here
			want := http.StatusOK
			if by.login != 0 {
				want = by.login
			}
			if strings.HasPrefix(by.name, "session") && want == http.StatusOK {
				continue // a login ends the session before
			}
			if got := g.do(req).Code; got != want {
				t.Errorf("%s: login: %d, want %d", by.name, got, want)
			}
		}
	})
}

// Until a password is set only this machine is served, whatever tokens there are; whoever runs a
// simulation may act on this machine.
func TestWithoutAPassword(t *testing.T) {
	all, err := everything(t).routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, simulated := range []bool{false, true} {
		g := guard(t, all, web.Rules{})
		door, err := access.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		token, err := door.AddToken("x", access.Act, nil)
		if err != nil {
			t.Fatal(err)
		}
		g.Open(door, simulated)
		for i := range g.routes {
			r := &g.routes[i]
			if r.For != api.Look && r.For != api.Act || r.Path == "/api/v1/logout" || r.Path == "/api/v1/session" {
				continue
			}
			ask := func(prepare func(*http.Request)) int {
				req := request(r)
				prepare(req)
				return g.do(req).Code
			}
			if got := ask(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }); got != http.StatusForbidden {
				t.Errorf("%s by a token from another host: %d", r.Pattern(), got)
			}
			here := func(r *http.Request) { r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost" }
			if got := ask(func(r *http.Request) { here(r); r.Header.Set("Authorization", "Bearer "+token) }); got != http.StatusTeapot {
				t.Errorf("%s by a token from this machine: %d", r.Pattern(), got)
			}
			want := http.StatusTeapot
			if r.For == api.Act && !simulated {
				want = http.StatusUnauthorized
			}
			if got := ask(here); got != want {
				t.Errorf("%s from this machine, simulated %v: %d, want %d", r.Pattern(), simulated, got, want)
			}
			if got := ask(func(r *http.Request) { here(r); r.Header.Set("Origin", "http://evil.example") }); got != http.StatusForbidden {
				t.Errorf("%s by a page of another site: %d", r.Pattern(), got)
			}
		}
		if got := g.do(plainRequest("POST", "/api/v1/login", `{"password": ""}`)).Code; got != http.StatusForbidden {
			t.Errorf("login without a password: %d", got)
		}
	}
}

// Paths that lead out of a folder reach no handler, with and without the path of a proxy.
func TestPathTraversal(t *testing.T) {
	all, err := everything(t).routes()
	if err != nil {
		t.Fatal(err)
	}
	g := guard(t, all, web.Rules{BasePath: "/pithings"})
	for _, path := range []string{
		"/pictures/../metrics", "/pictures/..%2fmetrics", "/pictures/%2e%2e/metrics", "/pithings/../healthz", "/pithings/..%2f..%2fetc/passwd",
		"//healthz", "/pithings//healthz", "/screen/..%5cx.png", "/pictures/%00", "/./healthz", "/pithingshealthz", "/healthz/", "/pithings/pithings/healthz",
	} {
		req := plainRequest("GET", path, "")
		req.RemoteAddr, req.Host = "127.0.0.1:1", "localhost"
		if got := g.do(req); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
	}
	for path, want := range map[string]string{"/pithings/healthz": "", "/healthz": "", "/pithings/pictures": "/pithings/pictures/", "/pithings/api/v1/things": ""} {
		req := plainRequest("GET", path, "")
		req.RemoteAddr, req.Host = "127.0.0.1:1", "localhost"
		got := g.do(req)
		if got.Header().Get("Location") != want || want == "" && got.Code != http.StatusTeapot {
			t.Errorf("%s: %d, Location %q", path, got.Code, got.Header().Get("Location"))
		}
	}
}

// The body of a login is small, and wrong ones are refused.
func TestLoginBodies(t *testing.T) {
	g := guard(t, new(web.Server).Routes(), web.Rules{})
	for body, want := range map[string]int{
		`{"password": "` + strings.Repeat("x", 5000) + `"}`: http.StatusRequestEntityTooLarge,
		`{"password": "` + strings.Repeat("x", 2000) + `"}`: http.StatusUnauthorized,
		`{"password": 7}`: http.StatusBadRequest,
		``:                http.StatusBadRequest,
		`{}`:              http.StatusUnauthorized,
	} {
		if got := g.do(plainRequest("POST", "/api/v1/login", body)); got.Code != want {
			t.Errorf("%.30q: %d %s, want %d", body, got.Code, got.Body, want)
		}
	}
}
