package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// camera is a thing whose action is called capture.
type camera struct {
	mu    sync.Mutex
	calls []device.Values
	do    func(ctx context.Context) (device.Values, error)
}

func (c *camera) Watch(string, func(map[string]any, time.Time)) (func(), error) {
	return nil, errors.New("no events")
}

func (c *camera) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	c.mu.Lock()
	c.calls = append(c.calls, device.Values{"action": action, "input": input})
	c.mu.Unlock()
	if c.do == nil {
		return nil, nil
	}
	return c.do(ctx)
}

func (c *camera) called() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

// sensor can be read.
type sensor struct {
	camera
	read func(ctx context.Context) ([]device.Event, error)
}

func (s *sensor) Read(ctx context.Context) ([]device.Event, error) { return s.read(ctx) }

// bench runs a service on a link in memory.
type bench struct {
	t      *testing.T
	link   *linktest.Client
	s      *Service
	o      Options
	log    bytes.Buffer
	camera *camera
	end    context.CancelFunc
	ended  chan error
}

var at = time.Date(2026, 11, 30, 12, 0, 0, 123_456_789, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, camera: &camera{}}
	var settings Settings
	conf.Fill(&settings)
	settings.Enabled = true
	meter := &sensor{read: func(context.Context) ([]device.Event, error) {
		return []device.Event{{Name: "temperature", Values: device.Values{"value": 21.5}, At: at}}, nil
	}}
	b.o = Options{Settings: settings, Device: "pi", Dir: t.TempDir(), Things: func() []Thing {
		return []Thing{
			{"TG_Camera", device.Model{Actions: map[string]device.ActionModel{"capture": {Topic: "cmd/{thing}/capture"}}}, b.camera},
			{"TG_Screen", device.Model{Actions: map[string]device.ActionModel{
				"display": {Params: map[string]device.ValueType{"imageUrl": device.StringType}, Request: map[string]any{"imageUri": "${imageUrl}", "by": "command"}},
				"count":   {Params: map[string]device.ValueType{"n": device.IntegerType, "x": device.NumberType, "on": device.BooleanType, "o": device.ObjectType, "any": device.AnyType}},
				"odd":     {Params: map[string]device.ValueType{"a": device.StringType}, Request: map[string]any{"text": "a ${a}"}},
			}}, b.camera},
			{"bme680", device.Model{}, meter},
			{"away", device.Model{Actions: map[string]device.ActionModel{"set": {}}}, nil},
		}
	}}
	return b
}

// run starts the service; its log can be read when stop has returned.
func (b *bench) run() {
	b.t.Helper()
	b.link = linktest.New()
	subscribed := make(chan struct{})
	b.o.Link, b.o.Log = noted{b.link, subscribed}, slog.New(slog.NewTextHandler(&b.log, nil))
	b.s = New(b.o)
	ctx, cancel := context.WithCancel(b.t.Context())
	b.end, b.ended = cancel, make(chan error, 1)
	go func() { b.ended <- b.s.Run(ctx) }()
	select {
	case <-subscribed:
	case err := <-b.ended:
		b.t.Fatalf("Run: %v", err)
	}
}

// noted is a link that says when there is a subscription.
type noted struct {
	*linktest.Client
	subscribed chan struct{}
}

func (n noted) Subscribe(filter string, qos byte, h mqttlink.Handler) (func(), error) {
	defer close(n.subscribed)
	return n.Client.Subscribe(filter, qos, h)
}

func (b *bench) stop() {
	b.t.Helper()
	b.end()
	if err := <-b.ended; err != nil {
		b.t.Fatalf("Run: %v", err)
	}
	b.link.Close()
}

// send sends a request as it is.
func (b *bench) send(payload string) {
	b.t.Helper()
	if err := b.link.Inject(mqttlink.Message{Topic: "cmd/ac/pi/req", Payload: []byte(payload), QoS: 1}); err != nil {
		b.t.Fatal(err)
	}
}

// ask sends a request and returns its answer, on a topic of its own.
func (b *bench) ask(session, kind, params string) string {
	b.t.Helper()
	b.send(asked(session, kind, params))
	return b.answer(session, 1)
}

func asked(session, kind, params string) string {
	if params != "" {
		params = `,"params":` + params
	}
	return fmt.Sprintf(`{"type":%q,"session-id":%q,"response-topic":"cmd/app/%s"%s}`, kind, session, session, params)
}

// answer waits for the n-th answer of a session.
func (b *bench) answer(session string, n int) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour) // of a test's clock, or go test's time-out comes first
	defer cancel()
	m, err := b.link.WaitFor(ctx, "cmd/app/"+session, n)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(m.Payload)
}

// want compares an answer; … in want stands for anything.
func want(t *testing.T, what, got, want string) {
	t.Helper()
	head, tail, open := strings.Cut(want, "…")
	if got != want && !(open && len(got) >= len(head)+len(tail) && strings.HasPrefix(got, head) && strings.HasSuffix(got, tail)) {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
