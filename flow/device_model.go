package flow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DeviceModel describes a kind of device as it appears at a broker: the topics
// and payloads of its events and actions. With it, flows use things that were
// never built for them: somebody's board needs a name and a model, and no code.
//
// Topics are templates, in which {thing} stands for the thing's name. Payloads
// are JSON. A model is read only once it is made.
type DeviceModel struct {
	// ID is the model's name: the URN of a device in Things Graph, or any other.
	ID string `yaml:"id,omitempty" json:"id,omitempty"`
	// Implements is the URN of the Things Graph device model that the device has. A
	// role may name that too, if no other device implements it.
	Implements string `yaml:"implements,omitempty" json:"implements,omitempty"`

	Events  map[string]EventModel  `yaml:"events,omitempty" json:"events,omitempty"`
	Actions map[string]ActionModel `yaml:"actions,omitempty" json:"actions,omitempty"`
}

// EventModel is an event: a message that the thing publishes.
type EventModel struct {
	Topic string `yaml:"topic" json:"topic"`
	// Payload describes the message. What it does not name is passed on too.
	Payload Payload `yaml:"payload,omitempty" json:"payload,omitzero"`
	// Time is the key that tells when the event happened, if the message has it:
	// RFC 3339 text, or Unix seconds or milliseconds. "" is "time".
	Time string `yaml:"time,omitempty" json:"time,omitempty"`
}

// ActionModel is an action: a message to the thing, and one back or none.
type ActionModel struct {
	// Topic takes the request.
	Topic string `yaml:"topic" json:"topic"`
	// Params are the values that a step gives, with their types.
	Params map[string]ValueType `yaml:"params,omitempty" json:"params,omitempty"`
	// Request says what the request's keys hold: text in which ${name} is a
	// param, a number, a bool, or null. Without it the request holds the params
	// under their own names.
	Request map[string]any `yaml:"request,omitempty" json:"request,omitempty"`
	// Answer is the topic of the answer; "" means that the action has none and
	// is done when its request is published.
	Answer string `yaml:"answer,omitempty" json:"answer,omitempty"`
	// Result describes the answer.
	Result Payload `yaml:"result,omitempty" json:"result,omitzero"`
	// Token is the key of the request that the thing repeats in its answer, so that
	// answers find who asked; "" means that it repeats none.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
}

// Payload describes a message: an object with keys, or a bare value.
type Payload struct {
	// Keys are what the object must have, with their types.
	Keys map[string]ValueType `yaml:"keys,omitempty" json:"keys,omitempty"`
	// Bare is the type of a message that is one value and not an object, such as
	// 21.5, which is passed on under the key "value"; "" is an object.
	Bare ValueType `yaml:"bare,omitempty" json:"bare,omitempty"`
}

// ValueType is a type of JSON values.
type ValueType string

// The types. AnyType takes every value.
const (
	AnyType     ValueType = "any"
	StringType  ValueType = "string"
	BooleanType ValueType = "boolean"
	IntegerType ValueType = "integer"
	NumberType  ValueType = "number"
	ObjectType  ValueType = "object"
)

// valid tells whether t is one of the types.
func (t ValueType) valid() bool {
	return slices.Contains([]ValueType{AnyType, StringType, BooleanType, IntegerType, NumberType, ObjectType}, t)
}

// Event returns the event of that name, whatever its case.
func (m DeviceModel) Event(name string) (EventModel, bool) { return has(m.Events, name) }

// Action returns the action of that name, whatever its case.
func (m DeviceModel) Action(name string) (ActionModel, bool) { return has(m.Actions, name) }

// FindModel finds a model by its name, or the only one that implements what the name
// stands for, whatever its case.
func FindModel(models []DeviceModel, name string) (DeviceModel, bool) {
	if name == "" {
		return DeviceModel{}, false
	}
	if i := slices.IndexFunc(models, func(m DeviceModel) bool { return strings.EqualFold(m.ID, name) }); i >= 0 {
		return models[i], true
	}
	if all := Implementing(models, name); len(all) == 1 {
		return all[0], true
	}
	return DeviceModel{}, false
}

// Implementing returns the models that implement a device model.
func Implementing(models []DeviceModel, name string) (all []DeviceModel) {
	for _, m := range models {
		if strings.EqualFold(m.Implements, name) {
			all = append(all, m)
		}
	}
	return all
}

