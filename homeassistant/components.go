package homeassistant

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/device"
	"pithings/mqttlink/topic"
)

// component is one of the message.
type component struct {
	thing string // of which it is; "" is the device itself
	what  string // its name in the thing: temperature
	name  string // for people, behind the thing's name
	keys  object
	// rank says what is left out first if the message is too long: the highest.
	rank  int
	place int // in the order of the configuration
}

const (
	rankThing = iota
	rankTrigger
	rankState
	rankSetting
)

// momentary is how long a state lasts of which only the beginning is reported, in seconds.
const momentary = 30

// expires is the shortest time without a reading after which a sensor is unavailable.
const expires = 30 * time.Second

// builder makes the components of a thing.
type builder struct {
	*Thing
	all []component
}

func (b *builder) add(what, name string, rank int, keys object) {
	if b.Presence != nil && keys["p"] != "device_automation" {
		keys["avty"] = availability(b.Presence)
	}
	b.all = append(b.all, component{thing: b.Name, what: what, name: name, keys: keys, rank: rank})
}

func (b *builder) topic(template string) string { return topic.Expand(template, b.Name) }

// build makes all components that the description of the thing has.
func (b *builder) build() {
	measured, setters := map[string]bool{}, map[string]bool{}
	for i := range b.Model.Quantities {
		q := &b.Model.Quantities[i]
		e, ok := b.Model.Events[q.Event]
		if !ok {
			continue
		}
		measured[q.Event] = true
		a, sets := b.Model.Actions[q.Set]
		if sets {
			setters[q.Set] = true
		}
		b.quantity(q, &e, a, sets)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Model.Events)) {
		if e := b.Model.Events[name]; !measured[name] && e.Once {
			b.event(name, &e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Model.Actions)) {
		if a := b.Model.Actions[name]; !setters[name] {
			b.action(name, &a)
		}
	}
}

// quantity makes the components of a value.
func (b *builder) quantity(q *device.Quantity, e *device.EventModel, a device.ActionModel, sets bool) {
	kind, always := e.Payload.Keys[q.Key]
	if q.Type != "" {
		kind = q.Type
	}
	values := e.Values[q.Key]
	keys := object{"stat_t": b.topic(e.Topic), "val_tpl": template(q.Key), "qos": 1}
	if b.Model.Diagnostic {
		keys["ent_cat"] = "diagnostic"
	}
	if sets {
		keys["cmd_t"] = b.topic(a.Topic)
		delete(keys, "ent_cat")
	} else if e.Every > 0 {
		keys["exp_aft"] = seconds(max(3*e.Every, expires))
	}
	switch {
	case kind == device.BooleanType:
		keys["val_tpl"] = yesNo(q.Key, !always)
		b.binary(q, e, keys, a, sets, []string{"OFF", "ON"}, []any{false, true})
	case len(values) == 2:
		b.binary(q, e, keys, a, sets, values, []any{values[0], values[1]})
	case kind == device.StringType:
		keys["p"] = "sensor"
		if sets {
			keys["p"], keys["cmd_tpl"] = "text", command(a, q.Key)
		}
		b.add(q.Name, words(q.Name), rankThing, keys)
	default:
		b.number(q, keys, a, sets)
	}
}

// binary makes the components of a value that is one of two. shown are how the template shows
// them, set what an action takes.
func (b *builder) binary(q *device.Quantity, e *device.EventModel, keys object, a device.ActionModel, sets bool, shown []string, set []any) {
	trigger := object{"p": "device_automation", "atype": "trigger", "t": keys["stat_t"], "val_tpl": keys["val_tpl"], "pl": shown[1],
		"type": q.Name, "stype": b.Name, "qos": 1}
	if sets {
		keys["p"], keys["stat_off"], keys["stat_on"] = "switch", shown[0], shown[1]
		keys["pl_off"], keys["pl_on"] = request(a, q.Key, set[0]), request(a, q.Key, set[1])
		put(keys, "dev_cla", among(switchClasses, q.Class))
	} else {
		keys["p"] = "binary_sensor"
		put(keys, "dev_cla", among(binaryClasses, q.Class))
		if shown[0] != "OFF" {
			keys["pl_off"], keys["pl_on"] = shown[0], shown[1]
		}
		if q.Momentary {
			keys["off_dly"] = momentary
		}
	}
	b.add(q.Name, words(q.Name), rankThing, keys)
	if e.Once { // a state is published again and again, and would trigger each time
		b.add(q.Name+"-trigger", "", rankTrigger, trigger)
	}
}

