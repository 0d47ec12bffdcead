package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/api"
	"pithings/conf/machine"
	"pithings/device"
	"pithings/flow"
	"pithings/flow/service"
	"pithings/gateway"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/gateway/supervisor"
	"pithings/mqttlink/clock"
	"pithings/spool/control"
	"pithings/things"
)

const gatewayName = "gateway"

// gatewayService is the gateway of the configuration. A reload makes it anew if its settings,
// its scripts or the things have changed. Without settings there is none.
type gatewayService struct {
	quarantine *quarantine

	folder *folder
	links  *links
	things *thingService
	clock  *clock.Clock
	log    *slog.Logger

	running context.Context // from Start on
	run     *unit

	mu      sync.RWMutex
	gateway *gateway.Gateway // nil: there is none
	web     *service.Services
	made    *config.Config
	scripts map[string]string // as they were read
}

// Name implements Service.
func (s *gatewayService) Name() string { return gatewayName }

// Start implements Starter.
func (s *gatewayService) Start(ctx context.Context) error {
	s.running = ctx
	s.start()
	return nil
}

// Run waits until ctx is done, and for the end of the gateway.
func (s *gatewayService) Run(ctx context.Context) error {
	<-ctx.Done()
	s.stop()
	return nil
}

// current is the gateway that runs, or nil.
func (s *gatewayService) current() *gateway.Gateway {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.gateway
}

// open makes the gateway of a configuration, which does not run yet.
func (s *gatewayService) open(c *config.Config, before *gateway.Gateway) error {
	if !c.Gateway.Used() {
		return nil
	}
	if err := s.folder.own(); err != nil {
		return err
	}
	web, err := gatewayWeb(&c.Services, s.quarantine.check)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	g := gateway.New(gateway.Options{Settings: &c.Gateway, Things: s.fieldThings(), Events: s.things.events, Up: s.up, Link: s.links.of(""), Clock: s.clock,
		Params: gatewayParams(c), HTTP: webOf(web), State: filepath.Join(s.folder.Dir, "gateway"), Log: s.log.With("service", gatewayName),
		Second: secondConfig, Before: before})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gateway, s.web, s.made, s.scripts = g, web, c, c.Gateway.Scripts()
	return nil
}

// secondConfig is what a script of 2.x reads as the configuration. What that form cannot hold
// concerns those who export it.
func secondConfig(s *gateway.Settings) ([]byte, error) {
	data, _, err := supervisor.ExportJSON(s)
	return data, err
}

// start runs the gateway. One that fails is made anew after a pause.
func (s *gatewayService) start() {
	g := s.current()
	if g == nil {
		return
	}
	log := s.log.With("service", gatewayName)
	s.run = begin(s.running, func(ctx context.Context) {
		var pauses backoff
		for {
			began := time.Now()
			err := contain(log, func() error { return g.Run(ctx) })
			if ctx.Err() != nil {
				return
			}
			log.Error("gateway failed; it starts again by itself", "err", err)
			if !pauses.wait(ctx, time.Since(began)) {
				return
			}
			if err := s.open(s.made, g); err != nil {
				log.Error("gateway cannot be made", "err", err)
				return
			}
			g = s.current()
		}
	})
}

// stop ends the gateway, and returns it.
func (s *gatewayService) stop() *gateway.Gateway {
	s.run.end()
	s.run = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gateway
	if s.web != nil {
		_ = s.web.Close() // idle connections
	}
	s.gateway, s.web = nil, nil
	return g
}

// Close implements io.Closer: for a gateway that never ran.
func (s *gatewayService) Close() error {
	if g := s.current(); g != nil && s.run == nil {
		g.Close()
	}
	return nil
}

