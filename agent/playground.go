package agent

import (
	"context"
	"encoding/json"
	pemfile "encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/agent/web"
	"pithings/api"
	"pithings/awsiot/playground"
	"pithings/mqttlink"
	"pithings/mqttlink/durable"
	"pithings/quietlog"
)

// playgrounds serves the web interface of the AWS IoT Playground's devices for this one
// (http.playground). What a Pi has no counterpart for is answered with the reason.
type playgrounds struct {
	links   *links
	current func() *config.Config
	accept  func(ctx context.Context, from string, changes map[string]any) (Reloaded, error)
	health  func(add func(key string, value any)) // of the shadows
	things  func() []string

	mu  sync.Mutex
	log []playEntry // the last playEntries
}

// playEntry is what was done from outside.
type playEntry struct {
	Time  time.Time `json:"time"`
	Did   string    `json:"did"`
	Error string    `json:"error,omitempty"`
}

const playEntries = 50

// playPrefix is where the routes are.
const playPrefix = "/playground"

// Name implements Service.
func (p *playgrounds) Name() string { return "playground" }

// Run implements Service. There is nothing to do but to answer.
func (p *playgrounds) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Routes implements Router.
func (p *playgrounds) Routes() (all []api.Route) {
	for _, r := range playground.Routes() {
		audience := api.Look
		if r.Changes {
			audience = api.Act
		}
		path := playPrefix + r.Path
		if r.Path == "/" {
			path += "{$}"
		}
		for _, method := range r.Methods {
			all = append(all, api.Route{Method: method, Path: path, For: audience, Changes: r.Changes, Doc: "playground: " + r.Doc, Gives: map[string]any{},
				Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					base, _ := web.Page(req)
					playground.Serve(w, req, base+playPrefix, r.Path, p)
				})})
		}
	}
	return all
}

// Field implements playground.Formed: with a session, a form has its secret.
func (p *playgrounds) Field(r *http.Request) (name, value string) {
	if _, secret := web.Page(r); secret != "" {
		return api.FormSecret, secret
	}
	return "", ""
}

// errNoLink is why there is nothing to act on.
var errNoLink = errors.New("there is no connection")

// link is the connection that things share, or nil if each has its own.
func (p *playgrounds) link() *mqttlink.Link { return p.links.of("") }

// breakLink has the connection made anew.
func (p *playgrounds) breakLink() error {
	if l := p.link(); l == nil || !l.Break() {
		return errNoLink
	}
	return nil
}

// Title implements playground.Target.
func (p *playgrounds) Title() string {
	if l := p.link(); l != nil {
		return l.ClientID()
	}
	return "this Pi"
}

// errMeasured is why a Pi's topics and payloads are not the playground's.
var errMeasured = errors.New("a Pi publishes what its things measure, to their topics: topic and payload are of simulated devices (pithings fleet)")

// Config implements playground.Target. Settings are accepted as those from afar are: on trial
// until the connections stand again, and kept until pithings config reset.
func (p *playgrounds) Config(ctx context.Context, c *playground.Config) (err error) {
	changes := map[string]any{}
	switch {
	case c.Topic != "" || c.Payload != nil:
		err = errMeasured
	case c.Clean != nil:
		err = errors.New("a Pi says goodbye when it ends, and reconnects without one")
	case c.Defender != nil && (*c.Defender == 0 || !p.current().AWSIoT.Defender.Enabled):
		err = errors.New("reports of Device Defender are switched on and off by awsiot.defender.enabled")
	}
	if c.Defender != nil {
		changes["awsiot"] = map[string]any{"defender": map[string]any{"interval": c.Defender.String()}}
	}
	if c.Time != 0 && err == nil {
		changes["things"], err = intervals(p.current(), c.Time)
	}
	if err == nil && len(changes) > 0 {
		_, err = p.accept(ctx, "playground", changes)
	}
	if err == nil && c.Reconnect {
		err = p.breakLink()
	}
	return p.note("config", err)
}

