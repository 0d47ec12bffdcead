package flowyaml

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
	"pithings/flow/expr"
)

// File is what a file holds: a deployment, and the models that it brings along.
type File struct {
	Deployment *flow.Deployment
	Models     []flow.DeviceModel
	Services   []flow.ServiceModel
}

// Parse reads a file and checks it. name stands for it in messages. What known
// does not know, the file's own models may. The error is a *flow.Problems.
func Parse(name string, data []byte, known flow.Known) (*File, error) {
	r := &reader{file: name}
	doc := r.document(data)
	if doc == nil {
		return nil, r.problems.Err()
	}
	f := r.deployment(doc)
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	if err := f.Deployment.Validate(f.Known(known)); err != nil {
		return nil, err
	}
	return f, nil
}

// Known adds the file's models to what is known.
func (f *File) Known(known flow.Known) flow.Known {
	all := known
	if len(f.Models) > 0 {
		all.Model = func(name string) (flow.DeviceModel, bool) {
			if m, ok := flow.FindModel(f.Models, name); ok {
				return m, true
			}
			if known.Model == nil {
				return flow.DeviceModel{}, false
			}
			return known.Model(name)
		}
	}
	if len(f.Services) > 0 {
		all.Service = func(service, action string) (bool, bool) {
			for _, s := range f.Services {
				if s.ID == service {
					_, ok := s.Actions[action]
					return ok, true
				}
			}
			if known.Service == nil {
				return false, false
			}
			return known.Service(service, action)
		}
	}
	return all
}

// Keys of the file and of a flow in it.
var (
	flowKeys       = []string{"name", "description", "urn", "parameters", "variables", "overlap", "steps"}
	deploymentKeys = []string{"name", "description", "urn", "system", "things", "trigger", "triggers", "timeout", "shared", "flows", "models", "services"}
	singleKeys     = append(slices.Clone(deploymentKeys), "parameters", "variables", "overlap", "steps")
)

func (r *reader) deployment(doc ast.Node) *File {
	f := &File{Deployment: &flow.Deployment{Pos: r.pos(doc)}}
	d := f.Deployment
	list := r.mapping(doc, "file", singleKeys)
	several := slices.ContainsFunc(list, func(e entry) bool { return e.key == "flows" })
	var own []entry // of the single flow
	explicit := false
	var triggers []ast.Node
	for _, e := range list {
		switch e.key {
		case "name":
			d.Name = r.text(e, "file")
			own = append(own, e)
		case "description", "urn":
			if several {
				*map[string]*string{"description": &d.Description, "urn": &d.URN}[e.key] = r.text(e, "file")
			} else {
				own = append(own, e)
			}
		case "system":
			d.System = r.text(e, "file")
		case "things":
			explicit = true
			r.things(d, e)
		case "trigger", "triggers":
			triggers = append(triggers, r.items(e.value)...)
		case "timeout":
			d.Timeout = r.duration(e, "file")
		case "shared":
			d.Shared = r.text(e, "file")
		case "flows":
			for _, n := range r.items(e.value) {
				d.Flows = append(d.Flows, r.flow(n, r.mapping(n, "flow", flowKeys)))
			}
		case "models":
			for _, m := range r.mapping(e.value, "models", nil) {
				model := flow.DeviceModel{ID: m.key}
				r.model(m, &model, &model.ID, func() error { return model.Validate() })
				f.Models = append(f.Models, model)
			}
		case "services":
			for _, m := range r.mapping(e.value, "services", nil) {
				service := flow.ServiceModel{ID: m.key}
				r.model(m, &service, &service.ID, func() error { return service.Validate() })
				f.Services = append(f.Services, service)
			}
		default:
			if several {
				r.fail(e.at, "%s belongs to one of the flows, because there is the key flows", e.key)
			}
			own = append(own, e)
		}
	}
	if !several {
		d.Flows = []flow.Flow{r.flow(doc, own)}
	}
	for _, n := range triggers {
		d.Triggers = append(d.Triggers, r.trigger(d, n))
	}
	if !explicit {
		d.Things = implied(d)
	}
	return f
}