// fieldThings are the things as the gateway sees them.
func (s *gatewayService) fieldThings() (all []field.Thing) {
	for _, p := range s.things.parts {
		t := field.Thing{Name: p.Name(), Actor: s.quarantine.actor(p.Thing), Model: things.KindOf(p.made.Type).Describe(p.made.Settings, p.made.Topics).Model}
		if m, ok := p.Thing.(things.Measuring); ok {
			t.Quantities = func() []device.Quantity { return m.Quantities() }
		}
		all = append(all, t)
	}
	return all
}

// up reports whether a thing's part works.
func (s *gatewayService) up(thing string) bool { return s.things.health.up(thing) }

// gatewayParams are the global parameters that the program knows.
func gatewayParams(c *config.Config) rule.Params {
	serial, _ := machine.This().Serial() // a machine without one has an empty parameter
	return rule.Params{Serial: serial, MAC: hardwareAddress(), LogLevel: c.Log.Level, Readings: c.MQTT.Queue.Max, Alarms: c.MQTT.Queue.Alarms.Max}
}

// hardwareAddress is that of the first network interface that has one.
func hardwareAddress() string {
	all, _ := net.Interfaces() // without them the parameter is empty
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && len(i.HardwareAddr) > 0 {
			return i.HardwareAddr.String()
		}
	}
	return ""
}

// gatewayWeb bounds the requests of scripts as those of flows: services.allow_hosts has the
// hosts that they reach.
func gatewayWeb(c *config.Services, closed func() error) (*service.Services, error) {
	o, err := serviceOptions(c)
	if err != nil {
		return nil, err
	}
	o.Closed = closed
	params := map[string]device.ValueType{"url": device.StringType, "body": device.StringType}
	request := func(method string) flow.ServiceAction {
		return flow.ServiceAction{Params: params, Method: method, URL: "${url}"}
	}
	post := request(http.MethodPost)
	post.Text = "${body}"
	return service.New([]flow.ServiceModel{{ID: scriptService, Actions: map[string]flow.ServiceAction{http.MethodGet: request(http.MethodGet), http.MethodPost: post}}}, o)
}

// scriptService is the name of the scripts' requests, for errors.
const scriptService = "http"

func webOf(s *service.Services) rule.HTTP {
	return func(ctx context.Context, method, address, body string) (any, error) {
		return s.Call(ctx, scriptService, method, flow.Values{"url": address, "body": body})
	}
}

// plan compares the gateway, and what it stands on, with that of another configuration.
func (s *gatewayService) plan(ch *change) error {
	ch.Gateway = (ch.before.Gateway.Used() || ch.next.Gateway.Used()) &&
		(len(ch.Things) > 0 || ch.sharedDiffers || !ch.before.Gateway.Equal(&ch.next.Gateway) || !reflect.DeepEqual(ch.before.Services, ch.next.Services) ||
			!reflect.DeepEqual(gatewayParams(ch.before), gatewayParams(ch.next)) || !reflect.DeepEqual(s.scripts, ch.next.Gateway.Scripts()))
	return nil
}

func (s *gatewayService) leave(ch *change) {
	if ch.Gateway {
		ch.gateway = s.stop()
	}
}

func (s *gatewayService) take(ch *change) error {
	if !ch.Gateway {
		return nil
	}
	if err := s.open(ch.next, ch.gateway); err != nil {
		return err
	}
	s.start()
	return nil
}

// GatewayState is the gateway as others see it.
type GatewayState struct {
	Alarms []field.ListedAlarm `json:"alarms"`
	Rules  []rule.Stats        `json:"rules"`
}

// GatewayDetails are what it is made of, too.
type GatewayDetails struct {
	GatewayState
	Groups  []gateway.ListedGroup  `json:"groups"`
	Scripts []gateway.ListedScript `json:"scripts"`
}

func (s *gatewayService) state() (GatewayState, error) {
	g := s.current()
	if g == nil {
		return GatewayState{}, errNoGateway
	}
	return GatewayState{g.Alarms(), g.Rules()}, nil
}

