package tdm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// Options say what documents leave open.
type Options struct {
	// Things play roles for which no deployment document names one.
	Things map[string]string
	// Services are URLs of one's own for web services, by URN or name, in whose
	// stead they are called: Lambda functions and what AWS has signed run nowhere
	// else.
	Services map[string]string
}

// Import is what a set of documents says, in pithings' own terms.
type Import struct {
	// Definitions are the workflows, in the order of the documents, as they are
	// written: devices are parameters.
	Definitions []*flow.Definition
	// Deployments are the flow configurations. A system without one gives a
	// deployment too, started by its workflows' default triggers, if they have any.
	Deployments []*flow.Deployment
	// Devices and Services are those that the files define or use.
	Devices  []flow.DeviceModel
	Services []flow.ServiceModel
	// Needs is what has to be given before the flows can run: things for roles,
	// documents of devices and services, URLs for what ran at AWS.
	Needs flow.Problems
}

// Import turns the documents into definitions and deployments. The error is of
// type [*flow.Problems].
func (d *Documents) Import(o Options) (*Import, error) {
	im := &importer{Documents: d, reader: &reader{}, options: o, out: &Import{Devices: d.DeviceModels()}, needed: map[string]bool{}}
	for _, s := range sorted(d.services, func(s *service) Pos { return s.pos }) {
		im.out.Services = append(im.out.Services, d.describeService(im.reader, s))
	}
	for _, w := range d.order {
		im.out.Definitions = append(im.out.Definitions, im.definition(w))
	}
	for _, dep := range d.configured {
		if got := im.deployment(dep); got != nil {
			im.out.Deployments = append(im.out.Deployments, got)
		}
	}
	im.drafts()
	if err := im.problems.Err(); err != nil {
		return nil, err
	}
	return im.out, nil
}

type importer struct {
	*Documents
	*reader
	options Options
	out     *Import
	needed  map[string]bool
}

// need notes what has to be given; the same for the same thing only once.
func (im *importer) need(pos Pos, fix, format string, args ...any) {
	what := message(fmt.Sprintf(format, args...), fix)
	if !im.needed[what] {
		im.needed[what] = true
		im.out.Needs.Add(pos, "%s", what)
	}
}

// anyProperty is the property whose values are anything; a variable's type in
// our own format is no more than that.
const anyProperty = "urn:tdm:aws:Property:Json"

// definition converts a workflow.
func (im *importer) definition(w *workflow) *flow.Definition {
	def := &flow.Definition{Name: w.name, URN: ownURN(w.id, w.name), Description: w.description, Pos: w.pos}
	for _, p := range w.params {
		param := flow.Parameter{Name: p.name, Type: p.typ, Required: p.required, Pos: p.pos}
		if p.typ == anyType {
			param.Type = ""
		}
		if p.value != nil {
			param.Default = im.value(nil, *p.value, nil)
			param.Required = false
		}
		def.Parameters = append(def.Parameters, param)
	}
	for _, v := range w.variables {
		variable := flow.Variable{Name: v.name, Type: v.property.text, Pos: v.pos}
		if strings.EqualFold(variable.Type, anyProperty) {
			variable.Type = ""
		}
		def.Variables = append(def.Variables, variable)
	}
	for _, s := range w.steps {
		def.Steps = append(def.Steps, im.step(w, s))
	}
	return def
}

// anyType is the type of a parameter that has none in our own format.
const anyType = "Any"

// ownNamespace is that of URNs which an export made up.
const ownNamespace = "pithings"

// ownURN is a URN's text, or "" if an export made it up.
func ownURN(u urn, name string) string {
	if u.namespace == ownNamespace && u.name == name {
		return ""
	}
	return u.text
}

func (im *importer) step(w *workflow, s *step) flow.Step {
	out := flow.Step{Name: s.name, Description: s.description, Out: s.out, Pos: s.pos}
	out.Condition = im.expression(w, s.condition, s.conditionAt, "condition")
	out.In.Events = s.in
	if e := im.expression(nil, s.inExpr, s.inAt, "inEvent"); e != nil {
		if event, one := e.Root().(*expr.Name); one {
			out.In.Events = []string{event.Name}
		} else {
			out.In.When = e
		}
	}
	switch a := s.activity; a.kind {
	case deviceActivity:
		out.Activity = im.deviceAction(w, a)
	case serviceActivity:
		out.Activity = im.serviceCall(w, a)
	case choiceActivity:
		c := &flow.Choice{Default: a.fallback}
		for _, r := range a.rules {
			c.Rules = append(c.Rules, flow.Rule{Name: r.name, When: im.expression(w, r.expr, r.exprAt, "rule"), Events: r.events, Pos: r.pos})
		}
		out.Activity = c
	}
	for _, r := range s.retries {
		out.Retries = append(out.Retries, im.retry(w, r))
	}
	for _, c := range s.catches {
		got := flow.Catch{Name: c.name, Errors: c.errors, Condition: im.expression(w, c.condition, c.conditionAt, "Catch"), Pos: c.pos}
		for _, st := range c.do {
			got.Do = append(got.Do, im.statement(st))
		}
		for _, e := range c.events {
			got.Do = append(got.Do, flow.Statement{Event: e, Pos: c.pos})
		}
		out.Catches = append(out.Catches, got)
	}
	for _, c := range s.checks {
		got := flow.Check{Name: c.name, Condition: im.expression(w, c.condition, c.conditionAt, "Check"), Pos: c.pos}
		for _, st := range c.pass {
			got.Pass = append(got.Pass, im.statement(st))
		}
		for _, st := range c.fail {
			got.Fail = append(got.Fail, im.statement(st))
		}
		out.Checks = append(out.Checks, got)
	}
	return out
}

