package tdm

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// Export writes a deployment as Things Graph's documents: one for each device and
// service, one for each workflow, one for the system and one for the deployment, in
// this order. Read and Import give the same deployment back.
//
// What Things Graph's language cannot say is an error, of type [*flow.Problems], at the
// place where it was written.
func Export(d *flow.Deployment, m Models) ([]File, error) {
	ex := &exporter{d: d}
	ex.models(m)
	ex.deploymentOnly()
	var files []File
	file := func(name, kind string, nodes ...*node) {
		var text strings.Builder
		for _, n := range nodes {
			text.WriteString(write(n))
		}
		files = append(files, File{Name: name + "." + kind + ".graphql", Text: []byte(text.String())})
	}
	for _, one := range m.Devices {
		file(plainName(one.ID), "device", ex.device(one)...)
	}
	for _, one := range m.Services {
		file(plainName(one.ID), "service", ex.service(one)...)
	}
	for i := range d.Flows {
		def := unfold(d, d.Flows[i].Definition)
		ex.flowOnly(&d.Flows[i])
		file(def.Name, "workflow", ex.workflow(def))
	}
	file(d.Name, "system", ex.system())
	file(d.Name, "deployment", ex.deployment())
	if err := ex.problems.Err(); err != nil {
		return nil, err
	}
	return files, nil
}

type exporter struct {
	d        *flow.Deployment
	devices  map[string]written // by id in lower case
	services map[string]written
	problems problems
}

func (ex *exporter) refuse(at flow.Position, fix, format string, args ...any) {
	if at.Line == 0 {
		at = ex.d.Pos
	}
	if at.File == "" {
		at.File = ex.d.Name
	}
	ex.problems.add(at, fix, "Things Graph's language cannot say "+format, args...)
}

// deploymentOnly refuses what only our own format has for deployments.
func (ex *exporter) deploymentOnly() {
	d := ex.d
	if d.Timeout != 0 {
		ex.refuse(d.Pos, leaveOut, "timeout: %v", d.Timeout)
	}
	if d.Shared != "" {
		ex.refuse(d.Pos, leaveOut, "shared: %s", d.Shared)
	}
	for _, b := range d.Things {
		ex.bindingOnly(b)
	}
	if len(d.Vars) > 0 {
		ex.refuse(d.Vars[0].Pos, leaveOut, "vars")
	}
	for i := range d.Triggers {
		ex.triggerOnly(&d.Triggers[i])
	}
}

func (ex *exporter) bindingOnly(b flow.Binding) {
	if b.Carrier != flow.Auto {
		ex.refuse(b.Pos, leaveOut, "carrier: %s, of %s", b.Carrier, b.Role)
	}
	if b.AtMostOnce {
		ex.refuse(b.Pos, leaveOut, "qos: 0, of %s", b.Role)
	}
	if !isGraphQLName(b.Role) {
		ex.refuse(b.Pos, "use letters, digits and _", "the role %q", b.Role)
	}
	if !validThing(b.Thing) {
		ex.refuse(b.Pos, "use letters, digits, : _ and -, at most 128", "the thing's name %q", b.Thing)
	}
	if _, ok := parseURN(ex.deviceURN(b.Model)); !ok {
		ex.refuse(b.Pos, "write model: urn:tdm:… with a device model's or device's URN", "what kind of device %s is", b.Role)
	}
}

func (ex *exporter) triggerOnly(t *flow.Trigger) {
	if t.At != nil {
		ex.refuse(t.Pos, "write every: 1 days", "at: %s, of the trigger %s", t.At.Moment(), t.Name)
		return
	}
	if t.Event != nil && t.Event.For != 0 {
		ex.refuse(t.Pos, leaveOut, "for: %v, of the trigger %s", t.Event.For, t.Name)
	}
	if t.Event == nil && t.Every.IsZero() {
		ex.refuse(t.Pos, leaveOut, "a trigger without event and clock")
	}
	if t.Event != nil && t.Event.When != nil {
		for _, name := range t.Event.When.Variables() {
			if name == "now" || name == "vars" {
				ex.refuse(t.Pos, leaveOut, "the variable %s, of the trigger %s", name, t.Name)
			}
		}
	}
	if t.Event != nil && t.Event.MaxAge != 0 {
		ex.refuse(t.Pos, leaveOut, "max_age: %v, of the trigger %s", t.Event.MaxAge, t.Name)
	}
}