// model decodes a device model or a service by its own tags.
func (r *reader) model(e entry, into any, id *string, check func() error) {
	name := *id
	if err := decode(e.value, into); err != nil {
		var syntax yaml.Error
		at, message := r.pos(e.at), err.Error()
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			message = syntax.GetMessage()
			at = r.at(syntax.GetToken().Position.Line, syntax.GetToken().Position.Column)
		}
		message, _, _ = strings.Cut(message, "\n")
		r.problems.Add(at, "%s: %s", e.key, message)
		return
	}
	if *id == "" {
		*id = name
	}
	if *id != name {
		r.fail(e.at, "%s: it calls itself %q; leave out its id", e.key, *id)
		return
	}
	if err := check(); err != nil {
		r.problems.Add(r.pos(e.at), "%v", err)
	}
}

func decode(n ast.Node, into any) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this cannot be read")
		}
	}()
	if n == nil {
		return errors.New("it is empty")
	}
	return yaml.NodeToValue(n, into, yaml.Strict())
}

// implied are the things of a file without the key things: each role is played by
// the thing of its own name.
func implied(d *flow.Deployment) []flow.Binding {
	var list []flow.Binding
	add := func(role string, at flow.Position) {
		if role != "" && !slices.ContainsFunc(list, func(b flow.Binding) bool { return b.Role == role }) {
			list = append(list, flow.Binding{Role: role, Thing: role, Pos: at})
		}
	}
	for _, t := range d.Triggers {
		if t.Event != nil {
			add(t.Event.Role, t.Pos)
		}
	}
	for _, f := range d.Flows {
		for _, s := range f.Definition.Steps {
			if a, ok := s.Activity.(*flow.DeviceAction); ok {
				add(a.Role, s.Pos)
			}
		}
	}
	return list
}

func (r *reader) things(d *flow.Deployment, e entry) {
	list := r.mapping(e.value, "things", nil)
	d.Things = slices.Grow(d.Things, len(list))
	for _, t := range list {
		b := flow.Binding{Role: t.key, Pos: r.pos(t.at)}
		if s, ok := scalarText(t.value); ok {
			b.Thing = s
			if t.null() {
				b.Thing = t.key
			}
			d.Things = append(d.Things, b)
			continue
		}
		b.Thing = t.key
		for _, k := range r.mapping(t.value, "thing "+t.key, []string{"thing", "model", "carrier", "qos"}) {
			if k.key == "qos" {
				b.AtMostOnce = r.qos(k, "thing "+t.key) == 0
				continue
			}
			s := r.text(k, "thing "+t.key)
			switch k.key {
			case "thing":
				b.Thing = s
			case "model":
				b.Model = s
			case "carrier":
				b.Carrier = flow.Carrier(s)
				if s == "auto" {
					b.Carrier = flow.Auto
				}
			}
		}
		d.Things = append(d.Things, b)
	}
}

func (r *reader) qos(e entry, what string) int {
	n := r.integer(e, what)
	if n != 0 && n != 1 {
		r.fail(e.value, "%s: qos %d: write 0, at most once, or 1, at least once", what, n)
	}
	return n
}

func (r *reader) trigger(d *flow.Deployment, n ast.Node) flow.Trigger {
	t := flow.Trigger{Pos: r.pos(n)}
	event := &flow.DeviceEvent{}
	isEvent := false
	hand := false
	keys := []string{"name", "description", "thing", "event", "when", "max_age", "every", "hand", "start"}
	for _, e := range r.mapping(n, "trigger", keys) {
		switch e.key {
		case "name":
			t.Name = r.text(e, "trigger")
		case "description":
			t.Description = r.text(e, "trigger")
		case "thing":
			event.Role, isEvent = r.text(e, "trigger"), true
		case "event":
			event.Name, isEvent = r.text(e, "trigger"), true
		case "when":
			event.When, isEvent = r.expression(e, "trigger"), true
		case "max_age":
			isEvent = true
			if event.MaxAge = r.duration(e, "trigger"); event.MaxAge == 0 {
				event.MaxAge = -1 // 0 or none: any age will do
			}
		case "every":
			every, err := flow.ParseEvery(r.text(e, "trigger"))
			if err != nil {
				r.problems.Add(r.pos(e.at), "trigger: %v", err)
			}
			t.Every = every
		case "hand":
			hand = r.boolean(e, "trigger")
		case "start":
			t.Start = r.starts(e)
		}
	}
	if isEvent {
		t.Event = event
	} else if t.Every.IsZero() && !hand {
		r.fail(n, "a trigger needs thing and event, or every (\"10 seconds\"), or hand: true")
	}
	if t.Start == nil && len(d.Flows) == 1 {
		t.Start = []flow.Start{{Flow: d.Flows[0].Definition.Name}}
	}
	if t.Name == "" {
		t.Name = triggerName(d, &t)
	}
	return t
}

