package flowyaml

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"pithings/flow"
	"pithings/flow/expr"
)

// Print writes a file. What it writes reads back as the same, with two
// exceptions that mean the same: a literal text with "${" in it becomes the
// expression ${'…'}, and so does a small unsigned number (${10UL}).
func Print(f *File) ([]byte, error) {
	d := f.Deployment
	var m mapping
	single := len(d.Flows) == 1 && d.Flows[0].Definition.Name == d.Name && d.Description == "" && d.URN == ""
	m.text("name", d.Name)
	if !single {
		m.text("description", d.Description)
		m.text("urn", d.URN)
	} else {
		m.text("description", d.Flows[0].Definition.Description)
		m.text("urn", d.Flows[0].Definition.URN)
	}
	m.text("system", d.System)
	if !slices.EqualFunc(d.Things, implied(d), sameBinding) {
		m.add("things", things(d))
	}
	if len(d.Triggers) == 1 {
		m.add("trigger", trigger(d, &d.Triggers[0]))
	} else if len(d.Triggers) > 1 {
		var list []any
		for i := range d.Triggers {
			list = append(list, trigger(d, &d.Triggers[i]))
		}
		m.add("triggers", list)
	}
	m.duration("timeout", d.Timeout)
	m.text("shared", d.Shared)
	if single {
		flowKeysOf(&m, &d.Flows[0])
	} else {
		var list []any
		for i := range d.Flows {
			var one mapping
			def := d.Flows[i].Definition
			one.text("name", def.Name)
			one.text("description", def.Description)
			one.text("urn", def.URN)
			flowKeysOf(&one, &d.Flows[i])
			list = append(list, one)
		}
		m.add("flows", list)
	}
	var b strings.Builder
	m.write(&b, 0)
	for _, section := range []struct {
		key    string
		models map[string]any
	}{{"models", modelsOf(f.Models, func(m *flow.DeviceModel) *string { return &m.ID })},
		{"services", modelsOf(f.Services, func(m *flow.ServiceModel) *string { return &m.ID })}} {
		if len(section.models) == 0 {
			continue
		}
		out, err := yaml.Marshal(map[string]any{section.key: section.models})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", section.key, err)
		}
		b.Write(out)
	}
	return []byte(b.String()), nil
}

// modelsOf are models by their ids, which they then need not repeat.
func modelsOf[T any](list []T, id func(*T) *string) map[string]any {
	m := map[string]any{}
	for _, one := range list {
		key := *id(&one)
		*id(&one) = ""
		m[key] = one
	}
	return m
}

func sameBinding(a, b flow.Binding) bool {
	a.Pos, b.Pos = flow.Position{}, flow.Position{}
	return a == b
}

func things(d *flow.Deployment) mapping {
	var m mapping
	for _, b := range d.Things {
		if b.Model == "" && b.Carrier == flow.Auto && !b.AtMostOnce {
			m.add(b.Role, b.Thing)
			continue
		}
		var one mapping
		one.text("thing", b.Thing)
		one.text("model", b.Model)
		one.text("carrier", string(b.Carrier))
		if b.AtMostOnce {
			one.add("qos", bare("0"))
		}
		m.add(b.Role, one)
	}
	return m
}

func trigger(d *flow.Deployment, t *flow.Trigger) mapping {
	var m mapping
	m.text("name", t.Name)
	m.text("description", t.Description)
	switch {
	case t.Event != nil:
		m.text("thing", t.Event.Role)
		m.text("event", t.Event.Name)
		m.expr("when", t.Event.When)
		if t.Event.MaxAge < 0 {
			m.add("max_age", int64(0))
		}
		m.duration("max_age", t.Event.MaxAge)
	case !t.Every.IsZero():
		m.add("every", bare(strings.TrimPrefix(t.Every.String(), "every ")))
	default:
		m.add("hand", true)
	}
	if len(t.Start) == 1 && len(d.Flows) == 1 && t.Start[0].Flow == d.Flows[0].Definition.Name && len(t.Start[0].Args) == 0 {
		return m
	}
	var list []any
	for _, s := range t.Start {
		if len(s.Args) == 0 {
			list = append(list, s.Flow)
			continue
		}
		var one, named mapping
		var placed []any
		one.text("flow", s.Flow)
		for _, a := range s.Args {
			if a.Name == "" {
				placed = append(placed, value(a.Value))
			} else {
				named.add(a.Name, value(a.Value))
			}
		}
		if len(placed) > 0 {
			one.add("with", placed)
		} else {
			one.add("with", named)
		}
		list = append(list, one)
	}
	m.add("start", list)
	return m
}

