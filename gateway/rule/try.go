package rule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/script"
	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// Trial runs a script once, outside a gateway.
type Trial struct {
	Script Script
	Name   string
	Data   []byte    // JSON: data_collect or message, or {"topic": …, "payload": …}
	Topic  string    // __topic__, and that of a publish rule's result
	Out    io.Writer // gets a line for each line of the log, message and write
	HTTP   HTTP
	Params Params
	Limits Limits
}

// Run runs the script. Its result is written as JSON, the lines of its log as LEVEL TEXT, its
// messages as TOPIC PAYLOAD, and what it writes to variables as write DEVICE.VARIABLE VALUE.
// Every variable of the data can be written, and recalled.
func (t *Trial) Run(ctx context.Context) error {
	out := &trialLink{out: t.Out}
	data, err := decode(ctx, t.Data)
	if err != nil {
		return fmt.Errorf("the data is not JSON: %w", err)
	}
	if t.Limits == (Limits{}) {
		conf.Fill(&t.Limits)
	}
	log := slog.New(trialLog{out})
	f := trialField(out, data, log)
	defer f.Close()
	e := &Env{Link: out, Params: t.Params, Limits: t.Limits, HTTP: t.HTTP, Field: func() *field.Field { return f }, Log: log, Shared: new(Shared),
		Tags: func() *Dict {
			return &Dict{{"devices", []any{}}, {"groups", []any{}}, {"warning", []any{}}, {"vars", []any{}}}
		},
		Config: func() (any, error) { return nil, errors.New("a trial has no configuration") },
		Topic:  func(string) (string, byte, bool) { return t.Topic, 1, true }, Recall: func([]string) {}}
	out.quiet = true // of what a gateway logs of a rule
	p, err := e.load(publishKind, t.Name, t.Topic, 1, &t.Script, nil)
	out.quiet = false
	if err != nil {
		return err
	}
	c := new(call)
	result, err := p.main(ctx, c, func(params []string) []any { return p.trialArgs(params, data) })
	if err == nil {
		p.save(ctx, c)
	}
	p.close()
	p.cancel()
	if err != nil {
		var e *script.Error
		if errors.As(err, &e) && e.Traceback != "" {
			err = fmt.Errorf("%s%w", e.Traceback, err)
		}
		return err
	}
	encoded, err := encode(ctx, result)
	if err != nil {
		return fmt.Errorf("the result: %w", err)
	}
	out.line(string(encoded))
	return out.failed()
}

// trialArgs are the arguments of a main function: of a subscribe rule if the data is a message.
func (p *program) trialArgs(params []string, data script.Value) []any {
	if d, ok := data.(*script.Dict); ok && d.GetStr("topic") != nil && d.GetStr("payload") != nil {
		payload := d.GetStr("payload")
		if _, text := payload.(script.Str); !text {
			if b, err := encode(context.Background(), payload); err == nil {
				payload = script.Str(b)
			}
		}
		return append([]any{d.GetStr("topic"), payload}, p.rest(params, 2)...)
	}
	return append([]any{data}, p.rest(params, 1)...)
}

// trialLink is a connection that writes messages down.
type trialLink struct {
	mu    sync.Mutex
	out   io.Writer
	err   error
	quiet bool
}

func (l *trialLink) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet || l.err != nil {
		return
	}
	_, l.err = fmt.Fprintln(l.out, text)
}

func (l *trialLink) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Connected implements Link.
func (*trialLink) Connected() bool { return true }

// Publish implements mqttlink.Client.
func (l *trialLink) Publish(_ context.Context, m mqttlink.Message) error {
	if err := topic.Check(m.Topic); err != nil {
		return err
	}
	l.line(m.Topic + " " + string(m.Payload))
	return nil
}

// Subscribe implements mqttlink.Client.
func (*trialLink) Subscribe(string, byte, mqttlink.Handler) (func(), error) { return func() {}, nil }

// SubscribeAll implements mqttlink.Client.
func (*trialLink) SubscribeAll([]string, byte, mqttlink.Handler) (func(), error) {
	return func() {}, nil
}

// trialLog writes the lines of a script as LEVEL TEXT.
type trialLog struct{ *trialLink }

func (trialLog) Enabled(context.Context, slog.Level) bool { return true }

func (l trialLog) Handle(_ context.Context, r slog.Record) error {
	own := false // a line of the script, which has its rule alone
	r.Attrs(func(a slog.Attr) bool { own = a.Key == "rule"; return own })
	if own {
		l.line(r.Level.String() + " " + r.Message)
	}
	return nil
}

func (l trialLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l trialLog) WithGroup(string) slog.Handler      { return l }

// trialField has the variables of the data, as things that can be written.
func trialField(out *trialLink, data script.Value, log *slog.Logger) *field.Field {
	bus := new(device.Bus)
	o := field.Options{Events: bus, Up: func(string) bool { return true }, Log: log}
	var readings []device.Event
	top, _ := data.(*script.Dict)
	if top == nil {
		return field.New(o, time.Now())
	}
	add := func(of, name string, value script.Value) {
		i := len(o.Things) - 1
		if i < 0 || o.Things[i].Name != of {
			i = len(o.Things)
			o.Things = append(o.Things, field.Thing{Name: of, Actor: trialActor{out, of}, Model: device.Model{Actions: map[string]device.ActionModel{}}})
		}
		m := &o.Things[i].Model
		m.Quantities = append(m.Quantities, device.Quantity{Name: name, Event: name, Key: name})
		m.Actions[name] = device.ActionModel{Params: map[string]device.ValueType{name: device.AnyType}}
		var v collect.Variable
		conf.Fill(&v)
		v.Device, v.Name = of, name
		o.Variables = append(o.Variables, v)
		if known, err := script.ToGo(value); err == nil && value != nil {
			readings = append(readings, device.Event{Thing: of, Name: name, Values: device.Values{name: known}, At: time.Now()})
		}
	}
	if values, ok := top.GetStr("values").(*script.Dict); ok {
		_ = items(values, func(of string, v script.Value) error {
			if variables, ok := v.(*script.Dict); ok && variables.GetStr("current") == nil { // no alarm
				return items(variables, func(name string, v script.Value) error {
					if d, ok := v.(*script.Dict); ok {
						add(of, name, d.GetStr("raw_data"))
					}
					return nil
				})
			}
			return nil
		})
	}
	f := field.New(o, time.Now())
	for _, e := range readings {
		bus.Emit(e)
	}
	return f
}

// trialActor writes down what is written.
type trialActor struct {
	out    *trialLink
	device string
}

func (trialActor) Watch(string, func(map[string]any, time.Time)) (func(), error) {
	return nil, errors.New("a trial has no events")
}

func (a trialActor) Call(_ context.Context, variable string, input map[string]any) (map[string]any, error) {
	a.out.line(strings.TrimSpace(fmt.Sprintf("write %s.%s %v", a.device, variable, input[variable])))
	return nil, nil
}
