package flowyaml

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"pithings/conf/suggest"
	"pithings/flow"
	"pithings/flow/expr"
)

var stepKeys = []string{"name", "description", "when", "needs", "in", "out", "thing", "device", "model", "device_urn", "service", "action",
	"input", "output", "choice", "wait", "flow", "set", "timeout", "retry", "catch", "check"}

// done is the event that a step sets for those that need it.
func done(step string) string { return step + " done" }

// steps reads the steps. One without needs and in follows the one before it.
func (r *reader) steps(def *flow.Definition, e entry) {
	type need struct {
		step  int
		names []string
		at    ast.Node
	}
	var needs []need
	items := r.items(e.value)
	def.Steps = slices.Grow(def.Steps, len(items))
	for i, n := range items {
		s, list := r.step(n, i)
		def.Steps = append(def.Steps, s)
		ordered := false
		for _, k := range list {
			switch k.key {
			case "needs":
				ordered = true
				if names := r.texts(k, "step "+s.Name); len(names) > 0 {
					needs = append(needs, need{i, names, k.at})
				}
			case "in":
				if ordered {
					r.fail(k.at, "step %s has both needs and in; write one of them", s.Name)
				}
				ordered = true
			}
		}
		if ordered || i == 0 {
			continue
		}
		before := def.Steps[i-1]
		if _, choice := before.Activity.(*flow.Choice); choice {
			r.fail(n, "step %s comes after the choice %s; say which of its events starts it (in: …)", s.Name, before.Name)
			continue
		}
		needs = append(needs, need{i, []string{before.Name}, n})
	}
	for _, n := range needs {
		for _, name := range n.names {
			j, err := stepNamed(def, name)
			if err != nil {
				var names []string
				for _, s := range def.Steps {
					names = append(names, s.Name)
				}
				r.fail(n.at, "step %s needs the step %q, which there is not%s", def.Steps[n.step].Name, name, suggest.From(name, names))
				continue
			}
			s := &def.Steps[n.step]
			s.In.Events = append(s.In.Events, done(name))
			if before := &def.Steps[j]; !slices.Contains(before.Out, done(name)) {
				before.Out = append(before.Out, done(name))
			}
		}
	}
}

func (r *reader) step(n ast.Node, i int) (flow.Step, []entry) {
	s := flow.Step{Pos: r.pos(n)}
	list := r.mapping(n, fmt.Sprintf("step %d", i+1), stepKeys)
	for _, e := range list {
		if e.key == "name" {
			s.Name = r.text(e, "step")
		}
	}
	what := "step " + s.Name
	if s.Name == "" {
		what = fmt.Sprintf("step %d", i+1)
	}
	p := &stepParts{has: map[string]ast.Node{}}
	for _, e := range list {
		p.has[e.key] = e.at
		stepKey(r, &s, e, what)
		p.read(r, e, what)
	}
	s.Activity = p.activity(r, n, what)
	return s, list
}

// stepParts is what a step says of its activity, to which several keys belong.
type stepParts struct {
	has           map[string]ast.Node // the keys that it has
	action        flow.DeviceAction   // with the keys that services and flows have, too
	service, call string
	choice        *flow.Choice
	wait          time.Duration
	set           []flow.Arg
}

// stepKey reads a key that any step may have.
func stepKey(r *reader, s *flow.Step, e entry, what string) {
	switch e.key {
	case "description":
		s.Description = r.text(e, what)
	case "when":
		s.Condition = r.expression(e, what)
	case "in":
		s.In = r.in(e, what)
	case "out":
		s.Out = r.texts(e, what)
	case "timeout":
		s.Timeout = r.duration(e, what)
	case "retry":
		for _, n := range r.items(e.value) {
			s.Retries = append(s.Retries, r.retry(n, what))
		}
	case "catch":
		for _, n := range r.items(e.value) {
			s.Catches = append(s.Catches, r.catch(n, what))
		}
	case "check":
		for _, n := range r.items(e.value) {
			s.Checks = append(s.Checks, r.check(n, what))
		}
	}
}

// read reads a key that says what a step does.
func (p *stepParts) read(r *reader, e entry, what string) {
	switch e.key {
	case "thing":
		p.action.Role = r.text(e, what)
	case "device":
		p.action.Device = r.expression(e, what)
	case "model":
		p.action.Model = r.text(e, what)
	case "device_urn":
		p.action.DeviceURN = r.text(e, what)
	case "service":
		p.service = r.text(e, what)
	case "action":
		p.action.Action = r.text(e, what)
	case "input":
		p.action.Args = r.args(e, what)
	case "output":
		p.action.Output = r.text(e, what)
	case "choice":
		p.choice = r.choice(e, what)
	case "wait":
		p.wait = r.duration(e, what)
	case "flow":
		p.call = r.text(e, what)
	case "set":
		p.set = r.args(e, what)
	}
}

