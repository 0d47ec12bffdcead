package flows

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/things"
)

// The types of our own things, which are also names of device models.
const (
	motionType      = "motion"
	environmentType = "environment"
	cameraType      = "camera"
	screenType      = "screen"
)

// Types are the names of the device models of our own things.
func Types() []string { return []string{motionType, environmentType, cameraType, screenType} }

// description is how a thing looks: to those who check flows, and at the broker.
type description struct {
	key   string // of descriptions that are the same
	model flow.DeviceModel
	wire  things.Model
}

// ownModel describes our own things. topics overrides the usual ones.
func ownModel(kind string, topics map[string]string, schema things.Schema) (description, bool) {
	of := func(usual things.Topics) things.Topics {
		t := maps.Clone(usual)
		maps.Copy(t, topics)
		return t
	}
	d := description{model: flow.DeviceModel{ID: kind}}
	switch kind {
	case motionType:
		t := of(things.MotionTopics)
		d.wire = things.MotionModel(t)
		d.model.Events = map[string]flow.EventModel{"StateChanged": {Topic: t["motion"],
			Payload: flow.Payload{Keys: map[string]flow.ValueType{"isMotionDetected": flow.BooleanType}}}}
	case environmentType:
		t := of(things.EnvironmentTopics)
		d.wire = things.EnvironmentModel(t, schema)
		d.model.Events = map[string]flow.EventModel{}
		for role, topic := range t {
			d.model.Events[role] = flow.EventModel{Topic: topic, Time: d.wire.Events[role].TimeKey}
		}
	case cameraType:
		t := of(things.CameraTopics)
		d.wire = things.CameraModel(t)
		d.model.Actions = map[string]flow.ActionModel{"capture": {Topic: t["capture"], Answer: t["finished"], Token: "token",
			Result: flow.Payload{Keys: map[string]flow.ValueType{"lastClickedImage": flow.StringType}}}}
	case screenType:
		t := of(things.ScreenTopics)
		d.wire = things.ScreenModel(t)
		d.model.Actions = map[string]flow.ActionModel{
			"display": {Topic: t["display"], Params: map[string]flow.ValueType{"imageUrl": flow.StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}},
			"end":     {Topic: t["end"]},
		}
	default:
		return d, false
	}
	for name, a := range d.wire.Actions {
		a.Request = request(d.model.Actions[name], a.Request)
		d.wire.Actions[name] = a
	}
	d.key = kind + fmt.Sprint(topics, schema)
	return d, true
}

// guessed is a description of a thing that has the contract, and may be anybody's:
// the example cameras of Things Graph neither repeat tokens nor have a new address
// for each picture.
func (d description) guessed() description {
	d.key += " guessed"
	actions := d.model.Actions
	d.model.Actions = map[string]flow.ActionModel{}
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
func request(a flow.ActionModel, write func(map[string]any) ([]byte, error)) func(map[string]any) ([]byte, error) {
	return func(input map[string]any) ([]byte, error) {
		values, err := a.Payload(input)
		if err != nil {
			return nil, err
		}
		return write(values)
	}
}

// foreignModel describes a thing by somebody's device model.
func foreignModel(m flow.DeviceModel) description {
	d := description{key: fmt.Sprintf("%+v", m), model: m,
		wire: things.Model{Events: map[string]things.Event{}, Actions: map[string]things.Action{}}}
	for name, e := range m.Events {
		d.wire.Events[name] = things.Event{Topic: e.Topic, Read: payloadReader(e.Payload), TimeKey: e.Time}
	}
	for name, a := range m.Actions {
		action := things.Action{Topic: a.Topic, Request: request(a, things.WriteObject), Answer: a.Answer, Read: payloadReader(a.Result),
			Token: a.Token, Echoes: a.Token != ""}
		if _, picture := a.Result.Keys["lastClickedImage"]; picture {
			action.Read = things.ReadFinished
			if a.Token == "" && len(a.Request) == 0 && len(a.Params) == 0 {
				// The example cameras ignore what a command holds, and ours repeats a
				// token: it does no harm, and helps if the camera is one of ours.
				action.Token = "token"
			}
		}
		d.wire.Actions[name] = action
	}
	return d
}

func payloadReader(p flow.Payload) things.Reader {
	if p.Bare != "" {
		return things.ReadBare(string(p.Bare))
	}
	keys := make(map[string]string, len(p.Keys))
	for name, kind := range p.Keys {
		keys[name] = string(kind)
	}
	return things.ReadObject(keys)
}

// library is what is known of device models: those of a deployment's documents, and
// the built-in ones.
type library struct {
	own     []flow.DeviceModel
	builtin func(name string) (flow.DeviceModel, bool)
}

// model finds a device model by name or URN.
func (l library) model(name string) (description, bool) {
	if name == "" {
		return description{}, false
	}
	if m, ok := flow.FindModel(l.own, name); ok {
		return foreignModel(m), true
	}
	if d, ok := ownModel(name, nil, things.Tutorial); ok {
		return d, true
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

// fits tells whether a description has all that is wanted.
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
		for _, m := range flow.Implementing(l.own, b.Model) {
			several = append(several, m.ID)
		}
		if len(several) > 0 {
			return description{}, fmt.Errorf("the device model %q has several devices; name the one that %s is, as the model of its role: %s", b.Model, b.Thing, strings.Join(several, ", "))
		}
		return description{}, fmt.Errorf("the device model %q is not known%s", b.Model, flow.Suggest(b.Model, l.names()))
	}
	for _, kind := range Types() {
		if found, _ := ownModel(kind, nil, things.Tutorial); u.fits(found) {
			return found.guessed(), nil
		}
	}
	wanted := strings.Join(append(u.events, u.actions...), ", ")
	return description{}, fmt.Errorf("%w: %s is no thing of this process, and no device model has %s; name one for the role: %s, or one of your own",
		errNoModel, b.Thing, cmp.Or(wanted, "it"), strings.Join(Types(), ", "))
}

// names lists the models that can be named.
func (l library) names() []string {
	names := Types()
	for _, m := range l.own {
		names = append(names, m.ID)
	}
	return names
}
