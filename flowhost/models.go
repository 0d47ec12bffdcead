package flowhost

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/flow"
	"pithings/flow/makers"
	"pithings/things"
)

// description is how a thing looks: to those who check flows, and at the broker.
type description struct {
	key   string // of descriptions that are the same
	model device.Model
	wire  things.Model
}

// own describes a thing of this process, or one like it.
func own(d things.Description) description {
	wire := things.Model{Events: d.Wire.Events, Actions: maps.Clone(d.Wire.Actions)}
	for name, a := range wire.Actions {
		a.Request = request(d.Model.Actions[name], a.Request)
		wire.Actions[name] = a
	}
	return description{fmt.Sprintf("%+v", d.Model), d.Model, wire}
}

// usual describes a thing of a kind with its usual settings and topics.
func usual(k *things.Kind) description { return own(k.Usually()) }

// guessed is a description of a thing that has the contract, and may be of any maker:
// the example cameras of Things Graph neither repeat tokens nor have a new address
// for each picture.
func (d description) guessed() description {
	d.key += " guessed"
	actions := d.model.Actions
	d.model.Actions = map[string]device.ActionModel{}
	for name, a := range actions {
		a.Token = ""
		d.model.Actions[name] = a
	}
	for name, a := range d.wire.Actions {
		a.Echoes, a.Unique = false, false
		d.wire.Actions[name] = a
	}
	return d
}

// request computes a message of what a step gives.
func request(a device.ActionModel, write func(map[string]any) ([]byte, error)) func(map[string]any) ([]byte, error) {
	return func(input map[string]any) ([]byte, error) {
		if a.IsText() {
			text, err := flow.RequestText(a, input)
			return []byte(text), err
		}
		values, err := flow.RequestPayload(a, input)
		if err != nil {
			return nil, err
		}
		return write(values)
	}
}

// foreignModel describes a thing by a device model that is not ours.
func foreignModel(m device.Model) description {
	d := description{key: fmt.Sprintf("%+v", m), model: m, wire: things.WireOf(m)}
	for name, action := range d.wire.Actions {
		a := m.Actions[name]
		if _, picture := a.Result.Keys["lastClickedImage"]; picture {
			action.Read = things.ReadFinished
			if a.Token == "" && a.Request == nil && len(a.Params) == 0 {
				// The example cameras ignore what a command holds, and ours repeats a
				// token: it does no harm, and helps if the camera is one of ours.
				action.Token = "token"
			}
		}
		action.Request = request(a, action.Request)
		d.wire.Actions[name] = action
	}
	return d
}

// library is what is known of device models: those of a deployment's documents, and
// the built-in ones.
type library struct {
	own     []device.Model
	builtin func(name string) (device.Model, bool)
}

// model finds a device model by name or URN.
func (l library) model(name string) (description, bool) {
	if name == "" {
		return description{}, false
	}
	if m, ok := device.FindModel(l.own, name); ok {
		return foreignModel(m), true
	}
	if k := things.KindOf(name); k != nil {
		return usual(k), true
	}
	if m, ok := l.builtin(name); ok {
		return foreignModel(m), true
	}
	return description{}, false
}

// use is what a deployment wants of a role.
type use struct{ events, actions, models []string }

// uses lists it.
func uses(d *flow.Deployment, role string) (u use) {
	for _, t := range d.Triggers {
		if t.Event != nil && t.Event.Role == role {
			u.events = append(u.events, t.Event.Name)
		}
	}
	for _, f := range d.Flows {
		for _, s := range f.Definition.Steps {
			if a, ok := s.Activity.(*flow.DeviceAction); ok && a.Role == role {
				u.actions = append(u.actions, a.Action)
				u.models = append(u.models, a.DeviceURN, a.Model)
			}
		}
	}
	return u
}

// fits reports whether a description has all that is wanted.
func (u use) fits(d description) bool {
	return !slices.ContainsFunc(u.events, func(name string) bool { _, ok := d.model.Event(name); return !ok }) &&
		!slices.ContainsFunc(u.actions, func(name string) bool { _, ok := d.model.Action(name); return !ok })
}

var errNoModel = errors.New("nothing says how the thing looks at the broker")

// describe finds out how a foreign thing looks: by the model of its role, by that of
// the steps that use it, or by what the flows want of it.
func (l library) describe(d *flow.Deployment, b flow.Binding) (description, error) {
	u := uses(d, b.Role)
	for _, name := range append([]string{b.Model}, u.models...) {
		if found, ok := l.model(name); ok {
			return found, nil
		}
	}
	if b.Model != "" {
		var several []string
		for _, m := range device.Implementing(l.own, b.Model) {
			several = append(several, m.ID)
		}
		if len(several) > 0 {
			return description{}, fmt.Errorf("the device model %q has several devices; name the one that %s is, as the model of its role: %s", b.Model, b.Thing, strings.Join(several, ", "))
		}
		return description{}, fmt.Errorf("the device model %q is not known%s", b.Model, suggest.From(b.Model, l.names()))
	}
	for _, k := range things.Kinds() {
		if found := usual(k); u.fits(found) {
			return found.guessed(), nil
		}
	}
	wanted := strings.Join(append(u.events, u.actions...), ", ")
	return description{}, fmt.Errorf("%w: %s is no thing of this process, and no device model has %s; name one for the role: %s, or one of your own",
		errNoModel, b.Thing, cmp.Or(wanted, "it"), strings.Join(things.KindNames(), ", "))
}

// names lists the models that can be named.
func (l library) names() []string {
	names := things.KindNames()
	for _, m := range makers.Models() {
		names = append(names, m.ID)
	}
	for _, m := range l.own {
		names = append(names, m.ID)
	}
	return names
}
