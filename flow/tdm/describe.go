package tdm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pithings/device"
	"pithings/flow/expr"
	"pithings/mqttlink/topic"
)

// describe turns a device into the model that carriers understand.
func (d *Documents) describe(r *reader, dev *deviceDoc) device.Model {
	m := device.Model{ID: dev.id.text, Implements: dev.model.text}
	for _, e := range sorted(dev.events, func(e *deviceEvent) Pos { return e.pos }) {
		if m.Events == nil {
			m.Events = map[string]device.EventModel{}
		}
		m.Events[e.name] = device.EventModel{Topic: r.topic(e.topic, e.topicAt), Payload: d.payload(r, e.payload, e.pos)}
	}
	for _, a := range sorted(dev.actions, func(a *deviceAction) Pos { return a.pos }) {
		if m.Actions == nil {
			m.Actions = map[string]device.ActionModel{}
		}
		m.Actions[a.name] = d.describeAction(r, a)
	}
	d.checkCapabilities(r, dev)
	return m
}

func (d *Documents) describeAction(r *reader, a *deviceAction) device.ActionModel {
	m := device.ActionModel{Topic: r.topic(a.topic, a.topicAt)}
	for _, p := range a.params {
		if m.Params == nil {
			m.Params = map[string]device.ValueType{}
		}
		m.Params[p.name] = d.valueType(r, p.property, p.pos)
	}
	if text, bare := d.bareRequest(r, a.request, a.params); bare {
		m.Request = text
	} else if request := d.request(r, a.request, a.params); request != nil {
		m.Request = request
	}
	if a.response != "" {
		m.Answer = r.topic(a.response, a.responseAt)
		m.Result = d.payload(r, a.result, a.responseAt)
	}
	return m
}

// bareRequest is the message itself, if a request has one value without a name.
func (d *Documents) bareRequest(r *reader, values, params []param) (text string, bare bool) {
	if len(values) != 1 || values[0].name != "" {
		return "", false
	}
	if values[0].value == nil {
		r.problems.add(values[0].pos, `write value: "…"`, "a message without a value")
		return "", true
	}
	return fmt.Sprint(r.requestValue(*values[0].value, params)), true
}

// request says what the keys of a request hold.
func (d *Documents) request(r *reader, values, params []param) map[string]any {
	if len(values) == 0 {
		return nil
	}
	out := map[string]any{}
	for _, p := range values {
		if p.name == "" {
			r.problems.add(p.pos, "give it a name; a value without one is the whole message, and stands alone", "a value without a name beside others")
			continue
		}
		if p.property.text != "" {
			d.valueType(r, p.property, p.pos) // that it is defined
		}
		if p.value == nil {
			if name := declared(params, p.name); name != "" {
				out[p.name] = "${" + name + "}"
			} else {
				r.problems.add(p.pos, `write value: "${…}"`, "%s has no value, and the action has no parameter of that name", p.name)
			}
			continue
		}
		out[p.name] = r.requestValue(*p.value, params)
	}
	return out
}

// declared finds a parameter without regard to case; "" is none.
func declared(params []param, name string) string {
	for _, p := range params {
		if strings.EqualFold(p.name, name) {
			return p.name
		}
	}
	return ""
}

// requestValue is what a param's value stands for: a number, a bool, or text.
func (r *reader) requestValue(v value, params []param) any {
	switch v.kind {
	case textValue, variableValue:
		source := v.text
		if v.kind == variableValue {
			source = "$" + source
		}
		e := r.text(source, v.pos)
		if e == nil {
			return nil
		}
		e = expr.New(rewrite(e.Root(), func(n expr.Node) expr.Node { return ownValue(n, params) }))
		for _, name := range e.Variables() {
			if declared(params, name) == "" {
				r.problems.add(v.pos, "known are the parameters of the action, as ${name.value}", "%q uses %s", shorten(source), name)
			}
		}
		if s, plain := plainText(e); plain {
			return s
		}
		return e.Text()
	case listValue, objectValue:
		r.problems.add(v.pos, `write it as JSON text: "[1, 2]"`, "a list or an object as a value")
		return nil
	}
	return scalar(v)
}

// ownValue replaces name.value by name where name is a parameter: in Things
// Graph's devices a parameter is an object that holds its value.
func ownValue(n expr.Node, params []param) expr.Node {
	m, ok := n.(*expr.Member)
	if !ok || !strings.EqualFold(m.Key, "value") {
		return n
	}
	name, ok := m.Of.(*expr.Name)
	if !ok {
		return n
	}
	if own := declared(params, name.Name); own != "" {
		return &expr.Name{Name: own}
	}
	return n
}

// scalar is a number, a bool or null, or an enum's name as text.
func scalar(v value) any {
	switch v.kind {
	case intValue:
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(v.text, 64)
		return f
	case floatValue:
		f, _ := strconv.ParseFloat(v.text, 64)
		return f
	case nameValue:
		switch strings.ToLower(v.text) {
		case "true":
			return true
		case "false":
			return false
		case "null":
			return nil
		}
	}
	return v.text
}

