package engine

import (
	"strings"
	"time"

	"pithings/flow"
)

// occasion is what sets off a trigger, and what its expressions see.
type occasion struct {
	s       *scene
	trigger string
	at      time.Time
	event   flow.Values // nil without an event
}

// Lookup implements expr.Scope.
func (o *occasion) Lookup(name string) (any, bool) {
	switch name {
	case "event":
		if o.event == nil {
			return nil, true
		}
		return o.event, true
	case "value":
		return valueOf(o.event), true
	case "trigger":
		return o.trigger, true
	case "bindings":
		return o.s.bindings(), true
	case "vars":
		return o.s.vars(), true
	case "now":
		if !o.s.known() {
			return nil, true
		}
		return nowValue(o.s.agenda.wall().Local()), true
	}
	return nil, false
}

// valueOf is what Things Graph calls lastEvent.value.
func valueOf(event flow.Values) any {
	if event == nil {
		return nil
	}
	if v, ok := event["value"]; ok {
		return v
	}
	var only any
	n := 0
	for key, v := range event {
		if !strings.EqualFold(key, "time") && !strings.EqualFold(key, "timestamp") {
			only = v
			n++
		}
	}
	if n == 1 {
		return only
	}
	return event
}
