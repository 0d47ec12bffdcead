package tdm

import (
	"fmt"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

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
	e = im.spelled(w, e)
	for _, name := range e.Variables() {
		if _, ok := w.declared[name]; !ok {
			im.problems.add(at, fmt.Sprintf("declare it: query %s($%s: string!)", w.name, name), "workflow %s has no parameter %s", w.name, name)
		}
	}
	return e
}

// output is the variable of out:, as it is declared.
func (im *importer) output(w *workflow, a activity) string {
	name := a.outName()
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
	if p := im.unspoken(a.model, a.device); p != nil {
		im.problems.add(a.pos, p.fix, "%s", p.what)
		return sig, false
	}
	if _, ok := find(a.device, im.devices, im.builtin.devices); !ok && a.device.text != "" {
		im.need(a.pos, "add its document, or take @device away", "device %s is not defined here", a.device.text)
	}
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
			got.Expr = im.spelled(w, got.Expr)
		}
		if s, isText := got.Literal.(string); isText && of != nil {
			got.Literal = im.typed(s, *of, v.pos)
		}
		return got
	case variableValue:
		return flow.Value{Expr: im.spelled(w, expr.New(&expr.Name{Name: v.text}))}
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
