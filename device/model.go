package device

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Model describes a kind of device as it appears at a broker: the topics
// and payloads of its events and actions. With it, flows use things that were
// never built for them: a board of another maker needs a name and a model, and no code.
//
// Topics are templates, in which {thing} stands for the thing's name. Payloads
// are JSON. A model is read only once it is made.
type Model struct {
	// ID is the model's name: the URN of a device in Things Graph, or any other.
	ID string `yaml:"id,omitempty" json:"id,omitempty"`
	// Implements is the URN of the Things Graph device model that the device has. A
	// role may name that too, if no other device implements it.
	Implements string `yaml:"implements,omitempty" json:"implements,omitempty"`

	Events  map[string]EventModel  `yaml:"events,omitempty" json:"events,omitempty"`
	Actions map[string]ActionModel `yaml:"actions,omitempty" json:"actions,omitempty"`

	// Quantities are what the events' values measure, for those who show, chart and judge
	// them. Documents hold neither them nor what else has no key in this file.
	Quantities []Quantity `yaml:"-" json:"-"`
	// Diagnostic says that they are about the computer itself and not about what is around it.
	Diagnostic bool `yaml:"-" json:"-"`
}

// EventModel is an event: a message that the thing publishes.
type EventModel struct {
	Topic string `yaml:"topic" json:"topic"`
	// Payload describes the message. What it does not name is passed on too.
	Payload Payload `yaml:"payload,omitempty" json:"payload,omitzero"`
	// Time is the key that gives when the event happened, if the message has it:
	// RFC 3339 text, or Unix seconds or milliseconds. "" is "time".
	Time string `yaml:"time,omitempty" json:"time,omitempty"`

	// Values are all texts that a key of the message can have, if they are few: of a state
	// with two, first that which is off.
	Values map[string][]string `yaml:"-" json:"-"`
	// Once says that a message is about what has just happened, and comes once; else it is a
	// state or a reading.
	Once bool `yaml:"-" json:"-"`
	// Every is the time between readings; 0 is that they come when something changes.
	Every time.Duration `yaml:"-" json:"-"`
}

// ActionModel is an action: a message to the thing, and one back or none.
type ActionModel struct {
	// Topic takes the request.
	Topic string `yaml:"topic" json:"topic"`
	// Params are the values that a step gives, with their types.
	Params map[string]ValueType `yaml:"params,omitempty" json:"params,omitempty"`
	// Request says what is sent. A map[string]any is a JSON object: its keys hold
	// text in which ${name} is a param, a number, a bool, null, or a list or an
	// object of these. Anything else is the whole message, for things whose
	// commands are no JSON: "TOGGLE", or "${state}". Without it (nil) the request is
	// an object of the params under their own names.
	Request any `yaml:"request,omitempty" json:"request,omitempty"`
	// Retain has the broker keep the request as the topic's last word, for a thing
	// that asks for its state when it connects. It does not expire then.
	Retain bool `yaml:"retain,omitempty" json:"retain,omitempty"`
	// Answer is the topic of the answer; "" means that the action has none and
	// is done when its request is published.
	Answer string `yaml:"answer,omitempty" json:"answer,omitempty"`
	// Result describes the answer.
	Result Payload `yaml:"result,omitempty" json:"result,omitzero"`
	// Token is the key of the request that the thing repeats in its answer, so that
	// answers find who asked; "" means that it repeats none.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// Picture is the key of the answer that has the address of a picture; "": none.
	Picture string `yaml:"-" json:"-"`
	// Inputs says more of some of the Params, for those who ask people for them. Documents have
	// none of it.
	Inputs map[string]Input `yaml:"-" json:"-"`
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

// Valid reports whether t is one of the types.
func (t ValueType) Valid() bool {
	return slices.Contains([]ValueType{AnyType, StringType, BooleanType, IntegerType, NumberType, ObjectType}, t)
}

// Event returns the event of that name, whatever its case.
func (m Model) Event(name string) (EventModel, bool) { return Named(m.Events, name) }

// Action returns the action of that name, whatever its case.
func (m Model) Action(name string) (ActionModel, bool) { return Named(m.Actions, name) }

// FindModel finds a model by its name, or the only one that implements what the name
// stands for, whatever its case.
func FindModel(models []Model, name string) (Model, bool) {
	if name == "" {
		return Model{}, false
	}
	if i := slices.IndexFunc(models, func(m Model) bool { return strings.EqualFold(m.ID, name) }); i >= 0 {
		return models[i], true
	}
	if all := Implementing(models, name); len(all) == 1 {
		return all[0], true
	}
	return Model{}, false
}

// Implementing returns the models that implement a device model.
func Implementing(models []Model, name string) (all []Model) {
	for _, m := range models {
		if strings.EqualFold(m.Implements, name) {
			all = append(all, m)
		}
	}
	return all
}

// Named finds a name whatever its case, as AWS did: the one that is spelled so, or else the
// first in alphabetical order.
func Named[T any](m map[string]T, name string) (T, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.EqualFold(key, name) {
			return m[key], true
		}
	}
	var none T
	return none, false
}

// RequestKeys are the keys of a request that is an object; nil if there is no such request.
func (a ActionModel) RequestKeys() map[string]any {
	m, _ := a.Request.(map[string]any)
	return m
}

// IsText reports whether the request is no JSON object but a text.
func (a ActionModel) IsText() bool { return a.Request != nil && a.RequestKeys() == nil }
