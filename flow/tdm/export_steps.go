package tdm

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

func (ex *exporter) step(s flow.Step) *node {
	n := &node{name: "step", args: []arg{asText("name", s.Name)}, hasBody: true}
	if s.Description != "" {
		n.args = append(n.args, asText("description", s.Description))
	}
	if s.Condition != nil {
		n.args = append(n.args, asText("condition", wrapped(s.Condition)))
	}
	switch {
	case len(s.In.Events) > 0:
		n.args = append(n.args, asList("inEvent", s.In.Events))
	case s.In.When != nil:
		n.args = append(n.args, asText("inEvent", wrapped(s.In.When)))
	}
	if len(s.Out) > 0 {
		n.args = append(n.args, asList("outEvent", s.Out))
	}
	n.children = append(n.children, ex.activity(s))
	if len(s.Retries)+len(s.Catches) > 0 {
		n.children = append(n.children, ex.onError(s))
	}
	if len(s.Checks) > 0 {
		on := &node{name: "OnSuccess", hasBody: true}
		for _, c := range s.Checks {
			check := &node{name: "Check", hasBody: true, args: named(c.Name, asText("condition", wrapped(c.Condition)))}
			for name, do := range map[string][]flow.Statement{"OnPass": c.Pass, "OnFail": c.Fail} {
				if len(do) > 0 {
					check.children = append(check.children, &node{name: name, hasBody: true, children: statements(do)})
				}
			}
			slices.SortFunc(check.children, func(a, b *node) int { return strings.Compare(b.name, a.name) }) // OnPass first
			on.children = append(on.children, check)
		}
		n.children = append(n.children, on)
	}
	return n
}

// named is arguments after a name that may be missing.
func named(name string, args ...arg) []arg {
	if name == "" {
		return args
	}
	return append([]arg{asText("name", name)}, args...)
}

// wrapped writes an expression in ${…}.
func wrapped(e *expr.Expr) string { return "${" + e.String() + "}" }

func statements(do []flow.Statement) []*node {
	var out []*node
	for _, s := range do {
		out = append(out, &node{name: "stmt", args: []arg{asText("expr", s.String())}})
	}
	return out
}

func (ex *exporter) activity(s flow.Step) *node {
	switch a := s.Activity.(type) {
	case *flow.DeviceAction:
		return ex.deviceActivity(s, a)
	case *flow.ServiceCall:
		service := cmp.Or(ex.services[strings.ToLower(a.Service)].urn, a.Service)
		n := &node{name: "WebserviceActivity", args: []arg{asText("webservice", service)}, hasBody: true}
		if _, ok := parseURN(service); !ok {
			ex.refuse(s.Pos, "write the service's URN", "the service %q of the step %s", a.Service, s.Name)
		}
		if a.Output != "" {
			n.args = append(n.args, asText("out", a.Output))
		}
		n.children = []*node{{name: ex.name(s.Pos, "an action", a.Action), args: ex.args(a.Args)}}
		return n
	case *flow.Choice:
		n := &node{name: "ChoiceActivity", hasBody: true}
		events := func(n *node, events []string) {
			for _, e := range events {
				n.hasBody = true
				n.children = append(n.children, &node{name: "setEvent", args: []arg{asText("name", e)}})
			}
		}
		for _, r := range a.Rules {
			rule := &node{name: "rule", args: named(r.Name, asText("expr", wrapped(r.When)))}
			events(rule, r.Events)
			n.children = append(n.children, rule)
		}
		fallback := &node{name: "default"}
		events(fallback, a.Default)
		n.children = append(n.children, fallback)
		return n
	}
	if s.Activity != nil {
		return &node{name: "ChoiceActivity"} // flowOnly has refused it
	}
	ex.refuse(s.Pos, "write an action", "a step without activity: %s", s.Name)
	return &node{name: "ChoiceActivity"}
}

