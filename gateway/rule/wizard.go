package rule

import (
	"context"
	"fmt"
	"time"

	"pithings/gateway/field"
	"pithings/gateway/script"
	"pithings/mqttlink"
)

// hostFunc is a function of the host for one rule: params are its parameters; those that
// end in "=" may be left out, and are nil then.
type hostFunc struct {
	params []string
	call   func(p *program, ctx context.Context, a []script.Value) (any, error)
}

// functions makes functions of the host for a rule.
func (p *program) functions(all map[string]hostFunc) map[string]script.Value {
	values := map[string]script.Value{}
	for name, f := range all {
		values[name] = script.NewFunc(name, func(ctx context.Context, c *script.Call) (script.Value, error) {
			args, err := c.Bind(f.params...)
			if err != nil {
				return nil, err
			}
			for i := range args {
				args[i] = given(args[i])
			}
			saved := len(p.now.saved)
			v, err := f.call(p, ctx, args)
			if err != nil {
				return nil, err
			}
			for _, m := range p.now.saved[saved:] {
				c.Charge(messageBytes + len(m.Topic) + len(m.Payload))
			}
			result, err := toScript(v)
			if err != nil {
				return nil, err
			}
			c.Charge(script.Size(result))
			return result, nil
		})
	}
	return values
}

// newWizard is wizard_api, as the manual of Device Supervisor 1.x has it.
func (p *program) newWizard() script.Value {
	return script.NewObject("WizardAPI", p.functions(wizardAPI))
}

// callbackTime is how long a callback is waited for, unless it says it; maxCallbackTime the
// most.
const (
	callbackTime    = 60
	maxCallbackTime = 600
)

var wizardAPI = map[string]hostFunc{
	"mqtt_publish":   {[]string{"topic", "payload", "qos="}, mqttPublish},
	"awsiot_publish": {[]string{"topic", "payload", "qos="}, awsiotPublish},
	"save_data":      {[]string{"data", "group="}, saveData},
	"write_plc_values": {[]string{"message", "callback=", "tail=", "timeout="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
		return nil, p.writeLater(a[0], a[1], a[2], a[3], "")
	}},
	"get_tag_config": {[]string{"callback", "tail=", "timeout="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
		return nil, p.ask(a[0], a[1], a[2], callbackTime, func(context.Context) (any, error) { return p.env.Tags(), nil })
	}},
	"recall_data": {[]string{"callback", "tail=", "timeout="}, recallData},
	"update_group": {[]string{"group_data"}, func(*program, context.Context, []script.Value) (any, error) {
		return nil, script.Exception("RuntimeError", "scripts cannot change groups: edit the configuration and run pithings reload")
	}},
	"get_global_parameter": {nil, func(p *program, _ context.Context, _ []script.Value) (any, error) {
		if p.second(p.params()) {
			return p.env.Params.second(), nil
		}
		return p.env.Params.first(), nil
	}},
	"get_group": {nil, func(p *program, _ context.Context, _ []script.Value) (any, error) {
		list := []any{}
		groups, _ := p.env.Tags().Get("groups").([]any)
		for _, g := range groups {
			if d := g.(*Dict); d.Get("group_type") == "collect" {
				list = append(list, &Dict{{"name", d.Get("group_name")}, {"uploadInterval", d.Get("upload_interval")}})
			}
		}
		return list, nil
	}},
}

// message makes a message of what a script gives.
func (p *program) message(topic script.Value, payload []byte, qos script.Value) (m mqttlink.Message, err error) {
	if p.now.sent++; p.now.sent > maxMessages {
		return m, script.Exception("RuntimeError", fmt.Sprintf("one call publishes at most %d messages", maxMessages))
	}
	name, err := text(topic, "topic")
	if err != nil {
		return m, err
	}
	if name, err = p.env.Params.Expand(name); err != nil {
		return m, script.Exception("ValueError", err.Error())
	}
	q, err := number(qos, "qos", 1)
	if err != nil {
		return m, err
	}
	if q != 0 && q != 1 && q != 2 {
		return m, script.Exception("ValueError", fmt.Sprintf("qos must be 0, 1 or 2, not %v", q))
	}
	return mqttlink.Message{Topic: name, Payload: payload, QoS: p.carried(int(q)), Alarm: p.now.alarm, Time: p.now.at}, nil
}

// maxMessages bounds what one call publishes.
const maxMessages = 1000

// messageBytes is what a saved message is counted with, beside its topic and payload.
const messageBytes = 200

// mqttPublish publishes what is encoded already, if there is a connection.
func mqttPublish(p *program, ctx context.Context, a []script.Value) (any, error) {
	payload, err := text(a[1], "payload")
	if err != nil {
		return nil, err
	}
	m, err := p.message(a[0], []byte(payload), a[2])
	if err != nil {
		return nil, err
	}
	return p.live(ctx, m), nil
}

// live publishes a message if there is a connection, and reports whether it did.
func (p *program) live(ctx context.Context, m mqttlink.Message) bool {
	if !p.env.Link.Connected() {
		return false
	}
	m.Unqueued = m.QoS == 0
	err := p.publish(ctx, m)
	if !mqttlink.Accepted(err) {
		p.env.Log.Warn("message of a script is not published", "rule", p.name, "topic", m.Topic, "err", err)
	}
	return mqttlink.Accepted(err)
}

