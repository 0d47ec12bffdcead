package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/config"
	"pithings/api"
	"pithings/hw/mock"
	"pithings/spool/control"
	"pithings/spool/state"
)

// serviceOf returns a service of an agent.
func serviceOf[S Service](a *Agent) (s S) {
	for _, r := range a.services {
		if found, ok := r.Service.(S); ok {
			return found
		}
	}
	return s
}

func flowsOf(a *Agent) *flowService { return serviceOf[*flowService](a) }

// route returns a route of an agent.
func route(t *testing.T, a *Agent, method, path string) api.Route {
	t.Helper()
	all, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(r api.Route) bool { return r.Method == method && r.Path == path })
	if i < 0 {
		t.Fatalf("there is no route %s %s", method, path)
	}
	return all[i]
}

// get asks a route, past its audience.
func get(t *testing.T, a *Agent, w *httptest.ResponseRecorder, path string) {
	t.Helper()
	route(t, a, "GET", path).Handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
}

// routed is a service with nothing but routes.
type routed struct {
	name            string
	routes, control []api.Route
}

func (s routed) Name() string {
	if s.name != "" {
		return s.name
	}
	return "routed"
}
func (s routed) Run(context.Context) error { return nil }
func (s routed) Routes() []api.Route       { return s.routes }
func (s routed) Control() []api.Route      { return s.control }

// deeds are what services of a test do, in order.
type deeds struct {
	mu   sync.Mutex
	list []string
}

func (e *deeds) add(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, what)
}

func (e *deeds) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// throwAway is a service with all that a service can have.
type throwAway struct {
	name string
	did  *deeds
}

func (s *throwAway) Name() string { return s.name }
func (s *throwAway) Start(context.Context) error {
	s.did.add("start " + s.name)
	return nil
}
func (s *throwAway) Run(ctx context.Context) error {
	<-ctx.Done()
	s.did.add("end " + s.name)
	return nil
}
func (s *throwAway) Close() error {
	s.did.add("close " + s.name)
	return nil
}
func (s *throwAway) Health(add func(string, any)) { add(s.name, map[string]int{"n": 7}) }
func (s *throwAway) Collect(m *api.Metrics) {
	m.Family("pithings_"+s.name+"_n", "gauge", "The number of it.")
	m.Sample(7)
}
func (s *throwAway) Routes() []api.Route {
	return []api.Route{{Method: "GET", Path: "/api/v1/" + s.name, For: api.Look, Doc: "show the number",
		Handler: api.JSON(func(*http.Request) (any, error) { return 7, nil })}}
}
func (s *throwAway) Control() []api.Route {
	return []api.Route{{Method: "POST", Path: "/api/v1/" + s.name, For: api.Owner, Doc: "change the number",
		Handler: api.JSON(func(r *http.Request) (any, error) {
			var n int
			err := api.Decode(r, &n)
			return 2 * n, err
		})}}
}

