package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	pages "pithings/awsiot/playground"
	"pithings/awsiot/provision"
	"pithings/fleet/internal/playground"
	"pithings/fleet/internal/web"
)

// HTTP says where a fleet is changed from outside (docs/playground.md).
type HTTP struct {
	Address   string // host and port
	Token     string // what clients show; "": nothing, which is for loopback only
	Cert, Key string // files; "": without TLS
}

// Remote is a fleet that is changed from outside while it runs.
type Remote struct {
	*Fleet
	server *web.Server
	gate   *web.Gate
	log    record

	factory *web.FactoryServer // nil: there is none
	shown   string             // its token, if it was made for it
}

// minToken is how long a token has to be: 16 random characters cannot be guessed over HTTP.
const minToken = 16

// Remote opens the port where the fleet is changed, which Run serves, or Close closes.
func (f *Fleet) Remote(o HTTP) (*Remote, error) {
	if err := f.checkAuthority(); f.Factory && err != nil {
		return nil, err
	}
	if o.Token != "" && len(o.Token) < minToken {
		return nil, fmt.Errorf("http: the token has less than %d characters; make one with: openssl rand -hex 32", minToken)
	}
	s, err := web.Listen(web.Options{Address: o.Address, Token: o.Token != "", Cert: o.Cert, Key: o.Key, Secret: f.Factory})
	if err != nil {
		return nil, err
	}
	var token *web.Token
	if o.Token != "" {
		token = web.NewToken(o.Token)
	}
	r := &Remote{Fleet: f, server: s, gate: web.NewGate(token)}
	if f.Factory {
		if token == nil {
			r.shown = rand.Text()
			token = web.NewToken(r.shown)
		}
		r.factory = web.NewFactoryServer(newFactory(f), r.gate, token, s.URL())
	}
	return r, nil
}

// URL is where the fleet is changed, without a path.
func (r *Remote) URL() string { return r.server.URL() }

// Plan says in a few lines what Run will do.
func (r *Remote) Plan() string {
	text := r.Fleet.Plan() + fmt.Sprintf("they are changed at %s/ and %[1]s/devices/NAME/: see /help there\n", r.URL())
	if r.factory != nil {
		text += fmt.Sprintf("they are made at %s%s", r.URL(), web.FactoryPath)
		if r.shown != "" {
			text += ", with the token " + r.shown
		}
		text += "\n"
	}
	return text
}

// Close closes the port of a fleet that is not run.
func (r *Remote) Close() error { return r.server.Close() }

// Run runs the devices, and serves the routes meanwhile. If one of both fails, the other ends, too.
func (r *Remote) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- r.server.Run(ctx, r.handler())
	}()
	err := r.Fleet.Run(ctx)
	cancel()
	return errors.Join(err, <-served)
}

// devicesPath is below which the routes of one device are.
const devicesPath = "/devices/"

// handler serves the routes: for all devices, and for one.
func (r *Remote) handler() http.Handler {
	routes := r.gate.Wrap(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rest, one := strings.CutPrefix(req.URL.Path, devicesPath)
		if !one {
			pages.Serve(w, req, "", req.URL.Path, &target{r, whom{r.everyone(), ""}})
			return
		}
		name, path, _ := strings.Cut(rest, "/")
		i, ok := r.find(name)
		if !ok {
			pages.Refuse(w, req, name, http.StatusNotFound, "there is no such device")
			return
		}
		pages.Serve(w, req, devicesPath+name, "/"+path, &target{r, whom{[]int{i}, name}})
	}), changes)
	if r.factory == nil {
		return routes
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.factory.Serve(w, req) {
			routes.ServeHTTP(w, req)
		}
	})
}

// changes reports whether a request is for a route that changes devices.
func changes(r *http.Request) bool {
	return slices.ContainsFunc(pages.Routes(), func(route pages.Route) bool { return route.Changes && strings.HasSuffix(r.URL.Path, route.Path) })
}

// target is devices that are configured: all, or one.
type target struct {
	r *Remote
	whom
}

// Title implements pages.Target.
func (t *target) Title() string {
	if t.name == "" {
		return "all " + count(len(t.devices), "device")
	}
	return t.name
}