// triggerName names a trigger that has no name.
func triggerName(d *flow.Deployment, t *flow.Trigger) string {
	name := "ByHand"
	switch {
	case t.Event != nil:
		name = t.Event.Role + t.Event.Name
	case !t.Every.IsZero():
		name = "Clock"
	}
	for n := 1; ; n++ {
		numbered := name
		if n > 1 {
			numbered += strconv.Itoa(n)
		}
		if !slices.ContainsFunc(d.Triggers, func(o flow.Trigger) bool { return o.Name == numbered }) {
			return numbered
		}
	}
}

func (r *reader) starts(e entry) []flow.Start {
	list := []flow.Start{}
	for _, n := range r.items(e.value) {
		s := flow.Start{Pos: r.pos(n)}
		if name, ok := scalarText(n); ok {
			s.Flow = name
			list = append(list, s)
			continue
		}
		for _, k := range r.mapping(n, "start", []string{"flow", "with"}) {
			switch k.key {
			case "flow":
				s.Flow = r.text(k, "start")
			case "with":
				if seq, ok := k.value.(*ast.SequenceNode); ok {
					for _, v := range seq.Values {
						s.Args = append(s.Args, flow.Arg{Value: r.value(v, "start, with"), Pos: r.pos(v)})
					}
				} else {
					s.Args = r.args(k, "start")
				}
			}
		}
		list = append(list, s)
	}
	return list
}

// args are named values.
func (r *reader) args(e entry, what string) []flow.Arg {
	var list []flow.Arg
	for _, a := range r.mapping(e.value, what+", "+e.key, nil) {
		list = append(list, flow.Arg{Name: a.key, Value: r.value(a.value, what+", "+a.key), Pos: r.pos(a.at)})
	}
	return list
}

// value is a literal, or an expression if it is text with ${…} in it.
func (r *reader) value(n ast.Node, what string) flow.Value {
	v := r.literal(n, what)
	s, ok := v.(string)
	if !ok {
		return flow.Value{Literal: v}
	}
	value, err := flow.TextValue(s)
	if err != nil {
		r.failf(r.pos(n), err, what)
	}
	return value
}

// expression is a condition. It may be written as a boolean or a number too.
func (r *reader) expression(e entry, what string) *expr.Expr {
	s, ok := scalarText(e.value)
	if !ok || e.null() {
		r.fail(e.at, "%s, %s: an expression is missing", what, e.key)
		return nil
	}
	x, err := expr.Parse(s)
	if err != nil {
		r.failf(r.pos(e.value), err, what+", "+e.key)
		return nil
	}
	return x
}

func (r *reader) boolean(e entry, what string) bool {
	if b, ok := e.value.(*ast.BoolNode); ok {
		return b.Value
	}
	r.fail(e.at, "%s, %s: write true or false", what, e.key)
	return false
}

func (r *reader) duration(e entry, what string) time.Duration {
	s := strings.ReplaceAll(r.text(e, what), " ", "")
	if s == "" || s == "0" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		r.fail(e.at, "%s, %s: %.40q is no duration; write, for example, 500ms, 30s or 5m", what, e.key, s)
		return 0
	}
	return d
}

func (r *reader) number(e entry, what string) float64 {
	f, err := strconv.ParseFloat(r.text(e, what), 64)
	if err != nil {
		r.fail(e.at, "%s, %s: write a number", what, e.key)
	}
	return f
}

func (r *reader) integer(e entry, what string) int {
	n, err := strconv.Atoi(r.text(e, what))
	if err != nil {
		r.fail(e.at, "%s, %s: write a whole number", what, e.key)
	}
	return n
}

