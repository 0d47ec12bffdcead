package things

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink/topic"
)

// unspoken are topics of a contract that are part of no event and no action, and why.
var unspoken = map[string]string{
	"kernel quantity": "its events have the names of the quantities, which are known when the sensor is open",
	"host quantity":   "as kernel",
	"host status":     "only with status: true",
	"modbus quantity": "as kernel: its registers have the names of the quantities",
	"modbus set":      "only with a register that is writable",
}

func TestEachKindIsDescribed(t *testing.T) {
	names := map[string]bool{}
	examples := map[string]bool{}
	for _, k := range Kinds() {
		for _, problem := range lacks(k) {
			t.Errorf("%s: %s", k.Name, problem)
		}
		if names[k.Name] || examples[k.Example] {
			t.Errorf("%s: another kind has its name or its example name %s", k.Name, k.Example)
		}
		names[k.Name], examples[k.Example] = true, true
	}
}

// lacks lists what is missing in, or wrong with, the description of a kind.
func lacks(k *Kind) []string {
	l := &inspection{kind: k}
	l.names()
	for i := range k.Topics {
		l.topic(&k.Topics[i])
	}
	if k.New == nil {
		l.bad("New is nil: it has no settings")
		return l.problems
	}
	s := k.New()
	if reflect.ValueOf(s).Kind() != reflect.Pointer || s == k.New() && reflect.TypeOf(s).Elem().Size() > 0 {
		l.bad("New does not return a pointer to new settings")
		return l.problems
	}
	l.settings(s)
	conf.Fill(s)
	l.part(s)
	l.description(k.Describe(s, nil))
	return l.problems
}

// inspection looks at the description of one kind.
type inspection struct {
	kind     *Kind
	problems []string
}