func flowKeysOf(m *mapping, f *flow.Flow) {
	def := f.Definition
	switch {
	case f.Limit != 0:
		var o mapping
		o.add("policy", overlapName(f.Overlap))
		o.add("limit", int64(f.Limit))
		m.add("overlap", o)
	case f.Overlap != flow.Queue:
		m.add("overlap", overlapName(f.Overlap))
	}
	if len(def.Parameters) > 0 {
		var ps mapping
		for _, p := range def.Parameters {
			if p.Required && p.Default.IsZero() {
				if p.Type == "" {
					ps.add(p.Name, nil)
				} else {
					ps.add(p.Name, p.Type)
				}
				continue
			}
			var one mapping
			one.text("type", p.Type)
			one.add("required", p.Required)
			if !p.Default.IsZero() {
				one.add("default", value(p.Default))
			}
			ps.add(p.Name, one)
		}
		m.add("parameters", ps)
	}
	names := outputs(def)
	if len(names) != len(def.Variables) || slices.ContainsFunc(def.Variables, func(v flow.Variable) bool { return v.Type != "" }) ||
		!slices.EqualFunc(def.Variables, names, func(v flow.Variable, n string) bool { return v.Name == n }) {
		var vs mapping
		for _, v := range def.Variables {
			if v.Type == "" {
				vs.add(v.Name, nil)
			} else {
				vs.add(v.Name, v.Type)
			}
		}
		m.add("variables", vs)
	}
	m.add("steps", stepsOf(def))
}

func overlapName(o flow.Overlap) string {
	if o == flow.Queue {
		return "queue"
	}
	return string(o)
}

// stepsOf prints the steps, with needs where the events are those that reading
// makes of it.
func stepsOf(def *flow.Definition) []any {
	needs := make([][]string, len(def.Steps)) // nil: the step has in, or nothing
	neededBy := map[string]bool{}             // steps whose done event reading adds
	for i, s := range def.Steps {
		var names []string
		for _, e := range s.In.Events {
			name, ok := strings.CutSuffix(e, done(""))
			j, err := stepNamed(def, name)
			if !ok || err != nil || !slices.Contains(def.Steps[j].Out, e) || slices.Contains(names, name) {
				names = nil
				break
			}
			names = append(names, name)
		}
		if s.In.When != nil && len(s.In.Events) == 0 {
			names = nil
		}
		needs[i] = names
		for _, n := range names {
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
		switch {
		case needs[i] != nil:
			follows := i > 0 && len(needs[i]) == 1 && needs[i][0] == def.Steps[i-1].Name
			if follows {
				_, choice := def.Steps[i-1].Activity.(*flow.Choice)
				follows = !choice
			}
			if !follows {
				m.add("needs", texts(needs[i]))
			}
		case len(s.In.Events) > 0:
			m.add("in", inText(s.In.Events))
		case s.In.When != nil:
			m.add("in", whenText(s.In.When))
		case i > 0:
			m.add("needs", []any{})
		}
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

// mapping is what is printed as one, in this order.
type mapping []pair

type pair struct {
	key   string
	value any
}

func (m *mapping) add(key string, v any) { *m = append(*m, pair{key, v}) }

func (m *mapping) text(key, s string) {
	if s != "" {
		m.add(key, s)
	}
}

func (m *mapping) expr(key string, e *expr.Expr) {
	if e != nil {
		m.add(key, e.String())
	}
}

func (m *mapping) duration(key string, d time.Duration) {
	if d > 0 {
		m.add(key, bare(shortDuration(d)))
	}
}

// bare is text that needs no quotes though it begins with a digit.
type bare string

// shortDuration is 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (m mapping) write(b *strings.Builder, indent int) {
	for i, p := range m {
		if i > 0 {
			b.WriteString(strings.Repeat("  ", indent))
		}
		b.WriteString(scalar(p.key) + ":")
		write(b, p.value, indent+1)
	}
}

// write writes a value behind its key, with the end of the line.
func write(b *strings.Builder, v any, indent int) {
	nest := func(m mapping) {
		if len(m) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n" + strings.Repeat("  ", indent))
		m.write(b, indent)
	}
	switch v := v.(type) {
	case mapping:
		nest(v)
	case map[string]any:
		var m mapping
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.add(key, v[key])
		}
		nest(m)
	case []any:
		simple := !slices.ContainsFunc(v, func(item any) bool {
			switch item.(type) {
			case mapping, map[string]any, []any:
				return true
			}
			return false
		})
		if simple {
			var parts []string
			for _, item := range v {
				parts = append(parts, scalar(item))
			}
			b.WriteString(" [" + strings.Join(parts, ", ") + "]\n")
			return
		}
		b.WriteString("\n")
		for _, item := range v {
			b.WriteString(strings.Repeat("  ", indent) + "-")
			if m, ok := item.(mapping); ok && len(m) > 0 {
				b.WriteByte(' ')
				m.write(b, indent+1)
				continue
			}
			write(b, item, indent+1)
		}
	default:
		b.WriteString(" " + scalar(v) + "\n")
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		// YAML wants a point in it, or it is an integer, and for some readers text.
		digits, exponent, scientific := strings.Cut(strconv.FormatFloat(v, 'g', -1, 64), "e")
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		if scientific {
			digits += "e" + exponent
		}
		return digits
	case bare:
		return string(v)
	case string:
		if plain(v) {
			return v
		}
		return quote(v)
	}
	return "null"
}

// plain tells whether text needs no quotes, wherever it stands.
func plain(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.Contains(s, " #") {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789 .-+*/<>=()'&|;?%$", r)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan":
		return false
	}
	return true
}

// quote writes text in double quotes, with the escapes that YAML and JSON share.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