// number makes the component of a value that is a number.
func (b *builder) number(q *device.Quantity, keys object, a device.ActionModel, sets bool) {
	put(keys, "unit_of_meas", q.Unit)
	class := numberClass(q.Class, q.Unit)
	put(keys, "dev_cla", class)
	if !sets {
		keys["p"], keys["sug_dsp_prc"] = "sensor", q.Precision
		keys["stat_cla"] = cmp.Or(counting[class], "measurement")
		b.add(q.Name, words(q.Name), rankThing, keys)
		return
	}
	low, high := q.Min, q.Max
	if low >= high { // no limits; those of Home Assistant would be 1 and 100
		low, high = -1e9, 1e9
	}
	keys["p"], keys["cmd_tpl"], keys["min"], keys["max"], keys["mode"] = "number", command(a, q.Key), low, high, "box"
	keys["step"] = math.Pow10(-min(q.Precision, 3)) // Home Assistant's least is 0.001
	b.add(q.Name, words(q.Name), rankThing, keys)
}

// event makes the components of what happens once: one event, and triggers.
func (b *builder) event(name string, e *device.EventModel) {
	for _, key := range slices.Sorted(maps.Keys(e.Values)) {
		t := b.topic(e.Topic)
		b.add(name, words(name), rankThing, object{"p": "event", "event_types": e.Values[key], "stat_t": t, "qos": 1,
			"val_tpl": "{{ {'event_type': " + of("value_json", key) + "} | to_json }}"})
		for _, v := range e.Values[key] {
			b.add(name+"-"+v, "", rankTrigger, object{"p": "device_automation", "atype": "trigger", "t": t, "val_tpl": template(key),
				"pl": v, "type": cmp.Or(presses[v], v), "stype": b.Name, "qos": 1})
		}
	}
}

// action makes the components of an action that sets no value.
func (b *builder) action(name string, a *device.ActionModel) {
	params := slices.Sorted(maps.Keys(a.Params))
	keys := object{"cmd_t": b.topic(a.Topic), "qos": 1}
	if a.Retain {
		keys["ret"] = true
	}
	switch {
	case len(params) == 0:
		keys["p"], keys["pl_prs"] = "button", request(*a, "", nil)
		b.add(name, words(name), rankThing, keys)
	case len(params) == 1 && a.Params[params[0]] == device.StringType:
		keys["p"], keys["cmd_tpl"] = "text", command(*a, params[0])
		b.add(name, words(name), rankThing, keys)
	}
	if a.Picture != "" && a.Answer != "" {
		b.add(name+"-picture", "picture", rankThing, object{"p": "image", "url_t": b.topic(a.Answer), "url_tpl": template(a.Picture), "qos": 1})
	}
}

// placeholder stands for a value in a request while it is made; no text has it.
const placeholder = "\x00"

// request is the message of an action with one param; "" is none.
func request(a device.ActionModel, param string, value any) string {
	v := a.Request
	if v == nil {
		if param == "" {
			return "{}"
		}
		v = object{param: value}
	} else {
		v = fill(v, param, value)
	}
	if text, ok := v.(string); ok {
		return text
	}
	return encode(v)
}

// fill puts a value in the place of ${param}.
func fill(v any, param string, value any) any {
	switch v := v.(type) {
	case string:
		switch name := "${" + param + "}"; {
		case param == "" || !strings.Contains(v, name):
		case v == name:
			return value
		default:
			text, ok := value.(string)
			if !ok {
				text = encode(value)
			}
			return strings.ReplaceAll(v, name, text)
		}
	case object:
		filled := object{}
		for key, inner := range v {
			filled[key] = fill(inner, param, value)
		}
		return filled
	case []any:
		filled := make([]any, len(v))
		for i, inner := range v {
			filled[i] = fill(inner, param, value)
		}
		return filled
	}
	return v
}

// command is the template of that message, for the value that Home Assistant has.
func command(a device.ActionModel, param string) string {
	text := request(a, param, placeholder)
	if quoted := encode(placeholder); strings.Contains(text, quoted) {
		return strings.ReplaceAll(text, quoted, "{{ value | to_json }}")
	}
	return strings.ReplaceAll(text, placeholder, "{{ value }}") // a text that is no JSON
}

// template shows the value of a key of a payload.
func template(key string) string { return "{{ " + of("value_json", key) + " }}" }

// yesNo shows a key that is true or false as ON or OFF, and as None if it can be null.
func yesNo(key string, null bool) string {
	v := of("value_json", key)
	if null {
		return "{{ 'None' if " + v + " is none else 'ON' if " + v + " else 'OFF' }}"
	}
	return "{{ 'ON' if " + v + " else 'OFF' }}"
}

// of is a value below another one in Jinja. A key may be no name there, or that of a method.
func of(what string, keys ...string) string {
	for _, key := range keys {
		what += "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(key) + "']"
	}
	return what
}

// words are a name for people.
func words(name string) string { return strings.NewReplacer("_", " ", ".", " ").Replace(name) }

// put sets a key unless the value is empty.
func put(keys object, key, value string) {
	if value != "" {
		keys[key] = value
	}
}

// seconds are whole ones, rounded up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// encode returns JSON as people would write it: < stays <.
func encode(v any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // only a number that is none
		return strconv.Quote(err.Error())
	}
	return strings.TrimSuffix(out.String(), "\n")
}