// shorthand is a text that is one variable or path, as in "$cameraId".
var shorthand = regexp.MustCompile(`^\s*\$([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)\s*$`)

// text reads text with ${…} in it; nil is a problem that was reported.
func (r *reader) text(s string, at Pos) *expr.Expr {
	if m := shorthand.FindStringSubmatch(s); m != nil {
		s = "${" + m[1] + "}"
	}
	e, err := expr.ParseText(s)
	if err != nil {
		r.problems.add(at, "write text, or ${expression}", "%v", err)
		return nil
	}
	return e
}

// plainText reports whether an expression is nothing but text.
func plainText(e *expr.Expr) (string, bool) {
	switch n := e.Root().(type) {
	case *expr.Macro:
		switch len(n.Parts) {
		case 0:
			return "", true
		case 1:
			if l, ok := n.Parts[0].(*expr.Literal); ok {
				s, ok := l.Value.(string)
				return s, ok
			}
		}
	case *expr.Literal:
		s, ok := n.Value.(string)
		return s, ok
	}
	return "", false
}

// deviceIDForm is what stands for a thing's name in a topic.
var deviceIDForm = regexp.MustCompile(`(?i)\$\{\s*systemRuntime\s*[./]\s*deviceId\s*\}`)

// topic turns a device's topic into a template with {thing}.
func (r *reader) topic(s string, at Pos) string {
	if s == "" {
		return "" // reported already
	}
	t := strings.TrimSpace(s)
	if inner, ok := cutMacro(t); ok {
		t = strings.TrimSpace(inner)
	}
	t = deviceIDForm.ReplaceAllString(t, "{thing}")
	switch {
	case !topic.OnlyThing(t):
		r.problems.add(at, "write ${systemRuntime.deviceId} where the thing's name belongs, and the rest as it is", "topic %q holds something else than the thing's name", shorten(s))
	case strings.ContainsAny(t, "+#"):
		r.problems.add(at, "write out the topic", "topic %q has wildcards", shorten(s))
	case t == "":
		r.problems.add(at, "write the topic", "topic %q is empty", s)
	}
	return t
}

// cutMacro takes $macro(…) off.
func cutMacro(s string) (string, bool) {
	const open = "$macro("
	if len(s) < len(open)+1 || !strings.EqualFold(s[:len(open)], open) || !strings.HasSuffix(s, ")") {
		return s, false
	}
	return s[len(open) : len(s)-1], true
}

// payload describes values of a property.
func (d *Documents) payload(r *reader, u urn, at Pos) device.Payload {
	if u.text == "" {
		return device.Payload{}
	}
	if p, ok := find(u, d.properties, d.builtin.properties); ok && p.instance.text != "" {
		s, ok := find(p.instance, d.states, d.builtin.states)
		if !ok {
			r.problems.add(p.pos, "add its document", "state %s is not defined here", p.instance.text)
			return device.Payload{}
		}
		out := device.Payload{Keys: map[string]device.ValueType{}}
		for _, f := range s.fields {
			out.Keys[f.name] = d.valueType(r, f.property, f.pos)
		}
		return out
	}
	return device.Payload{Bare: d.valueType(r, u, at)}
}

// valueType is the JSON type of a property.
func (d *Documents) valueType(r *reader, u urn, at Pos) device.ValueType {
	if u.text == "" {
		return device.AnyType
	}
	if p, ok := find(u, d.properties, d.builtin.properties); ok {
		if p.instance.text != "" {
			return device.ObjectType
		}
		if t, ok := jsonTypes[p.plain]; ok {
			return device.ValueType(t)
		}
		return device.AnyType // an enum
	}
	if strings.EqualFold(u.namespace, "aws") {
		if t, ok := jsonTypes[strings.ToLower(u.name)]; ok {
			return device.ValueType(t)
		}
	}
	r.problems.add(at, "add its document", "property %s is not defined here", u.text)
	return device.AnyType
}

// checkCapabilities compares a device with the model that it is said to be, as
// far as the model is known.
func (d *Documents) checkCapabilities(r *reader, dev *deviceDoc) {
	m, ok := find(dev.model, d.library.models, d.builtin.models)
	if !ok {
		return
	}
	events, actions := map[string]bool{}, map[string]bool{}
	for _, u := range m.capabilities {
		c, ok := find(u, d.capabilities, d.builtin.capabilities)
		if !ok {
			r.problems.add(m.pos, "add its document", "capability %s is not defined here", u.text)
			return
		}
		for key := range c.events {
			events[key] = true
		}
		for key := range c.actions {
			actions[key] = true
		}
	}
	for key, e := range dev.events {
		if !events[key] {
			r.problems.add(e.pos, "add it to the model's capability", "device %s: %s has no event %s", dev.name, dev.model.text, e.name)
		}
	}
	for key, a := range dev.actions {
		if !actions[key] {
			r.problems.add(a.pos, "add it to the model's capability", "device %s: %s has no action %s", dev.name, dev.model.text, a.name)
		}
	}
}
