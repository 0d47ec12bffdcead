package flowyaml

import (
	"math"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// stepsOf prints the steps, with needs where the events are those that reading
// makes of it.
func stepsOf(def *flow.Definition) []any {
	needs := make([][]string, len(def.Steps)) // nil: the step has in, or nothing
	neededBy := map[string]bool{}             // steps whose done event reading adds
	for i := range def.Steps {
		needs[i] = needsOf(def, &def.Steps[i])
		for _, n := range needs[i] {
			neededBy[n] = true
		}
	}
	var list []any
	for i := range def.Steps {
		s := &def.Steps[i]
		var m mapping
		m.text("name", s.Name)
		m.text("description", s.Description)
		m.expr("when", s.Condition)
		waitsFor(&m, def, i, needs[i])
		out := s.Out
		if n := len(out); n > 0 && neededBy[s.Name] && out[n-1] == done(s.Name) && !slices.Contains(out[:n-1], done(s.Name)) {
			out = out[:n-1]
		}
		if len(out) > 0 {
			m.add("out", oneOrMore(out))
		}
		activity(&m, s)
		m.duration("timeout", s.Timeout)
		handlers(&m, s)
		list = append(list, m)
	}
	return list
}

// needsOf returns the steps whose done events a step waits for, if it waits for nothing
// else, or nil.
func needsOf(def *flow.Definition, s *flow.Step) (names []string) {
	if s.In.When != nil && len(s.In.Events) == 0 {
		return nil
	}
	for _, e := range s.In.Events {
		name, ok := strings.CutSuffix(e, done(""))
		j, err := stepNamed(def, name)
		if !ok || err != nil || !slices.Contains(def.Steps[j].Out, e) || slices.Contains(names, name) {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// waitsFor writes what the i-th step waits for. Without a word it follows the one before.
func waitsFor(m *mapping, def *flow.Definition, i int, needs []string) {
	s := &def.Steps[i]
	switch {
	case needs != nil:
		follows := i > 0 && len(needs) == 1 && needs[0] == def.Steps[i-1].Name
		if follows {
			_, choice := def.Steps[i-1].Activity.(*flow.Choice)
			follows = !choice
		}
		if !follows {
			m.add("needs", texts(needs))
		}
	case len(s.In.Events) > 0:
		m.add("in", inText(s.In.Events))
	case s.In.When != nil:
		m.add("in", whenText(s.In.When))
	case i > 0:
		m.add("needs", []any{})
	}
}

// inText is a list, unless one name can only be read as that.
func inText(events []string) any {
	if len(events) == 1 {
		if e, err := expr.Parse(events[0]); err == nil && !strings.HasPrefix(strings.TrimSpace(events[0]), "${") {
			if n, ok := e.Root().(*expr.Name); ok && n.Name == events[0] {
				return events[0]
			}
		}
	}
	return texts(events)
}

func whenText(e *expr.Expr) string {
	if _, name := e.Root().(*expr.Name); name {
		return "${" + e.String() + "}"
	}
	if _, literal := e.Root().(*expr.Literal); literal {
		return "${" + e.String() + "}"
	}
	return e.String()
}

func texts(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func oneOrMore(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return texts(list)
}

func activity(m *mapping, s *flow.Step) {
	args := func(list []flow.Arg) {
		if len(list) == 0 {
			return
		}
		var in mapping
		for _, a := range list {
			in.add(a.Name, value(a.Value))
		}
		m.add("input", in)
	}
	switch a := s.Activity.(type) {
	case *flow.DeviceAction:
		m.text("thing", a.Role)
		if a.Role == "" {
			m.expr("device", a.Device)
		}
		m.text("model", a.Model)
		m.text("device_urn", a.DeviceURN)
		m.text("action", a.Action)
		args(a.Args)
		m.text("output", a.Output)
	case *flow.ServiceCall:
		m.text("service", a.Service)
		m.text("action", a.Action)
		args(a.Args)
		m.text("output", a.Output)
	case *flow.Choice:
		var c mapping
		var rules []any
		for _, r := range a.Rules {
			var one mapping
			one.text("name", r.Name)
			one.expr("when", r.When)
			if len(r.Events) > 0 {
				one.add("set", oneOrMore(r.Events))
			}
			rules = append(rules, one)
		}
		if len(rules) > 0 {
			c.add("rules", rules)
		}
		if len(a.Default) > 0 {
			c.add("default", oneOrMore(a.Default))
		}
		m.add("choice", c)
	case *flow.Wait:
		m.duration("wait", a.Duration)
	case *flow.FlowCall:
		m.text("flow", a.Flow)
		args(a.Args)
		m.text("output", a.Output)
	case *flow.SetVars:
		var set mapping
		for _, v := range a.Vars {
			set.add(v.Name, value(v.Value))
		}
		m.add("set", set)
	}
}

func handlers(m *mapping, s *flow.Step) {
	add := func(key string, list []any) {
		if len(list) == 1 {
			m.add(key, list[0])
		} else if len(list) > 1 {
			m.add(key, list)
		}
	}
	var list []any
	for _, r := range s.Retries {
		var one mapping
		one.text("name", r.Name)
		if len(r.Errors) > 0 {
			one.add("errors", oneOrMore(r.Errors))
		}
		one.expr("when", r.Condition)
		one.duration("every", r.Interval)
		if r.BackoffRate != 0 {
			one.add("backoff", r.BackoffRate)
		}
		if r.MaxAttempts < 0 {
			one.add("attempts", int64(0))
		} else if r.MaxAttempts > 0 {
			one.add("attempts", int64(r.MaxAttempts))
		}
		list = append(list, orName(one))
	}
	add("retry", list)
	list = nil
	for _, c := range s.Catches {
		var one mapping
		one.text("name", c.Name)
		if len(c.Errors) > 0 {
			one.add("errors", oneOrMore(c.Errors))
		}
		one.expr("when", c.Condition)
		var events []string
		for _, st := range c.Do {
			events = append(events, st.Event)
		}
		if len(events) > 0 {
			one.add("set", oneOrMore(events))
		}
		list = append(list, orName(one))
	}
	add("catch", list)
	list = nil
	for _, c := range s.Checks {
		var one mapping
		one.text("name", c.Name)
		one.expr("when", c.Condition)
		for _, branch := range []struct {
			key  string
			list []flow.Statement
		}{{"pass", c.Pass}, {"fail", c.Fail}} {
			var lines []string
			for _, st := range branch.list {
				lines = append(lines, statement(st))
			}
			if len(lines) > 0 {
				one.add(branch.key, oneOrMore(lines))
			}
		}
		list = append(list, one)
	}
	add("check", list)
}

// orName keeps a mapping from being empty: "retry:" alone would be none.
func orName(m mapping) mapping {
	if len(m) == 0 {
		m.add("name", "")
	}
	return m
}

func statement(s flow.Statement) string {
	if back, err := flow.ParseStatement(s.Event); err == nil && back.Event == s.Event && s.Event != "" {
		return s.Event
	}
	return s.String()
}

// value is a value as the emitter takes it.
func value(v flow.Value) any {
	if v.Expr != nil {
		return v.Expr.Text()
	}
	switch l := v.Literal.(type) {
	case string:
		if back, err := flow.TextValue(l); err != nil || back.Expr != nil {
			return expr.New(&expr.Literal{Value: l}).Text()
		}
	case uint64:
		if l <= math.MaxInt64 {
			return expr.New(&expr.Literal{Value: l}).Text()
		}
	}
	return v.Literal
}