// awsiotPublish publishes an object, and keeps it until there is a connection.
func awsiotPublish(p *program, ctx context.Context, a []script.Value) (any, error) {
	payload, err := encode(ctx, orNone(a[1]))
	if err != nil {
		return nil, script.Exception("TypeError", err.Error())
	}
	m, err := p.message(a[0], payload, a[2])
	if err == nil {
		err = p.publish(ctx, m)
	}
	if !mqttlink.Accepted(err) {
		return nil, err
	}
	return true, nil
}

func orNone(v script.Value) script.Value {
	if v == nil {
		return script.None
	}
	return v
}

// saveData keeps data to be published behind the results of its round: an object with topic,
// qos and payload, or anything with the group whose rule has the topic.
func saveData(p *program, ctx context.Context, a []script.Value) (any, error) {
	topic, qos, payload := script.Value(nil), script.Value(nil), orNone(a[0])
	if a[1] != nil {
		group, err := text(a[1], "group")
		if err != nil {
			return nil, err
		}
		name, q, ok := p.env.Topic(group)
		if !ok {
			return nil, script.Exception("ValueError", fmt.Sprintf("no publish rule has the group '%s'", group))
		}
		topic, qos = script.Str(name), script.Int(q)
	} else {
		d, ok := a[0].(*script.Dict)
		if !ok || d.GetStr("topic") == nil || d.GetStr("payload") == nil {
			return nil, script.Exception("ValueError", "save_data needs a dict with topic, qos and payload, or a group")
		}
		topic, qos, payload = d.GetStr("topic"), d.GetStr("qos"), d.GetStr("payload")
	}
	encoded, err := encode(ctx, payload)
	if err != nil {
		return nil, script.Exception("TypeError", err.Error())
	}
	m, err := p.message(topic, encoded, qos)
	if err != nil {
		return nil, err
	}
	p.now.saved = append(p.now.saved, m)
	return nil, nil
}

// timeout is the time of a callback.
func timeout(v script.Value, def float64) (time.Duration, error) {
	s, err := number(v, "timeout", def)
	if err == nil && !(s > 0) {
		err = script.Exception("ValueError", "timeout must be positive")
	}
	return time.Duration(min(s, maxCallbackTime) * float64(time.Second)), err
}

// ask answers a callback with what answer returns. An error of it is that of its context.
func (p *program) ask(callback, tail, wait script.Value, def float64, answer func(ctx context.Context) (any, error)) error {
	t, err := timeout(wait, def)
	if err != nil {
		return err
	}
	return p.callback(t, callback, tail, func(ctx context.Context) (any, bool) {
		v, err := answer(ctx)
		return v, err == nil
	})
}

// writeLater writes values, and answers the callback with what became of them. done is the
// error of one that was written: "" in 1.x.
func (p *program) writeLater(message, callback, tail, wait script.Value, done string) error {
	all, listed, err := assignments(message)
	if err != nil {
		return err
	}
	return p.ask(callback, tail, wait, callbackTime, func(ctx context.Context) (any, error) {
		results, err := p.env.Field().Write(ctx, all)
		return answered(results, listed, done), err
	})
}

func answered(results []field.Result, listed bool, done string) any {
	if listed {
		return writtenControllers(results)
	}
	return written(results, done)
}

// assignments reads what a script writes: {variable: value}, {device: {variable: value}}, or
// the list of 2.x, [{"name": device, "measures": [{"name": variable, "value": value}]}].
func assignments(message script.Value) (all []field.Assignment, listed bool, err error) {
	var export script.Exporter // one for all, so that they are bounded together
	add := func(device, variable string, v script.Value) error {
		value, err := export.ToGo(v)
		if err != nil {
			return script.Exception("TypeError", err.Error())
		}
		if len(all) == maxMessages {
			return script.Exception("ValueError", fmt.Sprintf("at most %d values are written at a time", maxMessages))
		}
		if n, ok := value.(int64); ok && int64(int(n)) == n { // int has 32 bits on a small Pi
			value = int(n)
		}
		all = append(all, field.Assignment{Device: device, Variable: variable, Value: value})
		return nil
	}
	switch m := message.(type) {
	case *script.Dict:
		err = items(m, func(key string, v script.Value) error {
			if inner, ok := v.(*script.Dict); ok {
				return items(inner, func(variable string, v script.Value) error { return add(key, variable, v) })
			}
			return add("", key, v)
		})
		return all, false, err
	case *script.List:
		for _, one := range m.Items {
			c, _ := one.(*script.Dict)
			if c == nil || c.GetStr("name") == nil {
				return nil, true, script.Exception("ValueError", "each item needs name and measures")
			}
			device, err := text(c.GetStr("name"), "name")
			if err != nil {
				return nil, true, err
			}
			measures, _ := c.GetStr("measures").(*script.List)
			if measures == nil {
				return nil, true, script.Exception("ValueError", "each item needs a list of measures")
			}
			for _, each := range measures.Items {
				d, _ := each.(*script.Dict)
				if d == nil || d.GetStr("name") == nil || d.GetStr("value") == nil {
					return nil, true, script.Exception("ValueError", "each measure needs name and value")
				}
				variable, err := text(d.GetStr("name"), "name")
				if err == nil {
					err = add(device, variable, d.GetStr("value"))
				}
				if err != nil {
					return nil, true, err
				}
			}
		}
		return all, true, nil
	}
	return nil, false, script.Exception("TypeError", "what is written must be a dict or a list, not "+script.TypeName(orNone(message)))
}
