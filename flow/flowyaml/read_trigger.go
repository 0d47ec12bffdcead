package flowyaml

import (
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
)

func (r *reader) trigger(d *flow.Deployment, n ast.Node) flow.Trigger {
	t := flow.Trigger{Pos: r.pos(n)}
	event := &flow.DeviceEvent{}
	isEvent := false
	hand := false
	keys := append([]string{"name", "description", "thing", "event", "when", "for", "max_age", "every", "hand", "start"}, atKeys...)
	list := r.mapping(n, "trigger", keys)
	t.At = r.atTrigger(n, list)
	for _, e := range list {
		isEvent = eventKey(r, event, e) || isEvent
		switch e.key {
		case "name":
			t.Name = r.text(e, "trigger")
		case "description":
			t.Description = r.text(e, "trigger")
		case "every":
			every, err := flow.ParseEvery(r.text(e, "trigger"))
			if err != nil {
				r.problems.Add(r.pos(e.at), "trigger: %v", err)
			}
			t.Every = every
		case "hand":
			hand = r.boolean(e, "trigger")
		case "start":
			t.Start = r.starts(e)
		}
	}
	isAt := slices.ContainsFunc(list, func(e entry) bool { return slices.Contains(atKeys, e.key) })
	switch {
	case isEvent:
		t.Event = event
	case t.Every.IsZero() && t.At == nil && !isAt && !hand:
		r.fail(n, "a trigger needs thing and event, or every (\"10 seconds\"), or at (\"07:00\"), or hand: true")
	}
	if t.Start == nil && len(d.Flows) == 1 {
		t.Start = []flow.Start{{Flow: d.Flows[0].Definition.Name}}
	}
	if t.Name == "" {
		t.Name = triggerName(d, &t)
	}
	return t
}

// eventKey reads a key of a trigger that waits for an event, and reports whether it is one.
func eventKey(r *reader, event *flow.DeviceEvent, e entry) bool {
	switch e.key {
	case "thing":
		event.Role = r.text(e, "trigger")
	case "event":
		event.Name = r.text(e, "trigger")
	case "when":
		event.When = r.expression(e, "trigger")
	case "for":
		event.For = r.duration(e, "trigger")
	case "max_age":
		if event.MaxAge = r.duration(e, "trigger"); event.MaxAge == 0 {
			event.MaxAge = -1 // 0 or none: any age will do
		}
	default:
		return false
	}
	return true
}

// triggerName names a trigger that has no name.
func triggerName(d *flow.Deployment, t *flow.Trigger) string {
	name := "ByHand"
	switch {
	case t.Event != nil:
		name = t.Event.Role + t.Event.Name
	case !t.Every.IsZero() || t.At != nil:
		name = "Clock"
	}
	for n := 1; ; n++ {
		numbered := name
		if n > 1 {
			numbered += strconv.Itoa(n)
		}
		if !slices.ContainsFunc(d.Triggers, func(o flow.Trigger) bool { return o.Name == numbered }) {
			return numbered
		}
	}
}

func (r *reader) starts(e entry) []flow.Start {
	list := []flow.Start{}
	for _, n := range r.items(e.value) {
		s := flow.Start{Pos: r.pos(n)}
		if name, ok := scalarText(n); ok {
			s.Flow = name
			list = append(list, s)
			continue
		}
		for _, k := range r.mapping(n, "start", []string{"flow", "with"}) {
			switch k.key {
			case "flow":
				s.Flow = r.text(k, "start")
			case "with":
				if seq, ok := k.value.(*ast.SequenceNode); ok {
					for _, v := range seq.Values {
						s.Args = append(s.Args, flow.Arg{Value: r.value(v, "start, with"), Pos: r.pos(v)})
					}
				} else {
					s.Args = r.args(k, "start")
				}
			}
		}
		list = append(list, s)
	}
	return list
}