// A service that is added is in /healthz, /metrics, the API and the socket, and starts and
// ends in its turn: no other file of the agent knows it.
func TestThrowAwayService(t *testing.T) {
	did := &deeds{}
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment, interval: 1h}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir, ready := t.TempDir(), make(chan struct{})
	service := func(name string) func(*Agent) (Service, error) {
		return func(*Agent) (Service, error) { return &throwAway{name, did}, nil }
	}
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: dir, Log: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		Services: []func(*Agent) (Service, error){service("first"), service("second")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(ctx, a)
	<-ready
	web := func(path string) string {
		resp, err := http.Get("http://" + a.WebAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", path, resp.Status, err)
		}
		return string(text)
	}
	health := web("/healthz")
	if first, second := strings.Index(health, `"first": {`), strings.Index(health, `"second": {`); first < strings.Index(health, `"clock"`) || second < first {
		t.Errorf("/healthz: %s", health)
	}
	if same := web("/api/v1/health"); !json.Valid([]byte(health)) || !strings.Contains(same, `"first": {`) {
		t.Errorf("/api/v1/health: %s", same)
	}
	if m := web("/metrics"); !strings.Contains(m, "\npithings_first_n 7\n") || !strings.HasSuffix(m, "\npithings_second_n 7\n") {
		t.Errorf("/metrics: %s", m)
	}
	if got := web("/api/v1/first"); got != "7\n" {
		t.Errorf("the API: %q", got)
	}
	client := control.NewClient((&state.Folder{Dir: dir}).Socket())
	defer client.Close()
	var n int
	if err := client.Do(t.Context(), "POST", "/api/v1/second", 21, &n); err != nil || n != 42 {
		t.Errorf("the socket: %d, %v", n, err)
	}
	if err := client.Do(t.Context(), "GET", "/api/v1/first", nil, &n); err != nil || n != 7 {
		t.Errorf("the socket serves what TCP does: %d, %v", n, err)
	}
	if resp, err := http.Post("http://"+a.WebAddr()+"/api/v1/second", "application/json", strings.NewReader("1")); err != nil || resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("TCP serves what is of the socket: %v, %v", resp, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if want := []string{"start first", "start second", "end second", "end first", "close second", "close first"}; !slices.Equal(did.all(), want) {
		t.Errorf("%q, want %q", did.all(), want)
	}
}

// start runs an agent.
func start(ctx context.Context, a *Agent) chan error {
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return ended
}

// failing is a service that fails some times, each time in another way, before it works.
type failing struct {
	runs      int
	essential bool
	fails     []func() error
}

func (s *failing) Name() string    { return "failing" }
func (s *failing) Essential() bool { return s.essential }
func (s *failing) Run(ctx context.Context) error {
	s.runs++
	if s.runs <= len(s.fails) {
		return s.fails[s.runs-1]()
	}
	<-ctx.Done()
	return nil
}

// A service that fails or panics is started again after pauses of 1 s to 60 s, and shown
// meanwhile.
func TestFailedServiceStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &failing{}
		for i := range 12 {
			if i%2 == 0 {
				s.fails = append(s.fails, func() error { return errors.New("no network") })
			} else {
				s.fails = append(s.fails, func() error { panic("oh") })
			}
		}
		registered, err := register(s)
		if err != nil {
			t.Fatal(err)
		}
		r := runner{log: slog.New(slog.DiscardHandler), fail: func(err error) { t.Errorf("the agent ends: %v", err) }}
		began := time.Now()
		if err := r.start(t.Context(), &registered); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if d := r.down()["failing"]; d.State != "down" || d.Error != "no network" {
			t.Errorf("%+v", d)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if d := r.down()["failing"]; d.Error != "internal error, please report it: oh" || !d.Since.Equal(began) {
			t.Errorf("%+v", d)
		}
		time.Sleep(12 * lastPause)
		synctest.Wait()
		if s.runs != 13 {
			t.Errorf("it ran %d times", s.runs)
		}
		if r.down() != nil {
			t.Errorf("it works, and is shown as %+v", r.down())
		}
		r.end()
	})
}

// An essential one ends the agent, in order.
func TestFailedEssentialServiceEndsTheAgent(t *testing.T) {
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	did, broken := &deeds{}, errors.New("it is broken")
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Log: slog.New(slog.DiscardHandler), Services: []func(*Agent) (Service, error){
		func(*Agent) (Service, error) { return &throwAway{"other", did}, nil },
		func(*Agent) (Service, error) {
			return &failing{essential: true, fails: []func() error{func() error { return broken }}}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if want := []string{"start other", "end other", "close other"}; !slices.Equal(did.all(), want) {
		t.Errorf("%q", did.all())
	}
}

// unstarted is a service that cannot start.
type unstarted struct {
	throwAway
	err error
}

func (s *unstarted) Start(context.Context) error { return s.err }

// One that cannot start ends the agent: what it has begun is ended, and those behind it do not
// start.
func TestServiceThatCannotStart(t *testing.T) {
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	did, no := &deeds{}, errors.New("no")
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Log: slog.New(slog.DiscardHandler), Ready: func() { t.Error("ready") }, Services: []func(*Agent) (Service, error){
		func(*Agent) (Service, error) { return &unstarted{throwAway{"cannot", did}, no}, nil },
		func(*Agent) (Service, error) { return &throwAway{"behind", did}, nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	if want := []string{"end cannot", "close behind", "close cannot"}; !slices.Equal(did.all(), want) {
		t.Errorf("%q", did.all())
	}
}
