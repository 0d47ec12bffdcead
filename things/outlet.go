package things

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"pithings/device"
	"pithings/mqttlink"
	"pithings/pulse"
)

// outlet is the one way out of a thing. What it reports is published first, on the topic
// and in the form of the thing's contract, and then handed to the receivers in this
// process: flows hear of it with the broker away, too.
type outlet struct {
	kind   *Kind
	thing  string
	topics Topics // expanded
	extra  Extra
	link   mqttlink.Client
	events *device.Bus
	pulse  *pulse.Pulse
}

func newOutlet(k *Kind, o Options, e Env) (outlet, error) {
	topics, err := Expand(k.Templates(), o.Thing, o.Topics)
	events := e.Events
	if events == nil {
		events = new(device.Bus)
	}
	return outlet{k, o.Thing, topics, o.Extra, e.Link, events, e.Pulse}, err
}

// Name implements Thing.
func (o *outlet) Name() string { return o.thing }

// loop adds one of the thing's loops to the pulse of the program; what is "" for that of Run.
func (o *outlet) loop(what string) *pulse.Loop { return o.pulse.Loop("thing " + o.thing + what) }

// report publishes what happened, or was measured, at a time on the topic of a role, and emits
// it as the event of that name. The error is that of the publication.
func (o *outlet) report(ctx context.Context, role, event string, at time.Time, r *record) error {
	r = r.with(o.extra)
	err := o.send(ctx, o.message(role, at, r))
	o.emit(event, at, r)
	return err
}

// send publishes a message, and moves the loop in ctx: on a slow disk each takes seconds, and a
// reading may have a thousand.
func (o *outlet) send(ctx context.Context, m mqttlink.Message) error {
	defer pulse.Of(ctx).Move()
	return o.link.Publish(ctx, m)
}

// message is what is published on the topic of a role; a zero time is now.
func (o *outlet) message(role string, at time.Time, r *record) mqttlink.Message {
	t := o.kind.topic(role)
	payload, field := r.encode()
	return mqttlink.Message{Topic: o.topics[role], QoS: t.QoS, Retain: t.Retain, Alarm: t.Alarm, Payload: payload, Time: at, TimeField: field}
}

// topic returns the topic of a role, which the contract must have.
func (k *Kind) topic(role string) *Topic {
	i := slices.IndexFunc(k.Topics, func(t Topic) bool { return t.Role == role })
	return &k.Topics[i]
}

// emit hands an event to the receivers in this process; a zero time is now.
func (o *outlet) emit(event string, at time.Time, r *record) {
	if o.events.Wanted(o.thing, event) {
		if at.IsZero() {
			at = time.Now()
		}
		o.events.Emit(device.Event{Thing: o.thing, Name: event, Values: r.values(), At: at})
	}
}

// reported is a message of a reading: the event's name, and what it says.
type reported struct {
	name   string
	record *record
}

// unpublished returns a reading as the events that would report it.
func (o *outlet) unpublished(at time.Time, all []reported) (events []device.Event) {
	for _, r := range all {
		events = append(events, device.Event{Thing: o.thing, Name: r.name, Values: r.record.with(o.extra).values(), At: at})
	}
	return events
}

// watch is device.Actor's Watch for a thing with those events.
func (o *outlet) watch(event string, events []string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	for _, name := range events {
		if strings.EqualFold(name, event) {
			return o.events.Subscribe(o.thing, name, func(e device.Event) { fn(floats(e.Values), e.At) }), nil
		}
	}
	return nil, o.noEvent(event)
}

// floats returns values with all numbers as float64, as a flow finds them in the JSON of other
// devices: there reading / 2 must not depend on the type of the reading.
func floats(values device.Values) map[string]any {
	all := maps.Clone(values)
	for key, v := range all {
		if n, ok := v.(int64); ok {
			all[key] = float64(n)
		}
	}
	return all
}

func (o *outlet) noEvent(event string) error {
	return fmt.Errorf("thing %s has no event %q", o.thing, event)
}

func (o *outlet) noAction(action string) error {
	return fmt.Errorf("thing %s has no action %q", o.thing, action)
}

// record is what a thing has to say in one message: named values in order. Two read it: the
// broker as JSON, and the flows, charts and rules of this process as values.
type record struct {
	fields  []field
	compact bool // JSON without blanks
}

// field is one named value: a bool, an int64, a float64 (NaN: none), a string, a stamp, or
// whatever else JSON can hold.
type field struct {
	key   string
	value any
}

// stamp is a time and how it is written.
type stamp struct {
	at     time.Time
	format mqttlink.TimeFormat
}

// value is the time as a reader of the JSON finds it: a text, or a number.
func (s stamp) value() any {
	text := string(s.format.Append(nil, s.at))
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n
	}
	return strings.Trim(text, `"`)
}

