package agent

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/device"
	"pithings/things"
)

// ThingDescription is all that a page needs to show and use a thing of whatever kind.
type ThingDescription struct {
	Doc        string                     `json:"doc"` // of its kind
	Part       *DescribedPart             `json:"part,omitempty"`
	Diagnostic bool                       `json:"diagnostic,omitempty"` // it is about the computer itself
	Quantities []DescribedQuantity        `json:"quantities"`
	Events     map[string]DescribedEvent  `json:"events"`
	Actions    map[string]DescribedAction `json:"actions"`
	Pictures   map[string]string          `json:"pictures,omitempty"` // addresses by what they show: snapshot, stream, shown
	Settings   []DescribedSetting         `json:"settings"`
}

// DescribedPart is the part of a board that a thing uses, by the key that names it.
type DescribedPart struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// DescribedQuantity is a device.Quantity.
type DescribedQuantity struct {
	Name      string           `json:"name"`
	Type      device.ValueType `json:"type"`
	Unit      string           `json:"unit,omitempty"`
	Class     string           `json:"class,omitempty"`
	Precision int              `json:"precision,omitempty"`
	Min       *float64         `json:"min,omitempty"` // of what is plausible
	Max       *float64         `json:"max,omitempty"`
	Values    []string         `json:"values,omitempty"` // all texts that it can be: of two, first that which is off
	Momentary bool             `json:"momentary,omitempty"`
	Event     string           `json:"event"`
	Key       string           `json:"key"`
	Set       string           `json:"set,omitempty"` // the action that sets it, with a param under the name of key
}

// DescribedEvent is a device.EventModel.
type DescribedEvent struct {
	Values map[string]device.ValueType `json:"values,omitempty"` // the types of those that it always has
	Once   bool                        `json:"once,omitempty"`
	Every  float64                     `json:"every,omitempty"` // seconds
}

// DescribedAction is a device.ActionModel.
type DescribedAction struct {
	Input   []DescribedInput            `json:"input"`
	Result  map[string]device.ValueType `json:"result,omitempty"`
	Picture string                      `json:"picture,omitempty"` // the key of the result that has the address of one
}

// DescribedInput is a param of an action.
type DescribedInput struct {
	Name     string           `json:"name"`
	Type     device.ValueType `json:"type"`
	Doc      string           `json:"doc,omitempty"`
	Required bool             `json:"required,omitempty"`
	Values   []string         `json:"values,omitempty"`
	Format   string           `json:"format,omitempty"`
	Unit     string           `json:"unit,omitempty"`
	Min      *float64         `json:"min,omitempty"`
	Max      *float64         `json:"max,omitempty"`
}

// DescribedSetting is a key of the thing in the configuration. Secrets are "[set]".
type DescribedSetting struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Doc     string          `json:"doc,omitempty"`
	Default string          `json:"default,omitempty"`
	Min     string          `json:"min,omitempty"`
	Max     string          `json:"max,omitempty"`
	Values  []string        `json:"values,omitempty"`
	Change  conf.Change     `json:"change,omitempty"`
}

// describe describes a thing as it is now.
func (p *part) describe() *ThingDescription {
	kind, m := things.KindOf(p.made.Type), modelOf(&p.made)
	d := &ThingDescription{Doc: kind.Doc, Diagnostic: m.Diagnostic, Quantities: []DescribedQuantity{},
		Events: map[string]DescribedEvent{}, Actions: map[string]DescribedAction{}, Pictures: p.shows(), Settings: describeSettings(p.made.Settings)}
	if key, name := p.made.Settings.Part(); key != "" {
		d.Part = &DescribedPart{key, name}
	}
	quantities := p.quantities()
	for i := range quantities {
		d.Quantities = append(d.Quantities, describeQuantity(&m, &quantities[i]))
	}
	for name, e := range m.Events {
		values := e.Payload.Keys
		if e.Payload.Bare != "" {
			values = map[string]device.ValueType{"value": e.Payload.Bare}
		}
		d.Events[name] = DescribedEvent{values, e.Once, e.Every.Seconds()}
	}
	for name, a := range m.Actions {
		d.Actions[name] = DescribedAction{describeInputs(a, name, d.Quantities), a.Result.Keys, a.Picture}
	}
	return d
}

// shows lists the addresses at which a thing shows what it sees, or what is on it.
func (p *part) shows() map[string]string {
	all := map[string]string{}
	if _, ok := p.Thing.(photographer); ok {
		all["snapshot"] = thingsPath + "/" + p.Name() + "/snapshot.jpg"
		all["stream"] = thingsPath + "/" + p.Name() + "/stream.mjpeg"
	}
	if p.mirror != nil {
		all["shown"] = "/screen/" + p.Name() + ".png"
	}
	return all
}

func describeQuantity(m *device.Model, q *device.Quantity) DescribedQuantity {
	d := DescribedQuantity{Name: q.Name, Type: q.Type, Unit: q.Unit, Class: q.Class, Precision: q.Precision,
		Momentary: q.Momentary, Event: q.Event, Key: q.Key}
	if i := slices.IndexFunc(m.Quantities, func(of device.Quantity) bool { return of.Name == q.Name }); i >= 0 {
		d.Set = m.Quantities[i].Set // which a part that measures does not know
	}
	if e, ok := m.Event(q.Event); ok {
		d.Values = e.Values[q.Key]
		if d.Type == "" {
			d.Type = e.Payload.Keys[q.Key]
		}
	}
	if d.Type == "" {
		d.Type = device.NumberType
	}
	if q.Min != 0 || q.Max != 0 {
		d.Min, d.Max = &q.Min, &q.Max
	}
	return d
}

// describeInputs lists the params of an action, those that are required first. One that sets a
// quantity has its unit and range.
func describeInputs(a device.ActionModel, action string, quantities []DescribedQuantity) []DescribedInput {
	all, rest := []DescribedInput{}, []DescribedInput(nil)
	for _, name := range slices.Sorted(maps.Keys(a.Params)) {
		more := a.Inputs[name]
		in := DescribedInput{Name: name, Type: a.Params[name], Doc: more.Doc, Required: more.Required, Values: more.Values, Format: more.Format}
		for i := range quantities {
			if q := &quantities[i]; q.Set == action && q.Key == name {
				in.Unit, in.Min, in.Max = q.Unit, q.Min, q.Max
				if in.Values == nil {
					in.Values = q.Values
				}
			}
		}
		if in.Required {
			all = append(all, in)
		} else {
			rest = append(rest, in)
		}
	}
	return append(all, rest...)
}

// describeSettings lists the keys of a kind with their values and what they may be, but for those
// in lists: a Modbus device may have a thousand registers.
func describeSettings(s things.Settings) []DescribedSetting {
	leaves := map[string]conf.Leaf{}
	for _, l := range conf.Leaves(s) {
		leaves[l.Path] = l
	}
	all := []DescribedSetting{}
	for _, v := range conf.Values(s, func(string) string { return "" }) {
		if strings.Contains(v.Path, "[") {
			continue
		}
		d := DescribedSetting{Key: v.Path, Value: v.Value, Change: v.Change}
		if l, ok := leaves[v.Path]; ok {
			d.Doc, d.Default, d.Min, d.Max, d.Values = l.Doc(), l.Tag.Get("default"), l.Tag.Get("min"), l.Tag.Get("max"), l.Allowed()
		}
		all = append(all, d)
	}
	return all
}
