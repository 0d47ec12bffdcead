package agent

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/spool/accepted"
	"pithings/spool/control"
)

// accepting is a lab whose configuration is a file.
func accepting(t *testing.T, text string) (l *lab, file string) {
	l = newLab(t, mock.Options{}, text)
	file = filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte("http: {listen: \"127.0.0.1:0\"}\nbroker: {listen: \"127.0.0.1:0\"}\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	l.load = func(over config.Over) (*config.Config, []conf.Warning, error) {
		return config.LoadWith(file, nil, config.With{Over: over})
	}
	l.agent.o.Load = l.load
	return l, file
}

type settings = map[string]any

func TestAccept(t *testing.T) {
	l, file := accepting(t, twoThings)
	accept := func(changes settings) error {
		_, err := l.agent.Accept(t.Context(), "test", changes)
		return err
	}
	level := func() string { return l.agent.current().Log.Level }
	if err := accept(settings{"log": settings{"level": "debug"}, "things": settings{"bme680": settings{"interval": "200ms"}}}); err != nil {
		t.Fatal(err)
	}
	if level() != "debug" {
		t.Errorf("the level is %s", level())
	}
	// The next one is beside it; what is wrong changes nothing.
	if err := accept(settings{"mqtt": settings{"queue": settings{"max": 7.0}}}); err != nil {
		t.Fatal(err)
	}
	var problems *conf.Error
	if err := accept(settings{"log": settings{"level": "info"}, "mqtt": settings{"endpoint": "mqtt://evil:1883"}}); !errors.As(err, &problems) || !strings.Contains(err.Error(), "mqtt.endpoint can be changed on the machine only") {
		t.Error(err)
	}
	if max := l.agent.current().MQTT.Queue.Max; level() != "debug" || max != 7 {
		t.Errorf("level %s, max %d", level(), max)
	}
	l.until("the end of the trial", func() bool {
		r, err := accepted.Newest(l.agent.folder.Dir)
		return err == nil && r.Number == 2 && !r.Trial
	})
	r, err := accepted.Newest(l.agent.folder.Dir)
	want := settings{"log": settings{"level": "debug"}, "things": settings{"bme680": settings{"interval": "200ms"}}, "mqtt": settings{"queue": settings{"max": 7.0}}}
	if err != nil || !reflect.DeepEqual(r.Settings, want) || r.From != "test" {
		t.Errorf("%+v, %v", r, err)
	}
	// A reload keeps them, null removes one, and a file that changes counts alone.
	if _, err := l.agent.Reload(t.Context()); err != nil || level() != "debug" {
		t.Errorf("after a reload the level is %s, %v", level(), err)
	}
	if err := accept(settings{"log": settings{"level": nil}}); err != nil || level() != "info" || l.agent.current().MQTT.Queue.Max != 7 {
		t.Errorf("after null the level is %s, %v", level(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "log: {level: warn}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.agent.Reload(t.Context()); err != nil || level() != "warn" || l.agent.current().MQTT.Queue.Max != -1 {
		t.Errorf("with another file the level is %s, the queue %d, %v", level(), l.agent.current().MQTT.Queue.Max, err)
	}
	// What comes then is over that file.
	if err := accept(settings{"mqtt": settings{"queue": settings{"max": 8.0}}}); err != nil || level() != "warn" || l.agent.current().MQTT.Queue.Max != 8 {
		t.Errorf("the level is %s, %v", level(), err)
	}
	c := control.NewClient(l.agent.folder.Socket())
	defer c.Close()
	if _, err := AskReset(t.Context(), c); err != nil || l.agent.current().MQTT.Queue.Max != -1 {
		t.Errorf("after a reset the queue is %d, %v", l.agent.current().MQTT.Queue.Max, err)
	}
}

// Settings with which the agent does not connect are taken back by themselves, also by the next
// process.
func TestTrial(t *testing.T) {
	l, _ := accepting(t, "mqtt: {endpoint: \""+nowhere+"\"}\n"+twoThings)
	newest := func() *accepted.Revision {
		t.Helper()
		r, err := accepted.Newest(l.folder)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	accept := func(max float64) {
		t.Helper()
		if _, err := l.agent.Accept(t.Context(), "test", settings{"mqtt": settings{"queue": settings{"max": max}}}); err != nil {
			t.Fatal(err)
		}
	}
	taken := func(max int) func() bool {
		return func() bool {
			r := newest()
			return !r.Trial && strings.Contains(r.From, "no connection with revision") && l.agent.current().MQTT.Queue.Max == max
		}
	}
	l.agent.o.TrialTime = time.Hour
	accept(7)
	if r := newest(); !r.Trial || l.agent.current().MQTT.Queue.Max != 7 {
		t.Errorf("%+v, %d", r, l.agent.current().MQTT.Queue.Max)
	}
	l.agent.o.TrialTime = 100 * time.Millisecond
	accept(8)
	l.until("the settings before", taken(-1))

	l.agent.o.TrialTime = time.Hour
	accept(9)
	l.stop()
	if r := newest(); !r.Trial {
		t.Errorf("%+v", r)
	}
	l.trial = 100 * time.Millisecond
	l.start("mqtt: {endpoint: \"" + nowhere + "\"}\n" + twoThings)
	l.until("the settings before, in the next process", taken(-1))
}