// flow reads the keys of a flow.
func (r *reader) flow(n ast.Node, list []entry) flow.Flow {
	def := &flow.Definition{Pos: r.pos(n)}
	f := flow.Flow{Definition: def}
	for _, e := range list {
		switch e.key {
		case "name":
			def.Name = r.text(e, "flow")
		case "description":
			def.Description = r.text(e, "flow")
		case "urn":
			def.URN = r.text(e, "flow")
		case "overlap":
			r.overlap(&f, e)
		case "parameters":
			r.parameters(def, e)
		case "variables":
			r.variables(def, e)
		}
	}
	for _, e := range list {
		if e.key == "steps" {
			r.steps(def, e)
		}
	}
	for _, name := range outputs(def) {
		if !slices.ContainsFunc(def.Variables, func(v flow.Variable) bool { return v.Name == name }) {
			def.Variables = append(def.Variables, flow.Variable{Name: name, Pos: def.Pos})
		}
	}
	return f
}

// outputs are the variables that steps set, in the order of the steps.
func outputs(def *flow.Definition) []string {
	var names []string
	for _, s := range def.Steps {
		output := ""
		switch a := s.Activity.(type) {
		case *flow.DeviceAction:
			output = a.Output
		case *flow.ServiceCall:
			output = a.Output
		}
		if output != "" && !slices.Contains(names, output) {
			names = append(names, output)
		}
	}
	return names
}

func (r *reader) overlap(f *flow.Flow, e entry) {
	policy := func(e entry) {
		f.Overlap = flow.Overlap(r.text(e, "overlap"))
		if f.Overlap == "queue" {
			f.Overlap = flow.Queue
		}
	}
	if _, ok := scalarText(e.value); ok {
		policy(e)
		return
	}
	for _, k := range r.mapping(e.value, "overlap", []string{"policy", "limit"}) {
		if k.key == "policy" {
			policy(k)
		} else {
			f.Limit = r.integer(k, "overlap")
		}
	}
}

// parameters are a list of names, or a mapping of names to types or to more.
func (r *reader) parameters(def *flow.Definition, e entry) {
	if seq, ok := e.value.(*ast.SequenceNode); ok {
		for _, n := range seq.Values {
			name, ok := scalarText(n)
			if !ok {
				r.fail(n, "parameters: a name is wanted here; types and defaults need \"name: type\"")
				continue
			}
			def.Parameters = append(def.Parameters, flow.Parameter{Name: name, Required: true, Pos: r.pos(n)})
		}
		return
	}
	for _, k := range r.mapping(e.value, "parameters", nil) {
		p := flow.Parameter{Name: k.key, Required: true, Pos: r.pos(k.at)}
		if s, ok := scalarText(k.value); ok {
			if !k.null() {
				p.Type = s
			}
			def.Parameters = append(def.Parameters, p)
			continue
		}
		what := "parameter " + k.key
		given := false
		list := r.mapping(k.value, what, []string{"type", "required", "default"})
		for _, o := range list {
			switch o.key {
			case "type":
				p.Type = r.text(o, what)
			case "default":
				p.Default = r.value(o.value, what)
				if !given {
					p.Required = false
				}
			case "required":
				p.Required, given = r.boolean(o, what), true
			}
		}
		def.Parameters = append(def.Parameters, p)
	}
}

// variables are a list of names, or a mapping of names to types.
func (r *reader) variables(def *flow.Definition, e entry) {
	if seq, ok := e.value.(*ast.SequenceNode); ok {
		for _, n := range seq.Values {
			name, ok := scalarText(n)
			if !ok {
				r.fail(n, "variables: a name is wanted here")
			}
			def.Variables = append(def.Variables, flow.Variable{Name: name, Pos: r.pos(n)})
		}
		return
	}
	for _, k := range r.mapping(e.value, "variables", nil) {
		def.Variables = append(def.Variables, flow.Variable{Name: k.key, Type: r.text(k, "variable "+k.key), Pos: r.pos(k.at)})
	}
}

var errNoStep = errors.New("no step")

// stepNamed finds a step by its name.
func stepNamed(def *flow.Definition, name string) (int, error) {
	i := slices.IndexFunc(def.Steps, func(s flow.Step) bool { return s.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("%w is named %q", errNoStep, name)
	}
	return i, nil
}