func (r *record) add(key string, value any) *record {
	r.fields = append(r.fields, field{key, value})
	return r
}

func (r *record) bool(key string, v bool) *record      { return r.add(key, v) }
func (r *record) int(key string, v int64) *record      { return r.add(key, v) }
func (r *record) number(key string, v float64) *record { return r.add(key, v) }
func (r *record) string(key, v string) *record         { return r.add(key, v) }

// time adds when it was measured or happened. A record has one time.
func (r *record) time(key string, t time.Time, f mqttlink.TimeFormat) *record {
	return r.add(key, stamp{t, f})
}

// encode writes the record as JSON. The place of its time is returned, because the link
// writes another time there if the clock was not known then.
func (r *record) encode() ([]byte, mqttlink.TimeField) {
	o := &object{compact: r.compact}
	for _, f := range r.fields {
		switch v := f.value.(type) {
		case bool:
			o.bool(f.key, v)
		case int64:
			o.int(f.key, v)
		case float64:
			o.number(f.key, v)
		case string:
			o.string(f.key, v)
		case stamp:
			o.time(f.key, v.at, v.format)
		default:
			o.json(f.key, v)
		}
	}
	return o.bytes(), o.field
}

// values returns what a reader of the JSON would find in it: whole numbers are int64, others
// float64, and a number without a value and nothing else is nil.
func (r *record) values() map[string]any {
	m := make(map[string]any, len(r.fields))
	for _, f := range r.fields {
		switch v := f.value.(type) {
		case float64:
			m[f.key] = nil
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				m[f.key] = v
			}
		case stamp:
			m[f.key] = v.value()
		default:
			m[f.key] = v
		}
	}
	return m
}

// with returns the record with extra keys behind its own.
func (r *record) with(extra Extra) *record {
	if len(extra) == 0 {
		return r
	}
	out := &record{slices.Clone(r.fields), r.compact}
	for _, key := range extra.keys() {
		// A sensor's quantities are not known when the configuration is read.
		if !slices.ContainsFunc(r.fields, func(f field) bool { return f.key == key }) {
			out.string(key, extra[key])
		}
	}
	return out
}

// object writes a JSON object on one line with its keys in the order given and
// the separators ", " and ": ", as Python's json.dumps does. Programs that
// compare lines, and people who compare them with the tutorials, see the same
// bytes. Kinds that no tutorial knows leave the blanks out (compact).
type object struct {
	strings.Builder
	compact bool               // without blanks
	field   mqttlink.TimeField // of the time, if there is one
}

// newObject continues an object that has been written.
func newObject(written []byte) *object {
	o := new(object)
	o.Write(bytes.TrimSuffix(written, []byte("}")))
	return o
}

func (o *object) key(name string) *object {
	comma, colon := ", ", ": "
	if o.compact {
		comma, colon = ",", ":"
	}
	if o.Len() == 0 {
		comma = "{"
	}
	o.WriteString(comma)
	o.quote(name)
	o.WriteString(colon)
	return o
}

func (o *object) string(name, v string) *object { o.key(name).quote(v); return o }

func (o *object) bool(name string, v bool) *object {
	o.key(name).WriteString(strconv.FormatBool(v))
	return o
}

func (o *object) int(name string, v int64) *object {
	o.key(name).WriteString(strconv.FormatInt(v, 10))
	return o
}

// number writes a float as Python does: the shortest digits, with ".0" behind a
// whole number. NaN means that there is no value and is written as null.
func (o *object) number(name string, v float64) *object {
	o.key(name)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		o.WriteString("null")
		return o
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	o.WriteString(s)
	return o
}

// time writes when the message was made, and keeps the place: if the clock was not
// known then, the link writes another time there.
func (o *object) time(name string, t time.Time, f mqttlink.TimeFormat) *object {
	o.key(name)
	o.field = mqttlink.TimeField{Offset: o.Len(), Format: f}
	o.Write(f.Append(nil, t))
	o.field.Length = o.Len() - o.field.Offset
	return o
}

// json writes a list or an object as package json does.
func (o *object) json(name string, v any) *object {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null") // what things report can be written
	}
	o.key(name).Write(b)
	return o
}

func (o *object) bytes() []byte { return []byte(o.String() + "}") }

// quote writes a JSON string in ASCII only (json.dumps with ensure_ascii).
func (o *object) quote(s string) {
	o.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			o.WriteByte('\\')
			o.WriteRune(r)
		case r == '\n':
			o.WriteString(`\n`)
		case r == '\r':
			o.WriteString(`\r`)
		case r == '\t':
			o.WriteString(`\t`)
		case r >= ' ' && r < 0x7f:
			o.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(o, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(o, `\u%04x`, r)
		}
	}
	o.WriteByte('"')
}
