package agent

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/agent/web"
	"pithings/api"
	"pithings/hw/mock"
)

// everything is an agent with all services.
func everything(t *testing.T) *Agent {
	t.Helper()
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1}\nbroker: {listen: \"127.0.0.1:0\"}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\", playground: true}\nthings: [{name: b, type: environment}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Transcript: io.Discard, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// asker is a client of the web server, and whom of the audiences on TCP it belongs to.
type asker struct {
	name, client, host, origin, token string
	is                                []api.Audience
}

var askers = []asker{
	{"this machine", "127.0.0.1:5000", "127.0.0.1:8080", "", "", []api.Audience{api.Anyone, api.Monitors, api.Look}},
	{"this machine, another address", "127.8.8.8:5000", "localhost:8080", "", "", []api.Audience{api.Anyone, api.Monitors, api.Look}},
	{"this machine, IPv6", "[::1]:5000", "[::1]:8080", "", "", []api.Audience{api.Anyone, api.Monitors, api.Look}},
	{"this machine, IPv4 in IPv6", "[::ffff:127.0.0.1]:5000", "LOCALHOST", "", "", []api.Audience{api.Anyone, api.Monitors, api.Look}},
	{"a page of our own", "127.0.0.1:5000", "localhost:8080", "http://localhost:8080", "", []api.Audience{api.Anyone, api.Monitors, api.Look}},
	{"a page of another site", "127.0.0.1:5000", "localhost:8080", "http://evil.example", "", []api.Audience{api.Anyone}},
	{"a page of another port", "127.0.0.1:5000", "localhost:8080", "http://localhost:3000", "", []api.Audience{api.Anyone}},
	{"a page without a site", "127.0.0.1:5000", "localhost:8080", "null", "", []api.Audience{api.Anyone}},
	{"a page whose name resolves to us", "127.0.0.1:5000", "evil.example:8080", "", "", []api.Audience{api.Anyone}},
	{"a page whose name looks like us", "127.0.0.1:5000", "127.0.0.1.evil.example", "", "", []api.Audience{api.Anyone}},
	{"this machine, the host's address", "127.0.0.1:5000", "192.0.2.1:8080", "", "", []api.Audience{api.Anyone}},
	{"no host", "127.0.0.1:5000", "", "", "", []api.Audience{api.Anyone}},
	{"no address", "@", "localhost", "", "", []api.Audience{api.Anyone}},
	{"another host", "192.0.2.1:5000", "127.0.0.1:8080", "", "", []api.Audience{api.Anyone}},
	{"another host, IPv6", "[2001:db8::1]:5000", "localhost", "", "", []api.Audience{api.Anyone}},
	{"an allowed network", "192.168.7.9:5000", "192.168.7.1:8080", "", "", []api.Audience{api.Anyone, api.Monitors}},
	{"an allowed network, a page of another site", "192.168.7.9:5000", "192.168.7.1:8080", "http://evil.example", "", []api.Audience{api.Anyone}},
	{"an allowed network, a name that resolves to us", "192.168.7.9:5000", "evil.example", "", "", []api.Audience{api.Anyone}},
	{"the token", "192.0.2.1:5000", "proxy.example", "", "0123456789abcdef", []api.Audience{api.Anyone, api.Monitors}},
	{"a proxy on this machine", "127.0.0.1:5000", "localhost", "", "", []api.Audience{api.Anyone}},
	{"another token", "192.0.2.1:5000", "proxy.example", "", "0123456789abcdeF", []api.Audience{api.Anyone}},
}

// Every route answers its audience over TCP and no other client, and those of the local socket
// no client at all.
func TestRoutesAnswerTheirAudience(t *testing.T) {
	a := everything(t)
	all, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	allowed, err := web.NewAccess(web.Rules{Nets: []string{"192.168.7.0/24"}, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := web.New(l, 4, slog.New(slog.DiscardHandler))
	defer w.Close()
	w.Allow(allowed)
	for i := range all { // what the routes do is tested elsewhere
		all[i].Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	w.Serve(all)
	ask := func(r *api.Route, by asker) int {
		path := strings.NewReplacer("{id}", "x", "{file}", "x.png", "{name}", "x", "{$}", "").Replace(r.Path)
		req := httptest.NewRequest(r.Method, path, nil)
		req.RemoteAddr, req.Host = by.client, by.host
		if by.origin != "" {
			req.Header.Set("Origin", by.origin)
		}
		if by.name == "a proxy on this machine" {
			req.Header.Set("X-Forwarded-For", "203.0.113.9")
		}
		if by.token != "" {
			req.Header.Set("Authorization", "Bearer "+by.token)
		}
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, req)
		return answer.Code
	}
	seen := map[api.Audience]int{}
	for i := range all {
		r := &all[i]
		if err := r.Check(); err != nil {
			t.Error(err)
		}
		seen[r.For]++
		if r.For == api.Anyone && r.Method == http.MethodPost {
			continue // the login: see access_test.go
		}
		for _, by := range askers {
			want := http.StatusForbidden
			switch {
			case !r.For.TCP():
				want = http.StatusNotFound
			case (r.Method == http.MethodPost || r.Changes) && slices.Contains(by.is, api.Look):
				want = http.StatusUnauthorized
			case slices.Contains(by.is, r.For):
				want = http.StatusTeapot
			}
			if got := ask(r, by); got != want {
				t.Errorf("%s (%v) by %s: %d, want %d", r.Pattern(), r.For, by.name, got, want)
			}
		}
	}
	for who := api.Anyone; who <= api.Owner; who++ {
		if seen[who] == 0 {
			t.Errorf("no route for %v is tested", who)
		}
	}
	// These are all that TCP serves.
	var tcp []string
	for i := range all {
		if all[i].For.TCP() && !strings.HasPrefix(all[i].Path, playPrefix) {
			tcp = append(tcp, all[i].Pattern())
		}
	}
	slices.Sort(tcp)
	if !slices.Equal(tcp, overTCP) {
		t.Errorf("TCP serves %q, want %q", tcp, overTCP)
	}
}

// overTCP are the routes of the web server, without http.playground. None of them runs a command, shows a secret or a
// payload, or deploys more than things can do together; of the
// configuration they change what may be changed from afar.
var overTCP = []string{
	"GET /api/v1/agent", "GET /api/v1/config", "GET /api/v1/config/revisions", "GET /api/v1/config/schema", "GET /api/v1/connections", "GET /api/v1/doctor", "GET /api/v1/events", "GET /api/v1/flows", "GET /api/v1/flows/deployment",
	"GET /api/v1/flows/execution", "GET /api/v1/flows/executions", "GET /api/v1/gateway", "GET /api/v1/health", "GET /api/v1/history",
	"GET /api/v1/history/{thing}/{quantity}", "GET /api/v1/history/{thing}/{quantity}/history.csv", "GET /api/v1/log", "GET /api/v1/log/levels",
	"GET /api/v1/openapi.json", "GET /api/v1/part", "GET /api/v1/pictures", "GET /api/v1/queues/{id}", "GET /api/v1/queues/{id}/dead-letters",
	"GET /api/v1/reading", "GET /api/v1/session", "GET /api/v1/things", "GET /api/v1/things/{name}", "GET /api/v1/things/{name}/snapshot.jpg",
	"GET /api/v1/things/{name}/stream.mjpeg", "GET /healthz", "GET /metrics", "GET /pictures/", "GET /screen/{file}", "POST /api/v1/address",
	"POST /api/v1/config", "POST /api/v1/config/check", "POST /api/v1/config/revert",
	"POST /api/v1/flows/abort", "POST /api/v1/flows/check", "POST /api/v1/flows/delete", "POST /api/v1/flows/start", "POST /api/v1/flows/undeploy",
	"POST /api/v1/flows/write", "POST /api/v1/gateway/alarms/{name}/acknowledge", "POST /api/v1/gateway/try", "POST /api/v1/log/levels",
	"POST /api/v1/login", "POST /api/v1/logout", "POST /api/v1/part", "POST /api/v1/pictures/{name}/delete", "POST /api/v1/queues/{id}/dead-letters/delete",
	"POST /api/v1/queues/{id}/dead-letters/retry", "POST /api/v1/queues/{id}/dead-letters/show", "POST /api/v1/things/{name}/actions/{action}",
}

// A route without an audience, or with one that it must not have, ends the start.
func TestWrongRoutesAreRefused(t *testing.T) {
	ok := http.NotFoundHandler()
	for name, tc := range map[string]struct {
		s    Service
		want string
	}{
		"no audience":      {routed{routes: []api.Route{{Method: "GET", Path: "/api/v1/x", Doc: "x", Handler: ok}}}, "it has no audience"},
		"POST of monitors": {routed{routes: []api.Route{{Method: "POST", Path: "/api/v1/x", Doc: "x", For: api.Monitors, Handler: ok}}}, "monitors change nothing"},
		"no handler":       {routed{routes: []api.Route{{Method: "GET", Path: "/api/v1/x", Doc: "x", For: api.Group}}}, "no handler"},
		"no doc":           {routed{routes: []api.Route{{Method: "GET", Path: "/api/v1/x", For: api.Group, Handler: ok}}}, "no description"},
		"TCP control":      {routed{control: []api.Route{{Method: "GET", Path: "/api/v1/x", Doc: "x", For: api.Look, Handler: ok}}}, "of the local socket"},
		"taken path":       {routed{routes: []api.Route{{Method: "GET", Path: "/api/v1/things", Doc: "x", For: api.Group, Handler: ok}}}, "conflicts with pattern"},
		"the agent's":      {routed{routes: []api.Route{{Method: "GET", Path: "/healthz", Doc: "x", For: api.Group, Handler: ok}}}, "conflicts with pattern"},
		"another's":        {routed{routes: []api.Route{{Method: "GET", Path: "/api/v1/{x}/messages", Doc: "x", For: api.Group, Handler: ok}, {Method: "GET", Path: "/api/v1/queues/{x}", Doc: "x", For: api.Group, Handler: ok}}}, "conflicts with pattern"},
		"taken service":    {routed{name: "things"}, "two services things"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment}]\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Log: slog.New(slog.DiscardHandler),
				Services: []func(*Agent) (Service, error){func(*Agent) (Service, error) { return tc.s, nil }}})
			if err == nil {
				a.Close()
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// docs/api.md has every route of the agent, with its audience and what it does, and no other.
func TestRoutesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST) [^`]+)` \\| (\\w+) \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = m[2] + ": " + m[3]
	}
	all, err := everything(t).routes()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		r := &all[i]
		want := r.For.String() + ": " + r.Doc
		if got := documented[r.Pattern()]; got != want {
			t.Errorf("docs/api.md says of %s %q, want %q", r.Pattern(), got, want)
		}
		delete(documented, r.Pattern())
	}
	for pattern := range documented {
		t.Errorf("docs/api.md has %s, which is no route", pattern)
	}
}

// The services start in the order that docs/architecture.md gives, and end in the reverse one.
func TestServicesAreInOrder(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n## Services\n")
	part, _, _ = strings.Cut(part, "\n## ")
	var want, got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(part, -1) {
		want = append(want, m[1])
	}
	a := everything(t)
	for _, s := range a.services {
		got = append(got, s.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
