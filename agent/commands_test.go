package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/spool/accepted"
)

const withCommands = twoThings + "mqtt: {client_id: hall}\nawsiot: {command: {enabled: true}}\n"

// asks sends a command by MQTT and returns its answer.
func (l *lab) asks(session, kind, params string) (answer struct {
	Status, Code, Error string
	Result              map[string]any
}) {
	l.t.Helper()
	l.send(session, kind, params)
	if err := json.Unmarshal([]byte(l.message("cmd/app/"+session)), &answer); err != nil {
		l.t.Fatal(err)
	}
	return answer
}

func (l *lab) send(session, kind, params string) {
	l.t.Helper()
	request := fmt.Sprintf(`{"type": %q, "session-id": %q, "response-topic": %q, "params": %s}`, kind, session, "cmd/app/"+session, params)
	if err := l.listener.Publish(l.t.Context(), mqttlink.Message{Topic: "cmd/ac/hall/req", QoS: 1, Payload: []byte(request)}); err != nil {
		l.t.Fatal(err)
	}
}

// heardOn reports whether something came on a topic.
func (l *lab) heardOn(topic string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.heard, func(m mqttlink.Message) bool { return m.Topic == topic })
}

// Commands come by the shared connection; those that change the configuration are answered
// before that is applied, even if the connection is made anew by it.
func TestCommands(t *testing.T) {
	l, file := accepting(t, withCommands)
	if a := l.asks("one", "read", `{"thing": "bme680"}`); a.Status != "OK" || len(a.Result["events"].([]any)) == 0 {
		t.Errorf("%+v", a)
	}
	if a := l.asks("two", "reconfigure", `{"config": {"mqtt": {"endpoint": "mqtt://evil:1883"}}}`); a.Status != "ERROR" || !strings.Contains(a.Error, "mqtt.endpoint can be changed on the machine only") {
		t.Errorf("%+v", a)
	}
	if a := l.asks("three", "reconfigure", `{"config": {"awsiot": {"command": {"enabled": false}}}}`); a.Status != "ERROR" {
		t.Errorf("%+v", a)
	}
	before := l.agent.links.of("")
	if a := l.asks("four", "reconfigure", `{"config": {"mqtt": {"queue": {"max": 77}}, "things": {"bme680": {"interval": "250ms"}}}}`); a.Status != "OK" || a.Result["revision"] != 1.0 {
		t.Errorf("%+v", a)
	}
	l.until("the new connection", func() bool {
		now := l.agent.links.of("") // nil while it is made
		return now != nil && now != before && now.Connected()
	})
	if max := l.agent.current().MQTT.Queue.Max; max != 77 {
		t.Errorf("the queue is %d", max)
	}
	l.until("commands on it", func() bool { // one that is sent before it has subscribed is lost
		l.send("five", "read", `{"thing": "bme680"}`)
		select {
		case <-time.After(time.Second):
			return false
		case <-l.more:
			return l.heardOn("cmd/app/five")
		}
	})
	// A repeat is answered from what is saved.
	if a := l.asks("four", "reconfigure", `{"config": {"mqtt": {"queue": {"max": 77}}, "things": {"bme680": {"interval": "250ms"}}}}`); a.Status != "OK" || a.Result["revision"] != 1.0 {
		t.Errorf("%+v", a)
	}
	// The file may switch it off.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "enabled: true", "enabled: false", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.agent.current().AWSIoT.Used() || l.agent.current().MQTT.Queue.Max != -1 {
		t.Error("the file does not count")
	}
	for _, s := range l.agent.services {
		if c, ok := s.Service.(*optional); ok && c.current() != nil {
			t.Errorf("%s still runs", c.name)
		}
	}
}

// A reload that changes things keeps the subscription to commands: none that comes meanwhile is lost,
// and what comes after it meets the new things.
func TestNoCommandIsLostInAReload(t *testing.T) {
	l, file := accepting(t, withCommands)
	l.until("commands", func() bool { // one that is sent before it has subscribed is lost
		l.send("first", "read", `{"thing": "bme680"}`)
		select {
		case <-time.After(time.Second):
			return false
		case <-l.more:
			return l.heardOn("cmd/app/first")
		}
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const reloads = 20
	ended := make(chan error, 1)
	go func() {
		for n := range reloads {
			changed := strings.Replace(string(text), "name: bme680,", fmt.Sprintf("name: bme680, topics: {temperature: room/%d},", n), 1)
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				ended <- err
				return
			}
			if did, err := l.agent.Reload(t.Context()); err != nil || len(did.Things) != 1 || len(did.Connections) > 0 {
				ended <- fmt.Errorf("%+v: %w", did, err)
				return
			}
		}
		ended <- nil
	}()
	for n, reloading := 0, true; reloading; n++ {
		if a := l.asks(fmt.Sprintf("r%d", n), "read", `{"thing": "TG_MS"}`); a.Status != "OK" { // which keeps working
			t.Errorf("%+v", a)
		}
		select {
		case err := <-ended:
			if reloading = false; err != nil || n < reloads {
				t.Errorf("%d commands, %v", n, err)
			}
		default:
		}
	}
	if a := l.asks("last", "read", `{"thing": "bme680"}`); a.Status != "OK" || len(a.Result["events"].([]any)) == 0 {
		t.Errorf("the new thing: %+v", a)
	}
}

// For every key of the schema that may be changed on the machine only: a command that tries is refused
// with the key's name, or that of the list or section that it is in, and nothing is kept.
func TestCommandsChangeNoLocalKey(t *testing.T) {
	l := newLab(t, mock.Options{}, withCommands)
	l.agent.o.Load = everyKind(t)
	l.until("commands", func() bool { // one that is sent before it has subscribed is lost
		l.send("first", "read", `{"thing": "bme680"}`)
		select {
		case <-time.After(time.Second):
			return false
		case <-l.more:
			return l.heardOn("cmd/app/first")
		}
	})
	indices, tried := regexp.MustCompile(`\[\d*\]`), 0
	try := func(path, change string) {
		t.Helper()
		tried++
		a := l.asks(fmt.Sprintf("k%d", tried), "reconfigure", `{"config": `+change+`}`)
		before, _, _ := strings.Cut(a.Error, " can be changed on the machine only")
		named := before[strings.LastIndexByte(before, ' ')+1:]
		if a.Status != "ERROR" || before == a.Error || named == "" || !strings.HasPrefix(indices.ReplaceAllString(path, "")+".", indices.ReplaceAllString(named, "")+".") {
			t.Errorf("%s: %s is answered %+v", path, change, a)
		}
	}
	c, _, err := l.agent.o.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range conf.Leaves(new(config.Config)) {
		if leaf.Change() != conf.Afar && !strings.HasPrefix(leaf.Path, "things[]") {
			try(leaf.Path, nested(leaf.Path, "x"))
		}
	}
	for i := range c.Things {
		for _, leaf := range conf.Leaves(&c.Things[i]) {
			if leaf.Change() != conf.Afar {
				try("things."+c.Things[i].Name+"."+leaf.Path, fmt.Sprintf(`{"things": {%q: %s}}`, c.Things[i].Name, nested(leaf.Path, "x")))
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d keys were tried", tried)
	}
	if r, err := accepted.Newest(l.folder); err != nil || r != nil {
		t.Errorf("kept: %+v, %v", r, err)
	}
}
