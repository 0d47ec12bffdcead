package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/service"
	"pithings/mqttlink"
	"pithings/spool/control"
)

const withRelay = twoThings + "  - {name: relay, type: output, pin: GPIO27}\n"

// sent lists what things have published to the broker.
func (s *sky) sent() (topics []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.heard {
		if !m.Retain && !strings.HasPrefix(m.Topic, "$") && !strings.HasPrefix(m.Topic, "cmd/") && !strings.HasSuffix(m.Topic, "/status") && !strings.HasSuffix(m.Topic, "/set") {
			topics = append(topics, m.Topic)
		}
	}
	return topics
}

func (s *sky) queued() int { return s.agent.links.of("").Queued() }

// In quarantine nothing of things is published and nothing that others send is done, also by the
// next process; all that was published is there when it ends. Presence, the shadow and answers to
// commands stay, as does who stands at the machine.
func TestQuarantine(t *testing.T) {
	s := underSky(t, withRelay)
	s.until("a relay that obeys", func() bool {
		s.publish("relay/set", "ON")
		return s.isOn()
	})
	s.desire("", `{"quarantine": true}`)
	s.reported("", "quarantine", reports("quarantine", true))
	s.until("readings that wait", func() bool { return s.queued() > 3 })
	s.forget()
	pin, waiting := s.board.Pin("GPIO17"), s.queued()
	pin.Set(gpio.High)
	s.publish("relay/set", "OFF")
	if a := s.asks("q1", "relay/set", `{"state": "OFF"}`); a.Status != "ERROR" || a.Code != "Quarantined" {
		t.Errorf("a command: %+v", a)
	}
	if a := s.asks("q2", "reconfigure", `{"config": {"log": {"level": "warn"}}}`); a.Code != "Quarantined" {
		t.Errorf("a command: %+v", a)
	}
	s.until("more readings", func() bool { return s.queued() > waiting+3 })
	if sent := s.sent(); len(sent) > 0 {
		t.Errorf("sent in quarantine: %v", sent)
	}
	if !s.isOn() {
		t.Error("the relay has obeyed")
	}
	at := control.NewClient(s.agent.folder.Socket())
	defer at.Close()
	if _, _, err := AskReading(t.Context(), at, "1", 0); err != nil {
		t.Errorf("who stands at the machine reads: %v", err)
	}
	s.desire("", `{"services": {"timeout": "70s"}}`) // settings can still be mended
	s.reported("", "a setting", reports("services.timeout", "70s"))
	if health := s.get("http://" + s.agent.WebAddr() + "/healthz"); !strings.Contains(string(health), `"quarantine": {`) {
		t.Errorf("/healthz does not show it: %s", health)
	}

	// The next process is in quarantine before it sends anything.
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end takes %v", took)
	}
	s.forget()
	s.start(s.text)
	before := s.queued()
	s.reported("", "the device again", both(reports("connected", true), reports("quarantine", true)))
	s.until("readings of this process", func() bool { return s.queued() > before+3 })
	if sent := s.sent(); len(sent) > 0 {
		t.Errorf("sent in quarantine by the next process: %v", sent)
	}

	s.desire("", `{"quarantine": null}`)
	s.reported("", "no quarantine", reports("quarantine", false))
	s.message("TG_MS/motion") // of the first process
	s.until("an empty queue", func() bool { return s.queued() == 0 })
	if health := s.get("http://" + s.agent.WebAddr() + "/healthz"); strings.Contains(string(health), `"quarantine": {`) {
		t.Errorf("/healthz still shows it: %s", health)
	}
	s.until("a relay that obeys again", func() bool {
		s.publish("relay/set", "ON")
		return s.isOn()
	})
	s.desire("", `{"quarantine": 5}`)
	s.reported("", "why", rejects("quarantine", "give true or false"))
}

// A connection that is made anew in quarantine is held, too; and without a shadow, which would have
// to end it, there is none.
func TestQuarantineThroughReloads(t *testing.T) {
	s := underSky(t, twoThings)
	s.desire("", `{"quarantine": "on"}`)
	s.reported("", "quarantine", reports("quarantine", "on"))
	before := s.agent.links.of("")
	s.desire("", `{"mqtt": {"queue": {"max": 5000}}}`)
	s.reported("", "another queue", reports("mqtt.queue.max", 5000.0))
	if now := s.agent.links.of(""); now == before || !now.Stats().Held {
		t.Errorf("the same connection %v, held %v", now == before, now.Stats().Held)
	}
	s.write(strings.Replace(s.text, "shadow: {enabled: true}", "shadow: {enabled: false}", 1))
	if _, err := s.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.agent.links.of("").Stats().Held {
		t.Error("without a shadow the connection is held")
	}
	s.forget()
	s.message("bme680/temperature")
	s.write(s.text)
	if _, err := s.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.agent.links.of("").Stats().Held {
		t.Error("with the shadow again the connection is not held")
	}
}

// relayed is an actor that counts its calls.
type relayed struct{ calls int }

func (r *relayed) Watch(string, func(map[string]any, time.Time)) (func(), error) {
	return func() {}, nil
}

func (r *relayed) Call(context.Context, string, map[string]any) (map[string]any, error) {
	r.calls++
	return nil, nil
}

func (r *relayed) Read(context.Context) ([]device.Event, error) { return nil, nil }

// Flows and the gateway do nothing in quarantine: not with things of this process, not with others,
// and not with web services. The gateway may still read.
func TestNothingActsInQuarantine(t *testing.T) {
	s := underSky(t, twoThings)
	q := s.agent.quarantineService(t)
	of := &relayed{}
	actor := q.actor(of)
	web, err := service.New([]flow.ServiceModel{{ID: "web", Actions: map[string]flow.ServiceAction{"get": {Method: "GET", URL: "http://127.0.0.1:1/"}}}}, service.Options{Closed: q.check})
	if err != nil {
		t.Fatal(err)
	}
	act := func() (all []error) {
		_, local := actor.Call(t.Context(), "set", nil)
		_, called := web.Call(t.Context(), "web", "get", nil)
		return []error{local, called, commander{s.agent.links.of(""), q}.Publish(t.Context(), mqttlink.Message{Topic: "lamp/set"})}
	}
	if errs := act(); slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, errQuarantine) }) || of.calls != 1 {
		t.Errorf("%v, %d calls", errs, of.calls)
	}
	if err := q.set(true); err != nil {
		t.Fatal(err)
	}
	for i, err := range act() {
		if !errors.Is(err, errQuarantine) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := actor.(device.Reader).Read(t.Context()); err != nil || of.calls != 1 {
		t.Errorf("%v, %d calls", err, of.calls)
	}
	if _, reads := q.actor(struct{ device.Actor }{of}).(device.Reader); reads {
		t.Error("an actor that cannot be read can be read")
	}
}

// quarantineService is that of an agent.
func (a *Agent) quarantineService(t *testing.T) *quarantine {
	t.Helper()
	for _, s := range a.services {
		if q, ok := s.Service.(*quarantine); ok {
			return q
		}
	}
	t.Fatal("there is none")
	return nil
}