func (ex *exporter) deviceActivity(s flow.Step, a *flow.DeviceAction) *node {
	model := a.Model
	if b, ok := ex.d.Binding(a.Role); ok && model == "" {
		model = b.Model
	}
	deviceURN := a.DeviceURN
	if w, ok := ex.devices[strings.ToLower(model)]; ok {
		model, deviceURN = w.model, cmp.Or(deviceURN, w.urn)
	}
	if _, ok := parseURN(model); !ok {
		ex.refuse(s.Pos, "write the device model's URN", "the step %s without a device model", s.Name)
	}
	device := ""
	if a.Device != nil {
		device = wrapped(a.Device)
		if l, ok := a.Device.Root().(*expr.Literal); ok {
			device, _ = l.Value.(string)
		}
	}
	n := &node{name: "DeviceActivity", args: []arg{asText("deviceModel", model), asText("deviceId", device)}, hasBody: true}
	if a.Output != "" {
		n.args = append(n.args, asText("out", a.Output))
	}
	if deviceURN != "" {
		n.directives = []directive{{name: "device", args: []arg{asText("id", deviceURN)}}}
	}
	n.children = []*node{{name: ex.name(s.Pos, "an action", a.Action), args: ex.args(a.Args)}}
	return n
}

func (ex *exporter) args(args []flow.Arg) []arg {
	var out []arg
	for _, a := range args {
		out = append(out, arg{name: ex.name(a.Pos, "an argument", a.Name), value: ex.value(a.Pos, a.Value)})
	}
	return out
}

// value writes a literal, or an expression as text.
func (ex *exporter) value(at flow.Position, v flow.Value) value {
	if v.Expr != nil {
		return value{kind: textValue, text: v.Expr.Text()}
	}
	switch l := v.Literal.(type) {
	case nil:
		return value{kind: nameValue, text: "null"}
	case bool:
		return value{kind: nameValue, text: strconv.FormatBool(l)}
	case int64:
		return value{kind: intValue, text: strconv.FormatInt(l, 10)}
	case float64:
		s := strconv.FormatFloat(l, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return value{kind: floatValue, text: s}
	case string:
		if back, err := flow.TextValue(l); err != nil || back.Expr != nil || shorthand.MatchString(l) {
			e := expr.New(&expr.Literal{Value: l})
			ex.refuse(at, "write it as an expression: "+wrapped(e), "text that reads as an expression: %q", shorten(l))
		}
		return value{kind: textValue, text: l}
	case []any:
		out := value{kind: listValue}
		for _, e := range l {
			out.list = append(out.list, ex.value(at, flow.Value{Literal: e}))
		}
		return out
	case map[string]any:
		out := value{kind: objectValue}
		for _, key := range slices.Sorted(maps.Keys(l)) {
			out.names = append(out.names, ex.name(at, "a key", key))
			out.list = append(out.list, ex.value(at, flow.Value{Literal: l[key]}))
		}
		return out
	}
	ex.refuse(at, "write text or a number", "the value %v", v.Literal)
	return value{kind: nameValue, text: "null"}
}

func (ex *exporter) onError(s flow.Step) *node {
	on := &node{name: "OnError", hasBody: true}
	if len(s.Retries) > 0 {
		retries := &node{name: "Retries", hasBody: true}
		for _, r := range s.Retries {
			n := &node{name: "Retry", args: fits(r.Name, r.Errors, r.Condition)}
			if r.Interval != 0 {
				n.args = append(n.args, asText("interval", writeInterval(r.Interval)))
			}
			n.args = append(n.args, arg{name: "backoffRate", value: ex.value(r.Pos, flow.Value{Literal: max(r.BackoffRate, 1)})})
			if r.MaxAttempts != 0 {
				n.args = append(n.args, arg{name: "maxAttempts", value: ex.value(r.Pos, flow.Value{Literal: int64(r.MaxAttempts)})})
			}
			retries.children = append(retries.children, n)
		}
		on.children = append(on.children, retries)
	}
	if len(s.Catches) > 0 {
		catches := &node{name: "Catches", hasBody: true}
		for _, c := range s.Catches {
			n := &node{name: "Catch", args: fits(c.Name, c.Errors, c.Condition)}
			switch len(c.Do) {
			case 0:
				ex.refuse(c.Pos, "write setEvent('name')", "a catch of the step %s that does nothing", s.Name)
			case 1:
				n.args = append(n.args, asText("expr", c.Do[0].String()))
			default:
				n.hasBody, n.children = true, statements(c.Do)
			}
			catches.children = append(catches.children, n)
		}
		on.children = append(on.children, catches)
	}
	return on
}

// fits says which errors a retry or catch is for.
func fits(name string, errors []string, condition *expr.Expr) []arg {
	args := named(name)
	if len(errors) > 0 {
		args = append(args, asList("errorEquals", errors))
	}
	if condition != nil {
		args = append(args, asText("condition", wrapped(condition)))
	}
	return args
}
