package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"pithings/agent/config"
	"pithings/api"
	"pithings/awsiot"
	"pithings/conf"
	"pithings/conf/machine"
	"pithings/device"
	"pithings/homeassistant"
	"pithings/mqttlink"
	"pithings/things"
)

// homeAssistants is what makes this device appear in Home Assistant, or disappear there once it is
// switched off.
type homeAssistants struct {
	folder  *folder
	links   *links
	things  *thingService
	web     *webService // nil: there is none
	events  *device.Bus
	current func() *config.Config
	version string
	// accept accepts changes to the settings (Agent.AcceptLater). Nil: none can be changed.
	accept func(ctx context.Context, from string, changes map[string]any) (number int, apply func(), err error)
}

// settings are those of optional.
func (s homeAssistants) settings(c *config.Config) (any, bool) {
	_, _, aws := awsiot.Limits(c.MQTT.Endpoint) // where there is nothing to take back
	return [2]any{c.HomeAssistant, c.HomeAssistantPrefix}, c.HomeAssistant || !aws && homeassistant.Remembered(s.folder.Dir)
}

// selective: a reload that changes things does not make the service anew.
func (homeAssistants) selective() {}

func (s homeAssistants) open(c *config.Config, log *slog.Logger) (opened, error) {
	link := s.links.of("")
	if link == nil { // it was there for Home Assistant alone, and what is there cannot be taken back
		return nothing{}, nil
	}
	if err := s.folder.own(); err != nil {
		return nil, err
	}
	one := &homeAssistant{homeAssistants: s, link: link, machine: machine.This()}
	o := homeassistant.Options{Prefix: c.HomeAssistantPrefix, Dir: s.folder.Dir, Link: link, Parts: one.parts, Log: log}
	if c.HomeAssistant {
		o.Describe = one.describe
		if s.accept != nil {
			o.Set = one.set
		}
	}
	one.Service = homeassistant.New(o)
	return one, nil
}

// homeAssistant is the service while it is on.
type homeAssistant struct {
	homeAssistants
	*homeassistant.Service
	link    *mqttlink.Link
	machine machine.Machine
	unknown atomic.Pointer[map[string]bool] // things of which it is not known yet what they measure
}

// Run runs the service, and notes what changes.
func (s *homeAssistant) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var follows sync.WaitGroup
	defer follows.Wait()
	defer stop()
	follows.Go(func() {
		for {
			changed := s.things.health.changed.wait()
			select {
			case <-changed:
				s.Changed()
			case <-ctx.Done():
				return
			}
		}
	})
	defer s.events.Subscribe("", "", func(e device.Event) {
		if unknown := s.unknown.Load(); unknown != nil && (*unknown)[e.Thing] {
			s.Changed()
		}
	})()
	return s.Service.Run(ctx)
}

// Reconfigured implements reconfigured.
func (s *homeAssistant) Reconfigured() { s.Changed() }

// describe describes the device as it is now.
func (s *homeAssistant) describe() *homeassistant.Description {
	c, id := s.current(), s.link.ClientID()
	d := &homeassistant.Description{ID: id, Prefix: c.HomeAssistantPrefix, Name: id, Model: s.machine.Model(), Version: s.version,
		URL: s.url(c), Presence: presenceOf(s.link)}
	d.Serial, _ = s.machine.Serial() // it is for people, and may lack
	unknown := map[string]bool{}
	for _, p := range s.things.made() {
		t, ok := s.thing(p)
		if !ok {
			continue
		}
		if t.Unknown {
			unknown[t.Name] = true
		}
		d.Things = append(d.Things, t)
	}
	s.unknown.Store(&unknown)
	return d
}

// thing describes a thing; ok is false if it is at another broker.
func (s *homeAssistant) thing(p *part) (t homeassistant.Thing, ok bool) {
	link := s.links.of(p.Name())
	if link == nil || link.Endpoint() != s.link.Endpoint() {
		return t, false
	}
	t = homeassistant.Thing{Name: p.Name(), Model: modelOf(&p.made)}
	if link != s.link {
		t.Presence = presenceOf(link)
	}
	if m, measures := p.Thing.(things.Measuring); measures && len(t.Model.Quantities) == 0 {
		t.Model.Quantities = m.Quantities()
		t.Unknown = len(t.Model.Quantities) == 0
	}
	if s.accept != nil {
		t.Settings = homeassistant.Settings(conf.Fields(p.made.Settings))
	}
	return t, true
}

// url is where people see more of the device; "" if only this machine can.
func (s *homeAssistant) url(c *config.Config) string {
	if s.web == nil || c.HTTP.BaseURL == "" && s.web.Addr().IP.IsLoopback() {
		return ""
	}
	base, ok := baseURL(c.HTTP.BaseURL, s.web.scheme(), s.web.Addr(), s.link.LocalAddr(), ownAddrs)
	if !ok {
		return ""
	}
	return base + "/"
}

// presenceOf is where a connection reports whether it is there; nil: it does not.
func presenceOf(link *mqttlink.Link) *mqttlink.Presence {
	if p, ok := link.Presence(); ok {
		return &p
	}
	return nil
}

// parts reports which parts work.
func (s *homeAssistant) parts() map[string]*bool {
	all := map[string]*bool{}
	for name, state := range s.things.health.Things() {
		switch state.State {
		case "up":
			all[name] = new(true)
		case "down":
			all[name] = new(false)
		}
	}
	return all
}

// set changes settings of a thing, as other changes from afar.
func (s *homeAssistant) set(ctx context.Context, thing string, changes map[string]any) error {
	_, apply, err := s.accept(ctx, "home assistant", map[string]any{"things": map[string]any{thing: changes}})
	if err == nil {
		apply()
	}
	return err
}

// nothing is a service that has nothing to do.
type nothing struct{}

func (nothing) Run(context.Context) error { return nil }
func (nothing) Health(func(string, any))  {}
func (nothing) Collect(*api.Metrics)      {}
