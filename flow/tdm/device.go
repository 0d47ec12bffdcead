package tdm

import (
	"fmt"
	"strings"
)

// device reads a query with @device.
func (l *library) device(r *reader, n *node, d directive) {
	a := r.attrs("@device", d.pos, d.args, "id", "deviceModel", "name", "description")
	dev := &deviceDoc{id: a.urn("id"), pos: n.pos, name: n.name, model: a.urn("deviceModel"),
		events: map[string]*deviceEvent{}, actions: map[string]*deviceAction{}}
	spoken := false
	for _, protocol := range n.children {
		switch {
		case protocol.is("MQTT"):
			spoken = true
			r.bare(protocol)
			for _, c := range protocol.children {
				r.attrs("capability "+c.name, c.pos, c.args, "id").urn("id")
				r.untyped(c)
				r.deviceCapability(dev, c)
			}
		case protocol.is("Modbus"):
			dev.unspoken = &problem{protocol.pos, fmt.Sprintf("device %s: Modbus is not spoken here", n.name), "bridge it to MQTT, and write an MQTT block with the bridge's topics"}
		case protocol.filler():
		default:
			r.problems.add(protocol.pos, "write MQTT { … }", "device %s: unknown protocol %s", n.name, protocol.name)
		}
	}
	if len(n.children) == 0 {
		r.problems.add(n.pos, "write MQTT { … }", "device %s has no protocol", n.name)
	}
	if p := dev.unspoken; p != nil {
		l.pass(p.pos, p.fix, "%s, and is passed over", p.what)
		if spoken {
			dev.unspoken = nil
		}
	}
	put(r, l.devices, dev.id, n.pos, dev)
}

func (r *reader) deviceCapability(dev *deviceDoc, n *node) {
	for _, c := range n.children {
		switch {
		case c.is("state"):
			// what a driver calls the state's fields in the device's shadow; not on the wire
			r.bare(c)
			for _, f := range c.children {
				if !f.filler() {
					r.attrs(f.name, f.pos, f.args, "name", "property")
					r.untyped(f)
				}
			}
		case c.is("event"):
			name := r.attrs("Event", c.pos, c.args, "name").need("name")
			e := &deviceEvent{pos: c.pos, name: name}
			r.untyped(c)
			if key := strings.ToLower(name); dev.events[key] != nil {
				r.problems.add(c.pos, "keep one of them", "device %s has the event %s twice", dev.name, name)
			} else {
				dev.events[key] = e
			}
			r.deviceEvent(e, c)
		case c.is("action"):
			name := r.attrs("Action", c.pos, c.args, "name").need("name")
			act := &deviceAction{pos: c.pos, name: name}
			r.untyped(c)
			if key := strings.ToLower(name); dev.actions[key] != nil {
				r.problems.add(c.pos, "keep one of them", "device %s has the action %s twice", dev.name, name)
			} else {
				dev.actions[key] = act
			}
			r.deviceAction(act, c)
		case c.filler():
		default:
			r.unknown(c, "a capability's block", "State", "Event", "Action")
		}
	}
}

func (r *reader) deviceEvent(e *deviceEvent, n *node) {
	found := false
	for _, c := range n.children {
		if !c.is("subscribe") {
			r.unknown(c, "Event "+e.name, "Subscribe")
			continue
		}
		if found {
			r.problems.add(c.pos, "keep one of them", "Event %s has Subscribe twice", e.name)
		}
		found = true
		a := r.attrs("Subscribe", c.pos, c.args, "topic")
		r.untyped(c)
		e.topic, e.topicAt = a.need("topic"), a.at("topic")
		e.payload = r.responsePayload("Subscribe", c)
	}
	if !found {
		r.problems.add(n.pos, `write Subscribe(topic: "…") { responsePayload(property: "…") }`, "Event %s has no topic", e.name)
	}
}

// responsePayload reads a block that has at most one responsePayload.
func (r *reader) responsePayload(where string, n *node) (u urn) {
	for _, c := range n.children {
		if c.filler() {
			continue
		}
		if !c.is("responsePayload") {
			r.unknown(c, where, "responsePayload")
			continue
		}
		r.untyped(c)
		r.leaf(c)
		a := r.attrs("responsePayload", c.pos, c.args, "property", "name", "value")
		u = a.urn("property")
		r.refer(a.at("property"), where+", responsePayload", u, false, "property")
	}
	return u
}

func (r *reader) deviceAction(act *deviceAction, n *node) {
	found := false
	for _, c := range n.children {
		switch {
		case c.is("params"):
			r.bare(c)
			act.params = r.params(c, false)
		case c.is("publish"):
			if found {
				r.problems.add(c.pos, "keep one of them", "Action %s has Publish twice", act.name)
			}
			found = true
			r.bare(c)
			r.publish(act, c)
		case c.is("subscribe"):
			r.problems.add(c.pos, "write Publish { Request(topic: …) Response(topic: …) }", "Action %s: an action that only listens is not carried out", act.name)
			found = true
		case c.filler():
		default:
			r.unknown(c, "Action "+act.name, "params", "Publish")
		}
	}
	if !found {
		r.problems.add(n.pos, `write Publish { Request(topic: "…") { params } }`, "Action %s has no request", act.name)
	}
}

func (r *reader) publish(act *deviceAction, n *node) {
	request := false
	for _, c := range n.children {
		switch {
		case c.is("request"):
			request = true
			a := r.attrs("Request", c.pos, c.args, "topic")
			r.untyped(c)
			act.topic, act.topicAt = a.need("topic"), a.at("topic")
			for _, p := range c.children {
				switch {
				case p.is("params"):
					r.bare(p)
					act.request = append(act.request, r.params(p, true)...)
				case !p.filler():
					r.unknown(p, "Request", "params")
				}
			}
		case c.is("response"):
			a := r.attrs("Response", c.pos, c.args, "topic")
			r.untyped(c)
			act.response, act.responseAt = a.need("topic"), a.at("topic")
			act.result = r.responsePayload("Response", c)
		case !c.filler():
			r.unknown(c, "Publish", "Request", "Response")
		}
	}
	if !request {
		r.problems.add(n.pos, `write Request(topic: "…") { params }`, "Action %s has no request", act.name)
	}
}

// params reads a block of param(name, property, value).
func (r *reader) params(n *node, values bool) []param {
	var ps []param
	for _, c := range n.children {
		if c.filler() {
			continue
		}
		if !c.is("param") {
			r.unknown(c, n.name, "param")
			continue
		}
		r.untyped(c)
		r.leaf(c)
		known := append([]string{"name", "property", "description"}, facets...)
		if values {
			known = append(known, "value")
		}
		a := r.attrs("param", c.pos, c.args, known...)
		p := param{pos: c.pos, name: a.text("name")}
		if !a.has("name") {
			a.need("name")
		}
		if a.has("property") {
			p.property = a.urn("property")
			r.refer(a.at("property"), "param "+p.name, p.property, false, "property", "state", "enum")
		}
		if a.has("value") {
			v := a.named["value"].value
			p.value, p.valueAt = &v, v.pos
		}
		for _, other := range ps {
			if strings.EqualFold(other.name, p.name) && p.name != "" {
				r.problems.add(c.pos, "keep one of them", "%s has %s twice", n.name, p.name)
			}
		}
		ps = append(ps, p)
	}
	return ps
}