// Validate says what is wrong with a model: an event or action without a topic,
// a topic with wildcards, an unknown type.
func (m DeviceModel) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(m.Events)) {
		e := m.Events[name]
		if err := checkTopic(e.Topic); err != nil {
			return fmt.Errorf("device model %s, event %s: %w", m.ID, name, err)
		}
		if err := e.Payload.check(); err != nil {
			return fmt.Errorf("device model %s, event %s: %w", m.ID, name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Actions)) {
		if err := m.Actions[name].check(); err != nil {
			return fmt.Errorf("device model %s, action %s: %w", m.ID, name, err)
		}
	}
	if len(m.Events)+len(m.Actions) == 0 {
		return fmt.Errorf("device model %s has neither events nor actions", m.ID)
	}
	return nil
}

func (a ActionModel) check() error {
	if err := checkTopic(a.Topic); err != nil {
		return err
	}
	if a.Answer != "" {
		if err := checkTopic(a.Answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	if err := checkTypes(a.Params); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(a.Request)) {
		if s, ok := a.Request[key].(string); ok {
			if _, err := TextValue(s); err != nil {
				return fmt.Errorf("request, %s: %w", key, err)
			}
		}
	}
	return a.Result.check()
}

func checkTypes(params map[string]ValueType) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if t := params[name]; !t.valid() {
			return fmt.Errorf("param %s has the unknown type %q", name, t)
		}
	}
	return nil
}

// Payload computes the request's payload from a step's arguments. An argument
// that is no param but has the name of one of the request's keys goes there as
// it is. Names are compared without regard to case.
func (a ActionModel) Payload(args Values) (Values, error) {
	args = a.spelled(args)
	if a.Request == nil {
		return args, nil
	}
	out := Values{}
	for _, key := range slices.Sorted(maps.Keys(a.Request)) {
		if v, given := args[key]; given && a.Params[key] == "" {
			out[key] = v
			continue
		}
		text, isText := a.Request[key].(string)
		if !isText {
			out[key] = a.Request[key]
			continue
		}
		v, err := TextValue(text)
		if err != nil {
			return nil, fmt.Errorf("request, %s: %w", key, err)
		}
		if out[key], err = v.Eval(params{args, a.Params}); err != nil {
			return nil, fmt.Errorf("request, %s: %w", key, err)
		}
	}
	return out, nil
}

// spelled returns arguments under the names of the params, or else of the
// request's keys.
func (a ActionModel) spelled(args Values) Values {
	out := make(Values, len(args))
	for name, v := range args {
		out[cmp.Or(spelling(a.Params, name), spelling(a.Request, name), name)] = v
	}
	return out
}

// spelling is how m has a name; "" if it does not.
func spelling[T any](m map[string]T, name string) string {
	if _, ok := m[name]; ok {
		return name
	}
	for key := range m {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return ""
}

// params is the scope of a request's texts: a param that the step does not give
// is null.
type params struct {
	args  Values
	names map[string]ValueType
}

// Lookup implements expr.Scope.
func (p params) Lookup(name string) (any, bool) {
	v, given := p.args[name]
	_, declared := p.names[name]
	return v, given || declared
}

func (p Payload) check() error {
	for key, t := range p.Keys {
		if !t.valid() {
			return fmt.Errorf("key %s has the unknown type %q", key, t)
		}
	}
	if p.Bare != "" && !p.Bare.valid() {
		return fmt.Errorf("a bare value of the unknown type %q", p.Bare)
	}
	if p.Bare != "" && len(p.Keys) > 0 {
		return fmt.Errorf("a payload has keys or is bare, not both")
	}
	return nil
}

// maxTopic is the longest topic that AWS IoT Core takes, in bytes; a thing's name
// takes up to 128 of them.
const maxTopic = 256

func checkTopic(template string) error {
	topic := strings.ReplaceAll(template, "{thing}", "t")
	switch {
	case template == "":
		return fmt.Errorf(`no topic; write one such as "{thing}/motion"`)
	case strings.ContainsAny(topic, "+#\x00"):
		return fmt.Errorf("topic %q has wildcards; write out the topic", template)
	case strings.ContainsAny(topic, "{}"):
		return fmt.Errorf("topic %q: only {thing} is filled in", template)
	case len(topic) > maxTopic:
		return fmt.Errorf("topic %q is longer than %d bytes", template, maxTopic)
	}
	return nil
}
