package tdm

import (
	"cmp"
	"slices"

	"pithings/flow"
	"pithings/flow/expr"
)

func (ex *exporter) systemID() string { return cmp.Or(ex.d.System, made("System", ex.d.Name)) }

func (ex *exporter) system() *node {
	d := ex.d
	n := &node{keyword: "type", name: ex.name(d.Pos, "a deployment", d.Name), hasBody: true,
		directives: []directive{{name: "systemType", args: []arg{asText("id", ex.systemID()), asText("description", d.Description)}}}}
	for _, b := range d.Things {
		n.children = append(n.children, &node{name: b.Role, typ: "Thing", directives: []directive{{name: "thing", args: []arg{asText("id", ex.deviceURN(b.Model))}}}})
	}
	for _, f := range d.Flows {
		name := f.Definition.Name
		n.children = append(n.children, &node{name: name, typ: "Workflow",
			directives: []directive{{name: "workflow", args: []arg{asText("id", cmp.Or(f.Definition.URN, made("Workflow", name)))}}}})
	}
	return n
}

func (ex *exporter) deployment() *node {
	d := ex.d
	n := &node{keyword: "query", name: d.Name, hasBody: true, directives: []directive{{name: "deployment",
		args: []arg{asText("id", cmp.Or(d.URN, made("Deployment", d.Name))), asText("systemId", ex.systemID())}}}}
	for _, b := range d.Things {
		n.children = append(n.children, &node{name: b.Role, args: []arg{asText("deviceId", b.Thing)}})
	}
	triggers := &node{name: "triggers", hasBody: true}
	for _, t := range d.Triggers {
		triggers.children = append(triggers.children, ex.trigger(t))
	}
	if len(d.Triggers) == 0 {
		triggers.children = []*node{{name: "ignore", typ: "void"}}
	}
	n.children = append(n.children, triggers)
	return n
}

func (ex *exporter) trigger(t flow.Trigger) *node {
	n := &node{name: ex.name(t.Pos, "a trigger", t.Name), args: []arg{asText("description", t.Description)}, hasBody: true}
	condition := t.Every.String()
	if e := t.Event; e != nil {
		when := expr.Node(&expr.Name{Name: eventVariable})
		if e.When != nil {
			when = e.When.Root()
		}
		condition = expr.New(ex.ofEvent(t, when)).String()
	}
	n.children = append(n.children, &node{name: "condition", args: []arg{asText("expr", condition)}})
	for _, s := range t.Start {
		n.children = append(n.children, &node{name: "action", args: []arg{asText("expr", ex.start(t, s))}})
	}
	if len(t.Start) == 0 {
		ex.refuse(t.Pos, "write which flow it starts", "the trigger %s, which starts nothing", t.Name)
	}
	return n
}

// ofEvent replaces the variables event and value by the way in which Things
// Graph reaches an event.
func (ex *exporter) ofEvent(t flow.Trigger, n expr.Node) expr.Node {
	return rewrite(n, func(n expr.Node) expr.Node {
		switch n := n.(type) {
		case *expr.Name:
			switch {
			case n.Name == eventVariable && t.Event != nil:
				return last(t.Event)
			case n.Name == valueVariable && t.Event != nil:
				return &expr.Member{Of: last(t.Event), Key: "value"}
			case n.Name == "trigger":
				ex.refuse(t.Pos, "write the trigger's name", "the variable trigger, in %s", t.Name)
			}
		case *expr.Member:
			if _, _, ok := lastEvent(n.Of); ok && n.Key == "value" {
				ex.refuse(t.Pos, "write value", "event.value, in the trigger %s: its lastEvent.value may be another key's", t.Name)
			}
		}
		return n
	})
}

// last is devices[name == 'role'].events[name == 'Event'].lastEvent.
func last(e *flow.DeviceEvent) expr.Node {
	filter := func(list expr.Node, name string) expr.Node {
		return &expr.Filter{Of: list, Condition: &expr.Binary{Op: "==", X: &expr.Name{Name: "name"}, Y: &expr.Literal{Value: name}}}
	}
	device := filter(&expr.Name{Name: "devices"}, e.Role)
	return &expr.Member{Key: "lastEvent", Of: filter(&expr.Member{Of: device, Key: "events"}, e.Name)}
}

// start writes startFlow with its values by position.
func (ex *exporter) start(t flow.Trigger, s flow.Start) string {
	call := &expr.Call{Of: &expr.Name{Name: "ThingsGraph"}, Name: "startFlow", Args: []expr.Node{&expr.Literal{Value: s.Flow}}}
	f := ex.d.Flow(s.Flow)
	if f == nil {
		ex.refuse(s.Pos, "name a flow of the deployment", "a start of %q, which is not there", s.Flow)
		return ""
	}
	call.Args[0] = &expr.Literal{Value: f.Definition.Name}
	values := ex.positional(t, s, f.Definition)
	for _, role := range foldedRoles(ex.d, f.Definition) {
		call.Args = append(call.Args, deviceID(role))
	}
	call.Args = append(call.Args, values...)
	return expr.New(call).String()
}

// positional brings a start's values into the order of the flow's parameters.
func (ex *exporter) positional(t flow.Trigger, s flow.Start, def *flow.Definition) []expr.Node {
	var out []expr.Node
	given := 0
	for i, p := range def.Parameters {
		j := slices.IndexFunc(s.Args, func(a flow.Arg) bool { return a.Name == p.Name })
		if j < 0 && i < len(s.Args) && s.Args[i].Name == "" {
			j = i
		}
		if j < 0 {
			break
		}
		given++
		out = append(out, ex.startValue(t, s, s.Args[j].Value))
	}
	if given < len(s.Args) {
		ex.refuse(s.Pos, "give the parameters before them too", "values of later parameters only, in the start of %s", s.Flow)
	}
	return out
}

func (ex *exporter) startValue(t flow.Trigger, s flow.Start, v flow.Value) expr.Node {
	if v.Expr != nil {
		return ex.ofEvent(t, v.Expr.Root())
	}
	switch l := v.Literal.(type) {
	case nil, bool, string, uint64:
		return &expr.Literal{Value: l}
	case int64:
		if l < 0 {
			return &expr.Unary{Op: "-", X: &expr.Literal{Value: -l}}
		}
		return &expr.Literal{Value: l}
	case float64:
		if l < 0 {
			return &expr.Unary{Op: "-", X: &expr.Literal{Value: -l}}
		}
		return &expr.Literal{Value: l}
	}
	ex.refuse(s.Pos, "write it as an expression", "the value %v in the start of %s", v.Literal, s.Flow)
	return &expr.Literal{}
}
