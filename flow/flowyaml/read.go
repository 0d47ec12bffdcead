package flowyaml

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"pithings/device"
	"pithings/flow"
)

// File is what a file holds: a deployment, and the models that it brings along.
type File struct {
	Deployment *flow.Deployment
	Models     []device.Model
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
		all.Model = func(name string) (device.Model, bool) {
			if m, ok := device.FindModel(f.Models, name); ok {
				return m, true
			}
			if known.Model == nil {
				return device.Model{}, false
			}
			return known.Model(name)
		}
	}
	if len(f.Services) > 0 {
		all.Service = func(service, action string) (bool, bool) {
			if m, ok := flow.FindService(f.Services, service); ok {
				_, hasAction := m.Action(action)
				return hasAction, true
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
	deploymentKeys = []string{"name", "description", "urn", "system", "things", "trigger", "triggers", "vars", "timeout", "shared", "flows", "models", "services"}
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
		case "vars":
			r.vars(d, e)
		case "timeout":
			d.Timeout = r.duration(e, "file")
		case "shared":
			d.Shared = r.text(e, "file")
		case "flows":
			for _, n := range r.items(e.value) {
				d.Flows = append(d.Flows, r.flow(n, r.mapping(n, "flow", flowKeys)))
			}
		case "models":
			f.readModels(r, e)
		case "services":
			f.readServices(r, e)
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

func (f *File) readModels(r *reader, e entry) {
	for _, m := range r.mapping(e.value, "models", nil) {
		model := device.Model{ID: m.key}
		r.model(m, &model, &model.ID, func() error { return flow.ValidateModel(model) })
		f.Models = append(f.Models, model)
	}
}

func (f *File) readServices(r *reader, e entry) {
	for _, m := range r.mapping(e.value, "services", nil) {
		service := flow.ServiceModel{ID: m.key}
		r.model(m, &service, &service.ID, func() error { return service.Validate() })
		f.Services = append(f.Services, service)
	}
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