var errNoGateway = fmt.Errorf("this agent has no gateway: its configuration has no section gateway: %w", api.Status(http.StatusNotFound))

// Health implements HealthReporter.
func (s *gatewayService) Health(add func(key string, value any)) {
	if state, err := s.state(); err == nil {
		add("gateway", state)
	}
}

// Collect implements Collector.
func (s *gatewayService) Collect(m *api.Metrics) {
	state, err := s.state()
	if err != nil {
		return
	}
	m.Family("pithings_gateway_alarm", "gauge", "Whether an alarm of the gateway is triggered.")
	for _, a := range state.Alarms {
		m.Sample(api.Bool(a.On), "alarm", a.Name)
	}
	for _, f := range []struct {
		name, help string
		value      func(r *rule.Stats) uint64
	}{
		{"calls", "Calls of the scripts of a rule.", func(r *rule.Stats) uint64 { return r.Calls }},
		{"failed", "Calls of the scripts of a rule that ended with an exception or at a limit.", func(r *rule.Stats) uint64 { return r.Failed }},
		{"skipped", "Calls that were left out while a rule paused, and polls while it was too slow.", func(r *rule.Stats) uint64 { return r.Skipped }},
		{"published", "Messages of a rule that were accepted.", func(r *rule.Stats) uint64 { return r.Published }},
		{"refused", "Messages of a rule that were not accepted.", func(r *rule.Stats) uint64 { return r.Refused }},
	} {
		m.Family("pithings_gateway_"+f.name+"_total", "counter", f.help)
		for i := range state.Rules {
			m.Sample(float64(f.value(&state.Rules[i])), "kind", state.Rules[i].Kind, "rule", state.Rules[i].Name)
		}
	}
}

// gatewayPath is where other processes ask for the gateway.
const gatewayPath = "/api/v1/gateway"

// Routes implements Router.
func (s *gatewayService) Routes() []api.Route {
	trials := make(chan struct{}, 1)
	return []api.Route{
		{Method: http.MethodGet, Path: gatewayPath, For: api.Look, Doc: "list the alarms and rules of the gateway", Gives: GatewayDetails{},
			Handler: api.JSON(func(*http.Request) (any, error) {
				g := s.current()
				if g == nil {
					return nil, errNoGateway
				}
				return GatewayDetails{GatewayState{g.Alarms(), g.Rules()}, g.Groups(), g.Scripts()}, nil
			})},
		{Method: http.MethodPost, Path: gatewayPath + "/try", For: api.Act, Doc: "try the script of a rule, and publish nothing", Takes: gateway.TryRequest{}, Gives: gateway.Tried{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				end, err := takeTurn(trials)
				if err != nil {
					return nil, err
				}
				defer end()
				var in gateway.TryRequest
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				g := s.current()
				if g == nil {
					return nil, errNoGateway
				}
				ctx, cancel := context.WithTimeout(r.Context(), actionTime)
				defer cancel()
				return g.Try(ctx, in)
			})},
		{Method: http.MethodPost, Path: gatewayPath + "/alarms/{name}/acknowledge", For: api.Act, Doc: "acknowledge an alarm of the gateway", Gives: field.ListedAlarm{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				g := s.current()
				if g == nil {
					return nil, errNoGateway
				}
				return g.Acknowledge(r.PathValue("name"))
			})},
	}
}

// AskGateway asks an agent for the state of its gateway.
func AskGateway(ctx context.Context, c *control.Client) (state GatewayState, err error) {
	err = c.Do(ctx, http.MethodGet, gatewayPath, nil, &state)
	return state, err
}

// AskAcknowledge asks an agent to acknowledge an alarm.
func AskAcknowledge(ctx context.Context, c *control.Client, name string) (a field.ListedAlarm, err error) {
	err = c.Do(ctx, http.MethodPost, gatewayPath+"/alarms/"+url.PathEscape(name)+"/acknowledge", nil, &a)
	return a, err
}
