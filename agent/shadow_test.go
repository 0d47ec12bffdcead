package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/awsiot/cloud"
	"pithings/awsiot/shadow"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/spool/control"
)

// sky is a lab whose agent has a cloud at a broker of its own, behind a network that can be cut.
type sky struct {
	*lab
	file  string // the configuration
	text  string
	app   *mqttlink.Link // whose connection the cloud has, too
	net   *wire
	loads atomic.Pointer[func()] // called as settings from afar are looked at
}

const withShadow = `mqtt: {client_id: hall, reconnect: {min: 100ms, max: 100ms}}
awsiot: {shadow: {enabled: true}, command: {enabled: true}}
log: {level: info}
`

// underSky starts the cloud, and then an agent with a file.
func underSky(t *testing.T, text string) *sky {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
		b.Close()
	})
	served := make(chan struct{}, 8)
	link, err := mqttlink.New(mqttlink.Options{Endpoint: b.Endpoint(), CleanSession: true, MaxQueued: -1, OnSuback: func([]string, []string) { served <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cloud.New(cloud.Options{Client: link, ShadowRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context) error{link.Run, c.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	<-served
	s := &sky{app: link, net: newWire(t, strings.TrimPrefix(b.Endpoint(), "mqtt://"))}
	s.text = strings.Replace(withShadow, "mqtt: {", fmt.Sprintf("mqtt: {endpoint: \"mqtt://%s\", ", s.net.addr), 1) + text
	s.file = filepath.Join(t.TempDir(), "pithings.yaml")
	s.write(s.text)
	load := func(over config.Over) (*config.Config, []conf.Warning, error) {
		if f := s.loads.Load(); f != nil {
			(*f)()
		}
		return config.LoadWith(s.file, nil, config.With{Over: over})
	}
	s.lab = &lab{t: t, board: mock.New(mock.Options{}), folder: t.TempDir(), log: &syncBuffer{}, more: make(chan struct{}, 1), load: load}
	t.Cleanup(func() {
		s.stop()
		s.board.Close()
		if t.Failed() {
			t.Logf("the agent's log:\n%s", s.log)
		}
	})
	for _, f := range []string{"", "name/+/"} {
		for _, of := range []string{"get/accepted", "update/documents"} {
			if _, err := link.Subscribe("$aws/things/hall/shadow/"+f+of, 1, s.hear); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.start(s.text)
	return s
}

// write writes the file of the agent.
func (s *sky) write(text string) {
	if err := os.WriteFile(s.file, []byte("http: {listen: \"127.0.0.1:0\"}\nbroker: {listen: \"127.0.0.1:0\"}\n"+text), 0o600); err != nil {
		panic(err)
	}
}

// desire writes what an app desires of a shadow; "" is the device's own.
func (s *sky) desire(name, desired string) {
	s.t.Helper()
	s.publish(shadow.Topic("hall", name, shadow.Update), `{"state": {"desired": `+desired+`}}`)
}

func (s *sky) publish(topic, payload string) {
	s.t.Helper()
	if err := s.app.Publish(s.t.Context(), mqttlink.Message{Topic: topic, QoS: 1, Payload: []byte(payload)}); err != nil {
		s.t.Fatal(err)
	}
}

// reported awaits a shadow that is reported so.
func (s *sky) reported(name, what string, ok func(reported map[string]any) bool) map[string]any {
	s.t.Helper()
	s.publish(shadow.Topic("hall", name, shadow.Get), "")
	last, limit := "nothing", time.After(patience)
	for {
		m, there := s.next(strings.TrimSuffix(shadow.Topic("hall", name, shadow.Get), "get"))
		if !there {
			select {
			case <-s.more:
				continue
			case <-limit:
				s.t.Fatalf("%s is not reported within %v; the last is %s", what, patience, last)
			}
		}
		type document struct {
			State struct{ Reported map[string]any }
		}
		var doc struct {
			document
			Current document
		}
		if err := json.Unmarshal(m.Payload, &doc); err != nil {
			s.t.Fatal(err)
		}
		last = string(m.Payload)
		for _, r := range []map[string]any{doc.State.Reported, doc.Current.State.Reported} {
			if r != nil && ok(r) {
				return r
			}
		}
	}
}

// next takes the next message about a shadow.
func (s *sky) next(prefix string) (m mqttlink.Message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.heard, func(m mqttlink.Message) bool {
		return m.Topic == prefix+"get/accepted" || m.Topic == prefix+"update/documents"
	})
	if i < 0 {
		return m, false
	}
	m = s.heard[i]
	s.heard = append(s.heard[:i:i], s.heard[i+1:]...)
	return m, true
}

// has reports whether a tree has a value at a path such as log.level.
func has(tree map[string]any, path string, want any) bool {
	return reflect.DeepEqual(at(tree, strings.Split(path, ".")), want)
}

// rejects is for reported: that a key is rejected with a reason.
func rejects(key, why string) func(map[string]any) bool {
	return func(reported map[string]any) bool {
		all, _ := reported["rejected"].(map[string]any)
		text, _ := all[key].(string)
		return text != "" && strings.Contains(text, why)
	}
}

func reports(path string, want any) func(map[string]any) bool {
	return func(reported map[string]any) bool { return has(reported, path, want) }
}

func both(a, b func(map[string]any) bool) func(map[string]any) bool {
	return func(r map[string]any) bool { return a(r) && b(r) }
}

// What is desired takes effect and is reported; what is wrong is rejected by name and does not
// keep the rest from it; null returns to the file.
func TestShadow(t *testing.T) {
	s := underSky(t, twoThings)
	r := s.reported("", "the device", both(reports("connected", true), reports("debug", "off")))
	if !has(r, "log.level", "info") || !has(r, "mqtt.queue.max", -1.0) || at(r, []string{"mqtt", "endpoint"}) != nil || at(r, []string{"things"}) != nil {
		t.Errorf("it reports %v", r)
	}
	s.reported("bme680", "a thing", reports("interval", "100ms"))

	s.desire("", `{"log": {"level": "warn"}, "mqtt": {"window": "many", "endpoint": "mqtt://evil"}, "colour": 1, "services": {"timeout": "90s"}}`)
	r = s.reported("", "what is desired", reports("log.level", "warn"))
	if !has(r, "services.timeout", "90s") { // as it was desired, and not 1m30s
		r = s.reported("", "all of it", reports("services.timeout", "90s"))
	}
	if !rejects("mqtt.window", "many")(r) || !rejects("mqtt.endpoint", "machine only")(r) || !rejects("colour", "no setting")(r) {
		t.Errorf("rejected: %v", r["rejected"])
	}
	if c := s.agent.current(); c.MQTT.Window != 20 || c.Log.Level != "warn" || c.Services.Timeout.Duration != 90*time.Second {
		t.Errorf("%d, %s, %v are in effect", c.MQTT.Window, c.Log.Level, c.Services.Timeout)
	}
	s.desire("", `{"log": null, "mqtt": null, "colour": null}`)
	r = s.reported("", "the file's level", reports("log.level", "info"))
	if r["rejected"] != nil {
		s.reported("", "no reason", func(r map[string]any) bool { return r["rejected"] == nil })
	}
	if c := s.agent.current(); c.Log.Level != "info" || c.Services.Timeout.Duration != 90*time.Second {
		t.Errorf("%s, %v are in effect", c.Log.Level, c.Services.Timeout)
	}

	// debug is another name for one of them.
	s.desire("", `{"debug": "on"}`)
	s.reported("", "debug", both(reports("debug", "on"), reports("log.level", "debug")))
	s.desire("", `{"debug": false}`)
	s.reported("", "no debug", both(reports("debug", false), reports("log.level", "info")))
	s.desire("", `{"debug": "maybe"}`)
	s.reported("", "why", rejects("debug", "give true or false"))

	// A thing's settings are in its own shadow, and are kept over a restart.
	s.desire("bme680", `{"interval": "250ms", "bus": "9", "oversampling": {"humidity": 3}}`)
	r = s.reported("bme680", "what is desired", both(reports("interval", "250ms"), rejects("bus", "machine only")))
	if !rejects("oversampling.humidity", "not one of")(r) {
		t.Errorf("rejected: %v", r["rejected"])
	}
	s.stop()
	s.reported("", "the end", reports("connected", false))
	s.start(s.text)
	if _, err := s.agent.Reload(t.Context()); err != nil { // the lab starts with the file alone
		t.Fatal(err)
	}
	if got := time.Duration(s.interval()); got != 250*time.Millisecond {
		t.Errorf("after a restart the interval is %v", got)
	}
	s.reported("", "the device again", reports("connected", true))
	s.desire("bme680", `{"interval": null}`)
	s.reported("bme680", "the file's interval", reports("interval", "100ms"))
	if health := s.get("http://" + s.agent.WebAddr() + "/healthz"); !strings.Contains(string(health), `"in step"`) {
		t.Errorf("/healthz has no shadows: %s", health)
	}
}

// interval is that of bme680.
func (s *sky) interval() (d time.Duration) {
	for _, f := range conf.Fields(s.agent.current().Thing("bme680")) {
		if f.Key == "interval" {
			d = f.Value.Interface().(conf.Duration).Duration
		}
	}
	return d
}

// What was taken back here, or with the file, is not set again by a document that still desires
// it, until it desires something else.
func TestShadowDoesNotUndoWhatWasTakenBack(t *testing.T) {
	s := underSky(t, twoThings)
	s.desire("", `{"services": {"timeout": "70s"}}`)
	s.reported("", "it", reports("services.timeout", "70s"))
	c := control.NewClient(s.agent.folder.Socket())
	defer c.Close()
	if _, err := AskReset(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.reported("", "why", both(reports("services.timeout", "1m"), rejects("services.timeout", "config reset")))
	s.stop()
	s.start(s.text)
	s.forget()
	s.desire("", `{"services": {"max_bytes": "2MiB"}}`) // that the one before stays rejected
	r := s.reported("", "another", reports("services.max_bytes", "2MiB"))
	if !has(r, "services.timeout", "1m") || !rejects("services.timeout", "config reset")(r) {
		t.Errorf("after a restart it reports %v", r)
	}
	s.desire("", `{"services": {"timeout": "80s"}}`)
	s.reported("", "another value", reports("services.timeout", "80s"))

	// A command that changes it since counts, and so does a newer file.
	s.asks("one", "reconfigure", `{"config": {"services": {"timeout": "50s"}}}`)
	s.reported("", "the command's", both(reports("services.timeout", "50s"), rejects("services.timeout", "changed since by command")))
	s.write(s.text + "services: {timeout: 40s}\n")
	if _, err := s.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reported("", "the file's", both(reports("services.timeout", "40s"), rejects("services.max_bytes", "file on the machine is newer")))
	s.desire("", `{"services": null}`)
	s.reported("", "nothing", func(r map[string]any) bool { return r["rejected"] == nil })
	s.desire("", `{"services": {"timeout": "80s"}}`)
	s.reported("", "it, desired anew", reports("services.timeout", "80s"))
}

// What the agent does not connect with is taken back, reported, and not tried again.
func TestShadowRollsBack(t *testing.T) {
	s := underSky(t, twoThings)
	s.reported("", "the device", reports("debug", "off"))
	s.agent.o.TrialTime = 200 * time.Millisecond
	cut := func() { s.net.cut() }
	s.loads.Store(&cut) // the settings make the connection anew, for which there is no network then
	s.desire("", `{"mqtt": {"queue": {"max": 77}}}`)
	s.until("the settings", func() bool { return s.agent.current().MQTT.Queue.Max == 77 })
	s.until("the settings before", func() bool { return s.agent.current().MQTT.Queue.Max == -1 })
	s.loads.Store(nil)
	s.net.mend()
	r := s.reported("", "why", rejects("mqtt.queue.max", "no connection with revision 1"))
	if !has(r, "mqtt.queue.max", -1.0) {
		t.Errorf("it reports %v", r["mqtt"])
	}
	tried := 0
	counting := func() { tried++ }
	s.loads.Store(&counting)
	s.desire("", `{"mqtt": {"queue": {"max": 78}}}`)
	s.reported("", "another", both(reports("mqtt.queue.max", 78.0), func(r map[string]any) bool { return r["rejected"] == nil }))
}

// An agent without a configuration file has shadows, and rejects what needs one; a thing whose
// name no shadow can have is shown.
func TestShadowWithoutFile(t *testing.T) {
	s := underSky(t, twoThings+"  - {name: a.b, type: motion, pin: GPIO18}\n")
	s.reported("", "the device", reports("debug", "off"))
	if health := s.get("http://" + s.agent.WebAddr() + "/healthz"); !strings.Contains(string(health), `"a.b": {`) || !strings.Contains(string(health), "the shadow name") {
		t.Errorf("/healthz does not show it: %s", health)
	}
	if n := strings.Count(s.log.String(), "thing has no shadow"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	s.stop()
	s.load = nil
	s.start(s.text)
	s.desire("", `{"debug": true, "mqtt": {"window": 5}}`)
	r := s.reported("", "why", rejects("debug", "without a configuration file"))
	if !rejects("mqtt", "without a configuration file")(r) || !has(r, "debug", false) {
		t.Errorf("it reports %v", r["rejected"])
	}
}

// Nothing of the configuration that is to stay here comes into a shadow.
func TestNoSecretInAShadow(t *testing.T) {
	s := underSky(t, twoThings)
	const secret = "correct-horse-battery"
	s.write(strings.Replace(s.text, "client_id: hall", "client_id: hall, username: hall, password: "+secret, 1) +
		"services: {allow_hosts: [\"" + secret + ".example\"]}\n")
	if _, err := s.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.desire("", `{"mqtt": {"password": "guess", "password_file": "/etc/shadow"}, "services": {"timeout": "70s"}}`)
	r := s.reported("", "it", both(rejects("mqtt.password", "machine only"), reports("services.timeout", "70s")))
	if text, _ := json.Marshal(r); strings.Contains(string(text), "[set]") || at(r, []string{"mqtt", "username"}) != nil {
		t.Errorf("it reports %s", text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.heard {
		if strings.Contains(string(m.Payload), secret) {
			t.Errorf("%s has a secret: %s", m.Topic, m.Payload)
		}
	}
}
