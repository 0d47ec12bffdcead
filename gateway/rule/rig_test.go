package rule_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/mqttlink/linktest"
)

// at is the time in the manual of Device Supervisor.
var at = time.UnixMicro(1589538347560471).UTC()

// link is a connection that can be away.
type link struct {
	*linktest.Client
	away atomic.Bool
}

func (l *link) Connected() bool { return !l.away.Load() }

// plc is a thing whose actions set its quantities.
type plc struct {
	bus  *device.Bus
	hang chan struct{} // not nil: Call waits for it
	// read is what it finds when it is asked now; nil: it cannot be asked.
	read func(ctx context.Context) (device.Values, error)
}

// Read implements device.Reader.
func (p *plc) Read(ctx context.Context) ([]device.Event, error) {
	if p.read == nil {
		return nil, errors.New("it cannot be asked")
	}
	values, err := p.read(ctx)
	now := time.Now()
	if now.Before(at) { // in a bubble of synctest, which begins in 2000
		now = at
	}
	return []device.Event{{Thing: "plc", Name: "state", Values: values, At: now}}, err
}

func (p *plc) Watch(string, func(map[string]any, time.Time)) (func(), error) { return nil, nil }

func (p *plc) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if p.hang != nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.bus.Emit(device.Event{Thing: "plc", Name: "state", Values: input, At: time.Now()})
	return nil, nil
}

var plcModel = device.Model{
	Events:  map[string]device.EventModel{"state": {}},
	Actions: map[string]device.ActionModel{"set": {Params: map[string]device.ValueType{"t1": device.BooleanType, "t2": device.IntegerType}}},
	Quantities: []device.Quantity{{Name: "Test1", Event: "state", Key: "t1"}, {Name: "Test2", Event: "state", Key: "t2"},
		{Name: "Temp", Event: "state", Key: "temp", Unit: "°C"}},
}

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	b    strings.Builder
	more chan struct{} // has a token after a line; nil: no one waits
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

// await waits until a text is logged.
func (l *lines) await(t testing.TB, text string) {
	t.Helper()
	l.mu.Lock()
	l.more = make(chan struct{}, 1)
	l.mu.Unlock()
	for late := time.After(20 * time.Second); !strings.Contains(l.String(), text); {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("%s is not logged:\n%s", text, l.String())
		}
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is rules with a field and a link.
type rig struct {
	*rule.Rules
	link  *link
	field *field.Field
	bus   *device.Bus
	plc   *plc
	log   *lines
	level slog.LevelVar
	env   *rule.Env
}

func variable(name string) collect.Variable {
	var v collect.Variable
	conf.Fill(&v)
	v.Device, v.Name = "S7-1200", name
	return v
}

func newRig(t testing.TB, s rule.Settings, change ...func(*rule.Env)) *rig {
	t.Helper()
	r := &rig{link: &link{Client: linktest.New()}, bus: new(device.Bus), log: new(lines)}
	t.Cleanup(r.link.Close)
	r.plc = &plc{bus: r.bus}
	r.level.Set(slog.LevelDebug)
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: &r.level}))
	r.field = field.New(field.Options{
		Things: []field.Thing{{Name: "plc", Model: plcModel, Actor: r.plc}}, Devices: []field.Device{{Name: "S7-1200", Thing: "plc", Protocol: "ISO-on-TCP"}},
		Variables: []collect.Variable{variable("Test1"), variable("Test2")}, Groups: []collect.Group{{Name: "default", Polling: conf.Duration{Duration: time.Hour}}},
		Events: r.bus, Up: func(string) bool { return true }, Log: log,
	}, at)
	t.Cleanup(r.field.Close)
	r.bus.Emit(device.Event{Thing: "plc", Name: "state", Values: device.Values{"t1": false, "t2": 12}, At: at})
	r.env = &rule.Env{Link: r.link, Params: rule.Params{Serial: "GT902XX", MAC: "00:18:05:0f:f0:46", LogLevel: "info", Readings: 100000, Alarms: 2000, Custom: map[string]string{"device_id": "1"}},
		Field: func() *field.Field { return r.field }, Tags: func() *rule.Dict { return tags }, Log: log,
		Config: func() (any, error) {
			return map[string]any{"controllers": []any{map[string]any{"name": "S7-1200"}}, "version": "2.2.1"}, nil
		}}
	conf.Fill(&r.env.Limits)
	for _, c := range change {
		c(r.env)
	}
	r.Rules = rule.New(r.env, s, nil)
	t.Cleanup(r.Rules.Close)
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

var tags = &rule.Dict{{Key: "devices", Value: []any{&rule.Dict{{Key: "device_name", Value: "S7-1200"}, {Key: "protocol", Value: "ISO-on-TCP"}}}},
	{Key: "groups", Value: []any{&rule.Dict{{Key: "group_name", Value: "default"}, {Key: "upload_interval", Value: 10}, {Key: "group_type", Value: "collect"}}}},
	{Key: "warning", Value: []any{}}, {Key: "vars", Value: []any{}}}

// Handle has the rules work on a batch, and waits for them.
func (r *rig) Handle(ctx context.Context, b rule.Batch) {
	r.Rules.Handle(ctx, b)
	r.Drain(ctx)
}

// round is what the group default brings.
func (r *rig) round() collect.Round {
	round := r.field.Recall(at, nil)
	round.Group = "default"
	return round
}

// alarm is one of the group warning, as in the manual.
func alarm(on bool, value any) collect.AlarmEvent {
	return collect.AlarmEvent{On: on, At: time.Unix(1589434527, 362869700), Value: value, Trigger: 33,
		AlarmRule: &collect.AlarmRule{Name: "Warn1", Group: "warning", Device: "S7-1200", Variable: "Test2", Content: "The speed has exceeded 30.", Level: 1}}
}

// published has what was published, as TOPIC QOS PAYLOAD.
func (r *rig) published() string {
	var all []string
	for _, m := range r.link.Published("#") {
		all = append(all, fmt.Sprintf("%s %d %s", m.Topic, m.QoS, m.Payload))
	}
	return strings.Join(all, "\n")
}

// wait waits until so many messages were published on a topic.
func (r *rig) wait(t testing.TB, topic string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := r.link.WaitFor(ctx, topic, n); err != nil {
		t.Fatalf("%s: %v; log:\n%s", topic, err, r.log.String())
	}
}

func script(code string) rule.Script {
	return rule.Script{Function: "main", Code: code, API: "auto"}
}

func publish(code string) rule.Settings {
	return rule.Settings{Publish: []rule.Publish{{Name: "up", Topic: "awsiot/test", QoS: 1, Groups: []string{"default", "warning"}, Script: script(code)}}}
}

// recent is a time of now, which is after those of the tests.
var recent = regexp.MustCompile(`\b1[6-9]\d{8}(\d{3})?(\.\d+)?\b`)

// undated hides times of now.
func undated(s string) string { return recent.ReplaceAllString(s, "NOW") }