// expression parses what stands in ${…}; "" gives nil. Names are spelled as the
// workflow, if there is one, declares them.
func (im *importer) expression(w *workflow, s string, at Pos, what string) *expr.Expr {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	e, err := expr.Parse(spellOutIn(s))
	if err != nil {
		im.problems.add(at, "write ${expression}", "%s: %v", what, err)
		return nil
	}
	return w.spelled(e)
}

// spelled spells a workflow's parameters and variables as they are declared; the
// console wrote deviceId: "${GreenLight1}" for a parameter $greenLight1.
func (w *workflow) spelled(e *expr.Expr) *expr.Expr {
	if w == nil {
		return e
	}
	return expr.New(rewrite(e.Root(), func(n expr.Node) expr.Node {
		v, ok := n.(*expr.Name)
		if !ok || w.spelling(v.Name) == v.Name {
			return n
		}
		return &expr.Name{Name: w.spelling(v.Name)}
	}))
}

// spelling is how a name is declared, or the name itself if it is not.
func (w *workflow) spelling(name string) string {
	if own, ok := w.declared[name]; ok {
		return own
	}
	return cmp.Or(w.declared[strings.ToLower(name)], name)
}

func (im *importer) retry(w *workflow, r retry) flow.Retry {
	out := flow.Retry{Name: r.name, Errors: r.errors, Condition: im.expression(w, r.condition, r.conditionAt, "Retry"),
		BackoffRate: backoff(r.backoff), MaxAttempts: r.attempts, Pos: r.pos}
	if r.interval != "" {
		d, ok := interval(r.interval)
		if !ok {
			im.problems.add(r.intervalAt, `write interval: "5 sec"`, "Retry: %q is no interval", shorten(r.interval))
		}
		out.Interval = d
	}
	return out
}

// backoff is 0 for a pause that stays the same.
func backoff(rate float64) float64 {
	if rate == 1 {
		return 0
	}
	return rate
}

// statement reads what a catch or a check does.
func (im *importer) statement(st statement) flow.Statement {
	text := strings.TrimSpace(st.expr)
	if m := raised.FindStringSubmatch(text); m != nil {
		return flow.Statement{Event: m[1], Pos: st.pos}
	}
	got, err := flow.ParseStatement(text)
	if err != nil {
		im.problems.add(st.pos, "write setEvent('name') or fail('ErrorName')", "%q is not a statement", shorten(st.expr))
	}
	got.Pos = st.pos
	return got
}

func (im *importer) deviceAction(w *workflow, a activity) *flow.DeviceAction {
	out := &flow.DeviceAction{Model: a.model.text, DeviceURN: a.device.text, Output: im.output(w, a)}
	if e := im.text(a.deviceID, a.deviceAt); e != nil {
		out.Device = im.parameters(w, e, a.deviceAt)
	}
	act, known := im.findAction(a)
	out.Action = a.action
	if known {
		out.Action = act.name
	}
	out.Args = im.args(w, a, act, known)
	return out
}

// parameters checks what says a step's device: text, or an expression over what
// the workflow declares.
func (im *importer) parameters(w *workflow, e *expr.Expr, at Pos) *expr.Expr {
	if s, plain := plainText(e); plain {
		return expr.New(&expr.Literal{Value: s})
	}
	e = w.spelled(e)
	for _, name := range e.Variables() {
		if _, ok := w.declared[name]; !ok {
			im.problems.add(at, fmt.Sprintf("declare it: query %s($%s: string!)", w.name, name), "workflow %s has no parameter %s", w.name, name)
		}
	}
	return e
}

// output is the variable of out:, as it is declared.
func (im *importer) output(w *workflow, a activity) string {
	name := strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(a.out), "$"), "{"), "}"), "$")
	if name == "" {
		return ""
	}
	for _, v := range w.variables {
		if v.name == name {
			return name
		}
	}
	for _, v := range w.variables {
		if strings.EqualFold(v.name, name) {
			return v.name
		}
	}
	im.problems.add(a.outAt, fmt.Sprintf(`declare it: variables { %s @property(id: "…") }`, name), "workflow %s has no variable %s", w.name, name)
	return name
}

// signature is what is known of an action: its parameters and their types.
type signature struct {
	name   string
	params []field
	also   []string // keys of the request, which may be given as they are
}