// intervals are the changes with which all things that measure do so that often.
func intervals(c *config.Config, every time.Duration) (map[string]any, error) {
	things := map[string]any{}
	for i := range c.Things {
		text, err := json.Marshal(c.Things[i].Settings)
		var has struct{ Interval *json.RawMessage }
		if err == nil && json.Unmarshal(text, &has) == nil && has.Interval != nil {
			things[c.Things[i].Name] = map[string]any{"interval": every.String()}
		}
	}
	if len(things) == 0 {
		return nil, errors.New("no thing measures at intervals")
	}
	return things, nil
}

// Act implements playground.Target.
func (p *playgrounds) Act(ctx context.Context, action string) (err error) {
	id, link := p.Title(), p.link()
	send := func(topic, payload string) error {
		if link == nil || !link.Connected() {
			return errNoLink
		}
		return link.Publish(ctx, mqttlink.Message{Topic: topic, Payload: []byte(payload)})
	}
	switch action {
	case playground.Reconnect:
		err = p.breakLink()
	case playground.Tamper:
		name, _ := json.Marshal(id) // a text
		err = send("cmd/"+id+"/tamper", `{"device":`+string(name)+`,"tamper_type":"enclosure_violated"}`)
	case playground.Large:
		err = send(playground.Expand(playground.Telemetry, id), `{"payload":"`+strings.Repeat("abcdefghij", 50)+`"}`)
	case playground.AuthError:
		err = send(playground.InvalidTopic, `{"auth":"error"}`)
	default:
		err = errors.New("a Pi says goodbye when it ends, and reconnects without one")
	}
	return p.note(action, err)
}

// Press implements playground.Target.
func (p *playgrounds) Press(context.Context, bool) error {
	return p.note("press", errors.New("a Pi is no switch: its outputs are set by their topics, NAME/set"))
}

// note keeps what was done.
func (p *playgrounds) note(did string, err error) error {
	e := playEntry{Time: time.Now().UTC().Truncate(time.Millisecond), Did: did}
	if err != nil {
		e.Error = quietlog.OneLine(err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, e)
	if len(p.log) > playEntries {
		p.log = slices.Delete(p.log, 0, 1)
	}
	return err
}

// Read implements playground.Target.
func (p *playgrounds) Read(_ context.Context, what playground.View) (any, error) {
	switch what {
	case playground.Name:
		return p.Title(), nil
	case playground.Endpoint:
		if l := p.link(); l != nil {
			return l.Endpoint().String(), nil
		}
		return nil, errors.New("each thing has a connection of its own")
	case playground.Cert:
		return certificateOf(p.current().MQTT.Cert)
	case playground.Shadow:
		return p.shadow()
	case playground.Log:
		p.mu.Lock()
		defer p.mu.Unlock()
		return append([]playEntry{}, p.log...), nil
	}
	l := p.link()
	return map[string]any{"name": p.Title(), "connected": l != nil && l.Connected(), "things": p.things()}, nil
}

// shadow is what /healthz shows of the shadows.
func (p *playgrounds) shadow() (shown any, err error) {
	p.health(func(_ string, value any) { shown = value })
	if shown == nil {
		return nil, errors.New("device shadows are switched on by awsiot.shadow.enabled")
	}
	return shown, nil
}

// certificateOf is the certificates in a file, and nothing else that may be in it.
func certificateOf(path string) (string, error) {
	if path == "" {
		return "", errors.New("the connection shows no certificate")
	}
	text, err := durable.ReadFile(path, 1<<20)
	if err != nil {
		return "", fmt.Errorf("the certificate: %w", err)
	}
	var b strings.Builder
	for block, rest := pemfile.Decode(text); block != nil; block, rest = pemfile.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			b.Write(pemfile.EncodeToMemory(&pemfile.Block{Type: block.Type, Bytes: block.Bytes}))
		}
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("there is no certificate in %s", path)
	}
	return b.String(), nil
}
