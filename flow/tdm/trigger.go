package tdm

import (
	"regexp"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// A trigger's condition has one of three forms (Things Graph's guide, Creating
// flow configurations):
//
//	devices[name == 'r'].events[name == 'E'].lastEvent          every such event
//	devices[name == 'r'].events[name == 'E'].lastEvent.value    when its value counts as true
//	devices[name == 'r'].events[name == 'E'].lastEvent.x == 1   any predicate over the event
//
// or it is a clock: every 10 seconds.

// condition is a trigger's condition taken apart.
type condition struct {
	role, event string     // whose event, as written
	when        *expr.Expr // over the variable eventVariable; nil: every event
	every       flow.Every // instead: a clock
}

// eventVariable is what expressions call the event that started a flow.
const eventVariable = "event"

// valueVariable is what they call ….lastEvent.value, which is not the key "value"
// alone; see flow.DeviceEvent.
const valueVariable = "value"

// clock distinguishes a clock from a condition over an event.
var clock = regexp.MustCompile(`(?i)^\s*every\s`)

func (r *reader) condition(t *trigger) (condition, bool) {
	const forms = "write devices[name == 'role'].events[name == 'Event'].lastEvent, a predicate over it, or every 10 seconds"
	if clock.MatchString(t.condition) {
		every, err := flow.ParseEvery(t.condition)
		if err != nil {
			r.problems.add(t.conditionAt, "", "trigger %s: %v", t.name, err)
			return condition{}, false
		}
		return condition{every: every}, true
	}
	e, err := expr.Parse(t.condition)
	if err != nil {
		r.problems.add(t.conditionAt, forms, "trigger %s: condition: %v", t.name, err)
		return condition{}, false
	}
	var c condition
	several := false
	root := rewrite(e.Root(), func(n expr.Node) expr.Node {
		if eventValue(n) {
			return &expr.Name{Name: valueVariable}
		}
		role, event, ok := lastEvent(n)
		if !ok {
			return n
		}
		if c.role != "" && (!strings.EqualFold(c.role, role) || !strings.EqualFold(c.event, event)) {
			several = true
		}
		c.role, c.event = role, event
		return &expr.Name{Name: eventVariable}
	})
	switch {
	case several:
		r.problems.add(t.conditionAt, "write a trigger for each", "trigger %s watches more than one event", t.name)
		return c, false
	case c.role == "":
		r.problems.add(t.conditionAt, forms, "trigger %s: condition %q watches no event", t.name, shorten(t.condition))
		return c, false
	}
	when := expr.New(root)
	for _, name := range when.Variables() {
		if name != eventVariable && name != valueVariable {
			r.problems.add(t.conditionAt, forms, "trigger %s: condition %q uses %s", t.name, shorten(t.condition), name)
			return c, false
		}
	}
	if !isName(root, eventVariable) {
		c.when = when
	}
	return c, true
}

// eventValue reports whether n is ….lastEvent.value, once ….lastEvent has been replaced.
func eventValue(n expr.Node) bool {
	m, ok := n.(*expr.Member)
	return ok && strings.EqualFold(m.Key, "value") && isName(m.Of, eventVariable)
}

// lastEvent takes devices[name == 'r'].events[name == 'E'].lastEvent apart, also
// in the form devices.r.events.E.lastEvent.
func lastEvent(n expr.Node) (role, event string, ok bool) {
	last, ok := n.(*expr.Member)
	if !ok || !strings.EqualFold(last.Key, "lastEvent") {
		return "", "", false
	}
	event, events, ok := element(last.Of)
	if !ok {
		return "", "", false
	}
	of, ok := events.(*expr.Member)
	if !ok || !strings.EqualFold(of.Key, "events") {
		return "", "", false
	}
	role, devices, ok := element(of.Of)
	return role, event, ok && isName(devices, "devices")
}

// element takes list[name == 'x'] or list.x apart.
func element(n expr.Node) (name string, of expr.Node, ok bool) {
	switch n := n.(type) {
	case *expr.Member:
		return n.Key, n.Of, true
	case *expr.Filter:
		b, ok := n.Condition.(*expr.Binary)
		if !ok || b.Op != "==" {
			return "", nil, false
		}
		key, value := b.X, b.Y
		if _, literal := key.(*expr.Literal); literal {
			key, value = value, key
		}
		l, ok := value.(*expr.Literal)
		if !ok || !isName(key, "name") {
			return "", nil, false
		}
		name, ok := l.Value.(string)
		return name, n.Of, ok
	}
	return "", nil, false
}

func isName(n expr.Node, name string) bool {
	v, ok := n.(*expr.Name)
	return ok && strings.EqualFold(v.Name, name)
}

// start is ThingsGraph.startFlow('flow', …) taken apart.
type start struct {
	pos  Pos
	flow string
	args []expr.Node
}

func (r *reader) start(t *trigger, s statement) (start, bool) {
	const form = "write ThingsGraph.startFlow('flow', bindings[name == 'role'].deviceId)"
	e, err := expr.Parse(s.expr)
	if err != nil {
		r.problems.add(s.pos, form, "trigger %s: action: %v", t.name, err)
		return start{}, false
	}
	call, ok := e.Root().(*expr.Call)
	if !ok || call.Of == nil || !isName(call.Of, "ThingsGraph") || !strings.EqualFold(call.Name, "startFlow") {
		r.problems.add(s.pos, form, "trigger %s: an action that starts no flow: %q", t.name, shorten(s.expr))
		return start{}, false
	}
	if len(call.Args) > 0 {
		if l, ok := call.Args[0].(*expr.Literal); ok {
			if name, ok := l.Value.(string); ok && name != "" {
				return start{s.pos, name, call.Args[1:]}, true
			}
		}
	}
	r.problems.add(s.pos, form, "trigger %s: startFlow does not name its flow", t.name)
	return start{}, false
}

// bound takes bindings[name == 'role'].deviceId apart.
func bound(n expr.Node) (role string, ok bool) {
	id, ok := n.(*expr.Member)
	if !ok || !strings.EqualFold(id.Key, "deviceId") {
		return "", false
	}
	role, of, ok := element(id.Of)
	return role, ok && isName(of, "bindings")
}

// eventArg replaces what an argument says of the event by the variable for it:
// ….lastEvent as in conditions, and devices.role.anything for the whole event.
// ok is false when it is about another event.
func eventArg(n expr.Node, c condition) (out expr.Node, ok bool) {
	ok = true
	out = rewrite(n, func(n expr.Node) expr.Node {
		if eventValue(n) {
			return &expr.Name{Name: valueVariable}
		}
		role, event, is := lastEvent(n)
		if is {
			ok = ok && strings.EqualFold(role, c.role) && strings.EqualFold(event, c.event)
			return &expr.Name{Name: eventVariable}
		}
		// devices.entrySensor.motionEvent
		m, isMember := n.(*expr.Member)
		if !isMember || strings.EqualFold(m.Key, "events") {
			return n
		}
		if role, of, is := element(m.Of); is && isName(of, "devices") {
			ok = ok && strings.EqualFold(role, c.role)
			return &expr.Name{Name: eventVariable}
		}
		return n
	})
	return out, ok
}