// flowOnly refuses what only our own format has for flows.
func (ex *exporter) flowOnly(f *flow.Flow) {
	def := f.Definition
	if f.Overlap != flow.Queue {
		ex.refuse(def.Pos, leaveOut, "overlap: %s, of %s", f.Overlap, def.Name)
	}
	if f.Limit != 0 {
		ex.refuse(def.Pos, leaveOut, "limit: %d, of %s", f.Limit, def.Name)
	}
	expressions(def, func(e *expr.Expr, _ bool) {
		for _, name := range e.Variables() {
			if name == "now" || name == "vars" {
				ex.refuse(def.Pos, leaveOut, "the variable %s, of %s", name, def.Name)
			}
		}
	})
	for _, s := range def.Steps {
		switch a := s.Activity.(type) {
		case *flow.Wait:
			ex.refuse(s.Pos, leaveOut, "wait: %v, of the step %s", a.Duration, s.Name)
		case *flow.FlowCall:
			ex.refuse(s.Pos, "write the steps of that flow instead", "flow: %s, of the step %s", a.Flow, s.Name)
		case *flow.SetVars:
			ex.refuse(s.Pos, leaveOut, "set, of the step %s", s.Name)
		}
		if s.Timeout != 0 {
			ex.refuse(s.Pos, leaveOut, "timeout: %v, of the step %s", s.Timeout, s.Name)
		}
	}
}

// made is a URN for what has none.
func made(kind, name string) string {
	return fmt.Sprintf("urn:tdm:%s:%s:%s", ownNamespace, kind, name)
}

// name checks a name that becomes one in a document.
func (ex *exporter) name(at flow.Position, what, name string) string {
	if !isGraphQLName(name) {
		ex.refuse(at, "use letters, digits and _", "the name %q of %s", name, what)
	}
	return name
}

func (ex *exporter) workflow(def *flow.Definition) *node {
	id := []arg{asText("id", cmp.Or(def.URN, made("Workflow", def.Name)))}
	if def.Description != "" {
		id = append(id, asText("description", def.Description))
	}
	n := &node{keyword: "query", name: ex.name(def.Pos, "a flow", def.Name), hasBody: true, directives: []directive{{name: "workflowType", args: id}}}
	for _, p := range def.Parameters {
		v := variable{name: ex.name(p.Pos, "a parameter", p.Name), typ: cmp.Or(p.Type, anyType), required: p.Required}
		if !typeForm.MatchString(v.typ) {
			ex.refuse(p.Pos, "write a type such as String", "the type %q of the parameter %s", p.Type, p.Name)
		}
		if !p.Default.IsZero() {
			value := ex.value(p.Pos, p.Default)
			v.value = &value
		}
		n.variables = append(n.variables, v)
	}
	if len(def.Variables) > 0 {
		vs := &node{name: "variables", hasBody: true}
		for _, v := range def.Variables {
			typ := cmp.Or(v.Type, anyProperty)
			if _, ok := parseURN(typ); !ok {
				ex.refuse(v.Pos, "write a property's URN, or leave the type out", "the type %q of the variable %s", v.Type, v.Name)
			}
			vs.children = append(vs.children, &node{name: ex.name(v.Pos, "a variable", v.Name), directives: []directive{{name: "property", args: []arg{asText("id", typ)}}}})
		}
		n.children = append(n.children, vs)
	}
	steps := &node{name: "steps", hasBody: true}
	for _, s := range def.Steps {
		steps.children = append(steps.children, ex.step(s))
	}
	n.children = append(n.children, steps)
	return n
}

var typeForm = regexp.MustCompile(`^\[*[A-Za-z_][A-Za-z0-9_]*\]*$`)