func (l *inspection) bad(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *inspection) names() {
	k := l.kind
	if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(k.Name) {
		l.bad("Name %q is no value of type", k.Name)
	}
	if !oneLine(k.Doc) {
		l.bad("Doc is not one line")
	}
	if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:-]*$`).MatchString(k.Example) {
		l.bad("Example %q is no name of a thing", k.Example)
	}
	if len(k.Topics) == 0 {
		l.bad("Topics is empty")
	}
}

func oneLine(s string) bool { return s != "" && !strings.Contains(s, "\n") }

func (l *inspection) topic(t *Topic) {
	if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(t.Role) {
		l.bad("topic %q: Role is no key", t.Role)
	}
	expanded := strings.NewReplacer("{thing}", "x", quantityPlaceholder, "y").Replace(t.Template)
	if !strings.Contains(t.Template, "{thing}") || topic.Check(expanded) != nil || strings.ContainsAny(expanded, "{}") {
		l.bad("topic %s: Template %q is no topic of a thing", t.Role, t.Template)
	}
	for _, other := range l.kind.Topics {
		if &other != t && other.Role == t.Role && other.Template != t.Template || other.Role != t.Role && other.Template == t.Template {
			l.bad("topic %s: another has its role or template", t.Role)
		}
	}
	if t.QoS != 1 {
		l.bad("topic %s: QoS is %d: a message could be lost", t.Role, t.QoS)
	}
	if t.In && (t.Retain || t.Alarm) {
		l.bad("topic %s: Retain and Alarm are for what the thing publishes", t.Role)
	}
	if len(t.Payloads) == 0 {
		l.bad("topic %s: Payloads is empty", t.Role)
	}
	for _, p := range t.Payloads {
		if !json.Valid([]byte(p.Example)) && !regexp.MustCompile(`^[A-Z]+$`).MatchString(p.Example) {
			l.bad("topic %s: the payload %q is neither JSON nor a word", t.Role, p.Example)
		}
		if !oneLine(p.Doc) {
			l.bad("topic %s: the payload %s has no Doc", t.Role, p.Example)
		}
	}
}

// settings looks at the tags of all keys.
func (l *inspection) settings(s Settings) {
	for _, f := range conf.Leaves(s) {
		if !oneLine(f.Doc()) {
			l.bad("key %s has no jsonschema", f.Path)
		}
		if c := f.Change(); c != conf.Afar && c != conf.Local {
			l.bad("key %s has no change", f.Path)
		}
		_, span := f.Value.Interface().(conf.Duration)
		_, amount := f.Value.Interface().(conf.Bytes)
		number := f.Value.Kind() == reflect.Int || f.Value.Kind() == reflect.Float64 || span || amount
		if number && f.Allowed() == nil && (f.Tag.Get("min") == "" || f.Tag.Get("max") == "") {
			l.bad("key %s has no min and max", f.Path)
		}
		if f.Tag.Get("part") != "" && f.Change() != conf.Local {
			l.bad("key %s names a part, and may be changed from afar", f.Path)
		}
		if f.Tag.Get("default") == "" && !f.Required() && (number || f.Value.Kind() == reflect.Bool || f.Allowed() != nil) {
			l.bad("key %s has no default", f.Path)
		}
	}
}

func (l *inspection) part(s Settings) {
	key, _ := s.Part()
	tagged := ""
	for _, f := range conf.Fields(s) {
		if f.Tag.Get("part") != "" {
			tagged += f.Key
		}
	}
	if key != tagged {
		l.bad("Part returns the key %q, and the tag part has %q", key, tagged)
	}
}

// description compares the model with the topics of the contract, and both with the wire.
func (l *inspection) description(d Description) {
	if len(d.Model.Events)+len(d.Model.Actions) == 0 {
		l.bad("Describe gives neither events nor actions")
	}
	spoken := map[string]bool{}
	for name, e := range d.Model.Events {
		spoken[e.Topic] = true
		l.event(name, e, d.Wire.Events[name])
	}
	for name, a := range d.Model.Actions {
		spoken[a.Topic], spoken[a.Answer] = true, true
		l.action(name, a, d.Wire.Actions[name])
	}
	for _, t := range l.kind.Topics {
		if !spoken[t.Template] && unspoken[l.kind.Name+" "+t.Role] == "" {
			l.bad("topic %s belongs to no event and no action", t.Role)
		}
	}
	if len(d.Wire.Events) != len(d.Model.Events) || len(d.Wire.Actions) != len(d.Model.Actions) {
		l.bad("Wire and Model have not the same events and actions")
	}
	l.quantities(d)
}

// byTemplate returns the documented topic with that template and direction, or nil.
func (l *inspection) byTemplate(template string, in bool) *Topic {
	i := slices.IndexFunc(l.kind.Topics, func(t Topic) bool { return t.Template == template && t.In == in })
	if i < 0 {
		return nil
	}
	return &l.kind.Topics[i]
}

func (l *inspection) event(name string, e device.EventModel, wire Event) {
	t := l.byTemplate(e.Topic, false)
	if t == nil {
		l.bad("event %s is on %q, which Topics lacks", name, e.Topic)
		return
	}
	if wire.Topic != e.Topic || wire.Read == nil || wire.TimeKey != e.Time {
		l.bad("event %s: Wire lacks it", name)
		return
	}
	for _, p := range t.Payloads {
		if err := reads(wire.Read, e.Payload, p.Example); err != nil {
			l.bad("event %s: the payload %s of Topics is not that of Model: %v", name, p.Example, err)
		}
	}
}

// reads reports whether a payload can be read and has the keys that a model says.
func reads(read Reader, model device.Payload, payload string) error {
	values, err := read([]byte(payload))
	if err != nil {
		return err
	}
	return ofTypes(values, model.Keys)
}

func ofTypes(values map[string]any, types map[string]device.ValueType) error {
	for key, kind := range types {
		if v, there := values[key]; !there || !kind.Valid() || !isA(v, string(kind)) {
			return fmt.Errorf("its %s is not of the type %q", key, kind)
		}
	}
	return nil
}

func (l *inspection) action(name string, a device.ActionModel, wire Action) {
	t := l.byTemplate(a.Topic, true)
	if t == nil {
		l.bad("action %s is on %q, which Topics lacks", name, a.Topic)
		return
	}
	if wire.Topic != a.Topic || wire.Answer != a.Answer || wire.Request == nil || wire.Token != a.Token {
		l.bad("action %s: Wire lacks it", name)
		return
	}
	for param, kind := range a.Params {
		if param == "" || !kind.Valid() {
			l.bad("action %s: param %q has no type", name, param)
		}
	}
	if a.Answer == "" {
		return
	}
	answer := l.byTemplate(a.Answer, false)
	if answer == nil || wire.Read == nil {
		l.bad("action %s is answered on %q, which Topics or Wire lacks", name, a.Answer)
		return
	}
	for _, p := range answer.Payloads {
		if err := reads(wire.Read, a.Result, p.Example); err != nil {
			l.bad("action %s: the answer %s of Topics is not that of Model: %v", name, p.Example, err)
		}
	}
}

// quantities looks for those that a kind measures: each is a key of an event. What is known
// only with the part open, the thing itself reports (Measuring), and TestEachKindRuns looks at.
func (l *inspection) quantities(d Description) {
	if len(d.Model.Events) > 0 && len(d.Model.Quantities) == 0 && !l.kind.Routine {
		l.bad("Model has no quantities")
	}
	for _, q := range d.Model.Quantities {
		e, ok := d.Model.Events[q.Event]
		t := l.byTemplate(e.Topic, false)
		if q.Name == "" || !ok || t == nil || !strings.Contains(t.Payloads[0].Example, `"`+q.Key+`"`) {
			l.bad("quantity %q is no key of a payload of an event", q.Name)
		}
	}
}

// valveSettings are those of a kind that is described completely.
type valveSettings struct {
	Pin   string        `json:"pin" required:"write the line's name" part:"line" change:"local" jsonschema:"GPIO line"`
	Every conf.Duration `json:"every" default:"1s" min:"1s" max:"1h" change:"afar" jsonschema:"time between reports"`
	Least int           `json:"least" default:"1" min:"0" max:"9" change:"afar" jsonschema:"smallest opening"`

	Settings `json:"-"` // what the inspection does not ask
	change   func(d *Description)
}

func (s *valveSettings) Part() (key, name string) { return "pin", s.Pin }

func (s *valveSettings) Describe(t Topics) Description {
	d := Describe(device.Model{
		Events: map[string]device.EventModel{"state": {Topic: t["state"], Payload: device.Payload{Keys: map[string]device.ValueType{"open": device.BooleanType}}}},
		Actions: map[string]device.ActionModel{"set": {Topic: t["set"], Answer: t["done"], Params: map[string]device.ValueType{"open": device.BooleanType},
			Result: device.Payload{Keys: map[string]device.ValueType{"ok": device.BooleanType}}}},
		Quantities: []device.Quantity{{Name: "open", Event: "state", Key: "open"}},
	})
	if s.change != nil {
		s.change(&d)
	}
	return d
}

// valve returns a kind that is described completely, after a change.
func valve(change func(k *Kind), describe func(d *Description)) *Kind {
	k := &Kind{
		Name: "valve", Doc: "water valve", Example: "valve",
		Topics: []Topic{
			{Role: "set", Template: "{thing}/set", In: true, QoS: 1, Payloads: []Payload{{`{"open": true}`, "open or close"}, {`OPEN`, "open"}}},
			{Role: "done", Template: "{thing}/done", QoS: 1, Payloads: []Payload{{`{"ok": true}`, "the answer"}}},
			{Role: "state", Template: "{thing}/state", QoS: 1, Retain: true, Payloads: []Payload{{`{"open": true}`, "at each change"}}},
		},
		New: func() Settings { return &valveSettings{change: describe} },
	}
	if change != nil {
		change(k)
	}
	return k
}

// Leaving any part of a description out is found.
func TestWhatADescriptionLacksIsFound(t *testing.T) {
	if problems := lacks(valve(nil, nil)); len(problems) > 0 {
		t.Fatalf("the whole description: %q", problems)
	}
	kind := func(f func(k *Kind)) *Kind { return valve(f, nil) }
	described := func(f func(d *Description)) *Kind { return valve(nil, f) }
	settings := func(s Settings) *Kind { return kind(func(k *Kind) { k.New = func() Settings { return anew(s) } }) }
	model := func(f func(m *device.Model)) *Kind {
		return described(func(d *Description) { f(&d.Model); d.Wire = WireOf(d.Model) })
	}
	for name, row := range map[string]struct {
		kind *Kind
		want string
	}{
		"name":                 {kind(func(k *Kind) { k.Name = "" }), "no value of type"},
		"doc":                  {kind(func(k *Kind) { k.Doc = "" }), "Doc is not one line"},
		"example":              {kind(func(k *Kind) { k.Example = "" }), "no name of a thing"},
		"topics":               {kind(func(k *Kind) { k.Topics = nil }), "Topics is empty"},
		"role":                 {kind(func(k *Kind) { k.Topics[0].Role = "" }), "Role is no key"},
		"template":             {kind(func(k *Kind) { k.Topics[0].Template = "" }), "is no topic of a thing"},
		"template with +":      {kind(func(k *Kind) { k.Topics[0].Template = "{thing}/+" }), "is no topic of a thing"},
		"template of no thing": {kind(func(k *Kind) { k.Topics[0].Template = "set" }), "is no topic of a thing"},
		"placeholder":          {kind(func(k *Kind) { k.Topics[0].Template = "{thing}/{x}" }), "is no topic of a thing"},
		"one template twice":   {kind(func(k *Kind) { k.Topics[1].Template = k.Topics[2].Template }), "another has its role or template"},
		"qos":                  {kind(func(k *Kind) { k.Topics[0].QoS = 0 }), "QoS is 0"},
		"direction":            {kind(func(k *Kind) { k.Topics[0].In = false }), "action set is on"},
		"retained command":     {kind(func(k *Kind) { k.Topics[0].Retain = true }), "Retain and Alarm"},
		"payloads":             {kind(func(k *Kind) { k.Topics[1].Payloads = nil }), "Payloads is empty"},
		"payload":              {kind(func(k *Kind) { k.Topics[1].Payloads[0].Example = "" }), "neither JSON nor a word"},
		"payload of others":    {kind(func(k *Kind) { k.Topics[2].Payloads[0].Example = `{"opn": true}` }), "is not that of Model"},
		"answer of others":     {kind(func(k *Kind) { k.Topics[1].Payloads[0].Example = `{"ok": 1}` }), "is not that of Model"},
		"payload's doc":        {kind(func(k *Kind) { k.Topics[1].Payloads[0].Doc = "" }), "has no Doc"},
		"new":                  {kind(func(k *Kind) { k.New = nil }), "New is nil"},
		"new that is old":      {kind(func(k *Kind) { s := new(valveSettings); k.New = func() Settings { return s } }), "pointer to new settings"},
		"documentation":        {settings(&undocumented{}), "key every has no jsonschema"},
		"change":               {settings(&unmarked{}), "key every has no change"},
		"range":                {settings(&boundless{}), "key every has no min and max"},
		"default":              {settings(&defaultless{}), "key every has no default"},
		"part":                 {settings(&partless{}), `Part returns the key "pin", and the tag part has ""`},
		"part from afar":       {settings(&afar{}), "key pin names a part, and may be changed from afar"},
		"model":                {described(func(d *Description) { *d = Description{} }), "neither events nor actions"},
		"event":                {model(func(m *device.Model) { delete(m.Events, "state") }), "topic state belongs to no event"},
		"action":               {model(func(m *device.Model) { delete(m.Actions, "set") }), "topic set belongs to no event"},
		"event's topic":        {model(func(m *device.Model) { m.Events["more"] = device.EventModel{Topic: "{thing}/more"} }), "which Topics lacks"},
		"action's topic":       {model(func(m *device.Model) { m.Actions["more"] = device.ActionModel{Topic: "{thing}/more"} }), "which Topics lacks"},
		"param's type": {model(func(m *device.Model) {
			a := m.Actions["set"]
			a.Params = map[string]device.ValueType{"open": "bool"}
			m.Actions["set"] = a
		}), "has no type"},
		"answer":           {model(func(m *device.Model) { a := m.Actions["set"]; a.Answer = "{thing}/x"; m.Actions["set"] = a }), "is answered on"},
		"wire":             {described(func(d *Description) { d.Wire = Model{} }), "Wire lacks it"},
		"wire of nothing":  {described(func(d *Description) { d.Wire.Events["more"] = Event{} }), "not the same events"},
		"request":          {described(func(d *Description) { a := d.Wire.Actions["set"]; a.Request = nil; d.Wire.Actions["set"] = a }), "Wire lacks it"},
		"reader":           {described(func(d *Description) { e := d.Wire.Events["state"]; e.Read = nil; d.Wire.Events["state"] = e }), "Wire lacks it"},
		"quantities":       {model(func(m *device.Model) { m.Quantities = nil }), "Model has no quantities"},
		"quantity's event": {model(func(m *device.Model) { m.Quantities[0].Event = "x" }), "is no key of a payload"},
		"quantity's key":   {model(func(m *device.Model) { m.Quantities[0].Key = "x" }), "is no key of a payload"},
	} {
		if problems := lacks(row.kind); !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, row.want) }) {
			t.Errorf("%s: %q, want %q", name, problems, row.want)
		}
	}
}

// Settings that lack a tag each.
type (
	undocumented struct {
		Every conf.Duration `json:"every" default:"1s" min:"1s" max:"1h" change:"afar"`
		valveSettings
	}
	unmarked struct {
		Every conf.Duration `json:"every" default:"1s" min:"1s" max:"1h" jsonschema:"x"`
		valveSettings
	}
	boundless struct {
		Every conf.Duration `json:"every" default:"1s" change:"afar" jsonschema:"x"`
		valveSettings
	}
	defaultless struct {
		Every conf.Duration `json:"every" min:"1s" max:"1h" change:"afar" jsonschema:"x"`
		valveSettings
	}
	partless struct {
		Pin string `json:"pin" change:"local" jsonschema:"x"`
		valveSettings
	}
	afar struct {
		Pin string `json:"pin" part:"line" change:"afar" jsonschema:"x"`
		valveSettings
	}
)

// anew returns new settings of the same type.
func anew(s Settings) Settings { return reflect.New(reflect.TypeOf(s).Elem()).Interface().(Settings) }