// Config implements pages.Target.
func (t *target) Config(ctx context.Context, c *pages.Config) error {
	err := t.r.configure(t.whom, playground.Change{Interval: c.Time, Defender: c.Defender, Topic: c.Topic, Payload: c.Payload, Clean: c.Clean})
	if err == nil && c.Reconnect {
		err = t.r.act(ctx, t.whom, playground.Reconnect)
	}
	return t.note(describe(c), err)
}

// describe is a change in few words.
func describe(c *pages.Config) string {
	var all []string
	add := func(given bool, format string, args ...any) {
		if given {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(c.Time != 0, "time=%v", c.Time)
	if c.Defender != nil {
		add(true, "ddm_sr=%v", *c.Defender)
	}
	add(c.Topic != "", "topic=%s", c.Topic)
	add(c.Payload != nil, "payload=%s", c.Payload)
	if c.Clean != nil {
		add(true, "clean=%v", *c.Clean)
	}
	add(c.Reconnect, "reconnect")
	return strings.Join(all, " ")
}

// Act implements pages.Target.
func (t *target) Act(ctx context.Context, action string) error {
	a, err := playground.ParseAction(action)
	if err == nil {
		err = t.r.act(ctx, t.whom, a)
	}
	return t.note(action, err)
}

// Press implements pages.Target.
func (t *target) Press(ctx context.Context, on bool) error {
	what := "press_off"
	if on {
		what = "press_on"
	}
	return t.note(what, t.r.press(ctx, t.whom, on))
}

// note keeps what was done in the log.
func (t *target) note(what string, err error) error {
	t.r.log.add(time.Now(), t.name, what, err)
	return err
}

// errOne is the answer to what only one device has.
var errOne = errors.New("ask one device: /devices/NAME/…")

// Read implements pages.Target.
func (t *target) Read(ctx context.Context, what pages.View) (any, error) {
	switch what {
	case pages.Name:
		return t.Title(), nil
	case pages.Endpoint:
		return t.r.endpoint.String(), nil
	case pages.Log:
		return t.r.log.of(t.name), nil
	case pages.Home:
		if t.name != "" {
			return t.r.state(t.devices[0], t.name)
		}
		return t.r.Report(), nil
	}
	if t.name == "" {
		return nil, errOne
	}
	if what == pages.Cert {
		return t.r.certificate(t.devices[0], t.name)
	}
	doc, err := t.r.shadow(ctx, t.devices[0], t.name)
	if err == nil && !json.Valid(doc) {
		err = errors.New("what the cloud answers is no JSON")
	}
	return json.RawMessage(doc), err
}

// maxLinks is how many devices a page shows.
const maxLinks = 100

// Links implements pages.Linker.
func (t *target) Links() []string {
	if t.name != "" {
		return nil
	}
	var all []string
	for _, i := range t.devices[:min(len(t.devices), maxLinks)] {
		all = append(all, devicesPath+t.r.nameOf(i)+"/")
	}
	return all
}

// State is how a device is, for programs.
type State struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	Connected  bool    `json:"connected"`
	Topic      string  `json:"topic"`
	Payload    string  `json:"payload"` // of the next telemetry
	Seconds    float64 `json:"seconds"` // between two values
	Defender   float64 `json:"defenderSeconds"`
	Clean      bool    `json:"clean"` // it says goodbye before it reconnects
	Controlled string  `json:"controlledDevice,omitempty"`
	Lit        *bool   `json:"lit,omitempty"`
}

// state returns how a device is.
func (f *Fleet) state(i int, name string) (State, error) {
	v, err := f.view(i, name)
	s := State{
		Name: v.Name, Type: v.Kind.String(), Connected: v.Connected, Topic: v.Topic, Payload: v.Payload,
		Seconds: v.Interval.Seconds(), Defender: v.Defender.Seconds(), Clean: v.Clean, Controlled: v.Target,
	}
	if v.Kind.Lit() {
		s.Lit = &v.Lit
	}
	return s, err
}

// certificate returns what a device shows of itself, as PEM.
func (f *Fleet) certificate(i int, name string) (string, error) {
	c := f.tlsOf(i)
	if f.places != nil && f.places.of(i).name != name { // looked at last: what came before may be another device's
		return "", errGone
	}
	if c == nil || c.GetClientCertificate == nil {
		return "", errors.New("the device shows no certificate")
	}
	pair, err := c.GetClientCertificate(nil)
	if err != nil {
		return "", err
	}
	return string(provision.EncodeCert(pair.Certificate[0])), nil
}
