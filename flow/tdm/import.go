package tdm

import (
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// Import turns the documents into definitions and deployments. The error is of
// type [*flow.Problems].
func (d *Documents) Import(o Options) (*Import, error) {
	im := &importer{Documents: d, reader: &reader{}, options: o, out: &Import{Devices: d.DeviceModels()},
		needed: map[string]bool{}, held: map[*workflow]map[string]held{}}
	for _, w := range d.order {
		im.out.Definitions = append(im.out.Definitions, im.definition(w))
	}
	im.serve()
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
	return im.spelled(w, e)
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
