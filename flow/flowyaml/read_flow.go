package flowyaml

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
)

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
		output := s.Output()
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