// findAction looks for an activity's action in its device, its model, and
// devices of the model. known is false if there is no such document.
func (im *importer) findAction(a activity) (sig signature, known bool) {
	key := strings.ToLower(a.action)
	actions := map[string]bool{}
	if m, ok := find(a.model, im.library.models, im.builtin.models); ok {
		for _, u := range m.capabilities {
			c, ok := find(u, im.capabilities, im.builtin.capabilities)
			if !ok {
				im.need(m.pos, "add its document", "capability %s is not defined here", u.text)
				continue
			}
			for _, m := range c.order {
				if _, isAction := c.actions[strings.ToLower(m.name)]; isAction {
					actions[m.name] = true
				}
			}
			m, ok := c.actions[key]
			if !ok {
				continue
			}
			sig.name, known = m.name, true
			if act, ok := find(m.of, im.actions, im.builtin.actions); ok {
				sig.params = act.params
			}
		}
		if !known {
			im.problems.add(a.actionAt, "it has "+join(actions), "%s has no action %s", a.model.text, a.action)
			return sig, false
		}
	}
	for _, dev := range im.devicesOf(a.model, a.device) {
		if act := dev.actions[key]; act != nil {
			known = true
			sig.name = act.name
			if sig.params == nil {
				for _, p := range act.params {
					sig.params = append(sig.params, field{p.pos, p.name, p.property})
				}
			}
			for _, p := range act.request {
				sig.also = append(sig.also, p.name)
			}
		}
	}
	if !known {
		im.need(a.pos, "add its document, or describe the thing's topics in the deployment", "device model %s is not defined here", a.model.text)
	}
	return sig, known
}

func join(set map[string]bool) string {
	if len(set) == 0 {
		return "none"
	}
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// devicesOf are the device, if it is given, or else the devices of a model.
func (d *Documents) devicesOf(model, id urn) []*device {
	if id.text != "" {
		if dev, ok := find(id, d.devices, d.builtin.devices); ok {
			return []*device{dev}
		}
	}
	var out []*device
	for _, in := range []map[string]*device{d.devices, d.builtin.devices} {
		for _, dev := range sorted(in, func(dev *device) Pos { return dev.pos }) {
			if dev.model.key() == model.key() {
				out = append(out, dev)
			}
		}
	}
	return out
}

// args converts arguments; their names are spelled as they are declared, and
// text becomes what its property is.
func (im *importer) args(w *workflow, a activity, sig signature, known bool) []flow.Arg {
	var out []flow.Arg
	for _, arg := range a.args {
		got := flow.Arg{Name: arg.name, Pos: arg.pos}
		i := slices.IndexFunc(sig.params, func(f field) bool { return strings.EqualFold(f.name, arg.name) })
		j := slices.IndexFunc(sig.also, func(s string) bool { return strings.EqualFold(s, arg.name) })
		var typ *field
		switch {
		case i >= 0:
			got.Name, typ = sig.params[i].name, &sig.params[i]
		case j >= 0:
			got.Name = sig.also[j]
		case known:
			names := map[string]bool{}
			for _, p := range sig.params {
				names[p.name] = true
			}
			im.problems.add(arg.pos, "it has "+join(names), "%s has no argument %s", a.action, arg.name)
		}
		got.Value = im.value(w, arg.value, typ)
		out = append(out, got)
	}
	return out
}

// value converts a literal or text with ${…}; of, if not nil, says of what type
// plain text is.
func (im *importer) value(w *workflow, v value, of *field) flow.Value {
	switch v.kind {
	case textValue:
		if m := shorthand.FindStringSubmatch(v.text); m != nil {
			v.text = "${" + m[1] + "}"
		}
		got, err := flow.TextValue(v.text)
		if err != nil {
			im.problems.add(v.pos, "write text, or ${expression}", "%v", err)
		}
		if got.Expr != nil {
			got.Expr = w.spelled(got.Expr)
		}
		if s, isText := got.Literal.(string); isText && of != nil {
			got.Literal = im.typed(s, *of, v.pos)
		}
		return got
	case variableValue:
		return flow.Value{Expr: w.spelled(expr.New(&expr.Name{Name: v.text}))}
	}
	return flow.Value{Literal: im.literal(v)}
}

func (im *importer) literal(v value) any {
	switch v.kind {
	case listValue:
		out := []any{}
		for _, e := range v.list {
			out = append(out, im.literal(e))
		}
		return out
	case objectValue:
		out := map[string]any{}
		for i, e := range v.list {
			out[v.names[i]] = im.literal(e)
		}
		return out
	case variableValue:
		im.problems.add(v.pos, `write "${[a, b]}"`, "a variable within a list or an object")
		return nil
	case textValue:
		return v.text
	}
	return scalar(v)
}

// typed reads text as a value of a property: the console wrote all arguments as
// text, GPIOPort: "4".
func (im *importer) typed(s string, f field, at Pos) any {
	t := im.valueType(&reader{}, f.property, at)
	v, ok := convert(s, t)
	if !ok {
		im.problems.add(at, "write one", "%s is to be of type %s, which %q is not", f.name, t, shorten(s))
	}
	return v
}