// activity is what a step does. A key that does not belong to it is a problem.
func (p *stepParts) activity(r *reader, n ast.Node, what string) flow.Activity {
	kinds := 0
	for _, kind := range []string{"thing", "device", "service", "choice", "wait", "flow", "set"} {
		if p.has[kind] != nil {
			kinds++
		}
	}
	lacks := func(kind string, keys ...string) {
		for _, key := range keys {
			if at := p.has[key]; at != nil {
				r.fail(at, "%s: %s has no %s", what, kind, key)
			}
		}
	}
	switch {
	case kinds != 1:
		r.fail(n, "%s needs one of thing, device, service, flow, choice, wait and set", what)
	case p.choice != nil:
		lacks("a choice", "action", "input", "output", "model", "device_urn")
		return p.choice
	case p.service != "":
		lacks("a web service", "model", "device_urn")
		return &flow.ServiceCall{Service: p.service, Action: p.action.Action, Args: p.action.Args, Output: p.action.Output}
	case p.has["wait"] != nil:
		lacks("a wait", "action", "input", "output", "model", "device_urn")
		return &flow.Wait{Duration: p.wait}
	case p.has["flow"] != nil:
		lacks("a flow", "action", "model", "device_urn")
		return &flow.FlowCall{Flow: p.call, Args: p.action.Args, Output: p.action.Output}
	case p.has["set"] != nil:
		lacks("a step that sets vars", "action", "input", "output", "model", "device_urn")
		return &flow.SetVars{Vars: p.set}
	}
	action := p.action // of its own: a pointer into p would keep has, and with it all nodes and tokens of the file
	return &action
}

// in is an event, a list of events that have all to be set, or an expression.
func (r *reader) in(e entry, what string) flow.In {
	s, ok := scalarText(e.value)
	if !ok || e.null() {
		return flow.In{Events: r.texts(e, what)}
	}
	if strings.HasPrefix(strings.TrimSpace(s), "${") {
		return flow.In{When: r.expression(e, what)}
	}
	x, err := expr.Parse(s)
	if err != nil {
		if strings.ContainsAny(s, "&|!") {
			r.failf(r.pos(e.value), err, what+", in")
		}
		return flow.In{Events: []string{s}} // the name of an event may be any text
	}
	if _, name := x.Root().(*expr.Name); name {
		return flow.In{Events: []string{s}}
	}
	return flow.In{When: x}
}

func (r *reader) choice(e entry, what string) *flow.Choice {
	c := &flow.Choice{}
	for _, k := range r.mapping(e.value, what+", choice", []string{"rules", "default"}) {
		if k.key == "default" {
			c.Default = r.texts(k, what)
			continue
		}
		for _, n := range r.items(k.value) {
			rule := flow.Rule{Pos: r.pos(n)}
			for _, o := range r.mapping(n, what+", rule", []string{"name", "when", "set"}) {
				switch o.key {
				case "name":
					rule.Name = r.text(o, what)
				case "when":
					rule.When = r.expression(o, what)
				case "set":
					rule.Events = r.texts(o, what)
				}
			}
			c.Rules = append(c.Rules, rule)
		}
	}
	return c
}

func (r *reader) retry(n ast.Node, what string) flow.Retry {
	y := flow.Retry{Pos: r.pos(n)}
	what += ", retry"
	for _, e := range r.mapping(n, what, []string{"name", "errors", "when", "every", "backoff", "attempts"}) {
		switch e.key {
		case "name":
			y.Name = r.text(e, what)
		case "errors":
			y.Errors = r.texts(e, what)
		case "when":
			y.Condition = r.expression(e, what)
		case "every":
			y.Interval = r.duration(e, what)
		case "backoff":
			y.BackoffRate = r.number(e, what)
		case "attempts":
			if y.MaxAttempts = r.integer(e, what); y.MaxAttempts == 0 {
				y.MaxAttempts = -1
			}
		}
	}
	return y
}

func (r *reader) catch(n ast.Node, what string) flow.Catch {
	c := flow.Catch{Pos: r.pos(n)}
	what += ", catch"
	for _, e := range r.mapping(n, what, []string{"name", "errors", "when", "set"}) {
		switch e.key {
		case "name":
			c.Name = r.text(e, what)
		case "errors":
			c.Errors = r.texts(e, what)
		case "when":
			c.Condition = r.expression(e, what)
		case "set":
			for _, event := range r.texts(e, what) {
				c.Do = append(c.Do, flow.Statement{Event: event, Pos: r.pos(e.at)})
			}
		}
	}
	return c
}

func (r *reader) check(n ast.Node, what string) flow.Check {
	c := flow.Check{Pos: r.pos(n)}
	what += ", check"
	for _, e := range r.mapping(n, what, []string{"name", "when", "pass", "fail"}) {
		switch e.key {
		case "name":
			c.Name = r.text(e, what)
		case "when":
			c.Condition = r.expression(e, what)
		case "pass":
			c.Pass = r.statements(e, what)
		case "fail":
			c.Fail = r.statements(e, what)
		}
	}
	return c
}

func (r *reader) statements(e entry, what string) []flow.Statement {
	var list []flow.Statement
	for _, text := range r.texts(e, what) {
		s, err := flow.ParseStatement(text)
		if err != nil {
			r.problems.Add(r.pos(e.at), "%s, %s: %v", what, e.key, err)
		}
		s.Pos = r.pos(e.at)
		list = append(list, s)
	}
	return list
}
