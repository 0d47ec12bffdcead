package rule

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/script"
	"pithings/mqttlink"
)

// quickfaas are the modules of Device Supervisor 2.x (DSA API V1.0, section 1).
var quickfaas = map[string]map[string]hostFunc{
	"quickfaas.remotebus":  {"publish": {[]string{"topic", "payload", "qos=", "wizard_data=", "cloud_name="}, remotePublish}},
	"quickfaas.messagebus": {"publish": {[]string{"topic", "payload", "qos="}, localPublish}},
	"quickfaas.measure": {
		"write": {[]string{"message", "timeout=", "cloudName="}, func(p *program, ctx context.Context, a []script.Value) (any, error) {
			t, err := timeout(a[1], callbackTime)
			if err != nil {
				return nil, err
			}
			all, listed, err := assignments(a[0])
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(ctx, t)
			defer cancel()
			results, err := p.env.Field().Write(ctx, all)
			if err != nil {
				return timedOut, nil
			}
			for _, r := range results {
				if !listed && r.Device == "" { // there is none, or several
					return nil, script.Exception("ValueError", r.Error)
				}
			}
			return answered(results, listed, "Success"), nil
		}},
		"write_plc_values": {[]string{"message", "callback=", "userdata=", "timeout=", "cloudName="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			return nil, p.writeLater(a[0], a[1], a[2], a[3], "Success")
		}},
		"recall":  {[]string{"names=", "recall_type=", "timeout=", "realTime="}, recall},
		"recall2": {[]string{"names=", "recall_type=", "callback=", "userdata=", "timeout=", "realTime="}, recallLater},
	},
	"quickfaas.global_dict": {
		"get": {nil, func(p *program, _ context.Context, _ []script.Value) (any, error) {
			list := []any{}
			for _, e := range *p.env.Params.second() {
				list = append(list, &Dict{{"key", e.Key}, {"value", e.Value}})
			}
			return list, nil
		}},
		"get_global_parameter": {nil, func(p *program, _ context.Context, _ []script.Value) (any, error) { return p.env.Params.second(), nil }},
	},
	"quickfaas.controller": {
		"get_status": {[]string{"controller="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			return p.statuses(a[0])
		}},
		"get_controller_status": {[]string{"controller="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			list, err := p.statuses(a[0])
			d := new(Dict)
			for _, one := range list {
				c := one.(*Dict)
				d.add(c.Get("name").(string), &Dict{{"health", c.Get("health")}, {"timestamp", c.Get("timestamp")}})
			}
			return d, err
		}},
	},
	"quickfaas.clouds": {"get_status": {[]string{"cloud_name="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
		return cloud(a[0]) == nil && p.env.Link.Connected(), nil
	}}},
	"quickfaas.config": {
		"get": {[]string{"runningConfig=", "timeout="}, func(p *program, _ context.Context, _ []script.Value) (any, error) {
			c, err := p.env.Config()
			if err != nil {
				err = script.Exception("RuntimeError", err.Error())
			}
			return c, err
		}},
		// The file is written by people, with comments and variables; and what a script gets is
		// the form of Device Supervisor, which has no place for most of its keys.
		"set": {[]string{"config", "timeout="}, func(p *program, _ context.Context, _ []script.Value) (any, error) {
			p.repeats.Say(slog.LevelWarn, p.name, "configuration is not changed: scripts cannot set it; edit its file and run pithings reload", "rule", p.name, "kind", p.kind)
			return "failed", nil
		}},
	},
	"quickfaas.file": {
		"faas_read_file": {[]string{"filePath", "mode=", "encode=", "size="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			name, err := text(a[0], "filePath")
			if err != nil {
				return nil, err
			}
			size, err := number(a[3], "size", -1)
			if err != nil {
				return nil, err
			}
			content, err := p.files().Read(path.Base(name), maxFile)
			if err != nil {
				return nil, script.Exception("OSError", err.Error())
			}
			characters := []rune(string(content))
			if size >= 0 && int(size) < len(characters) {
				characters = characters[:int(size)]
			}
			return string(characters), nil
		}},
		"faas_write_file": {[]string{"filePath", "mode=", "data=", "encode="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			return nil, p.writeFile(a[0], a[1], a[2])
		}},
	},
	"quickfaas.global_variables": {
		"get": {[]string{"key="}, func(p *program, _ context.Context, a []script.Value) (any, error) {
			if a[0] == nil {
				return p.env.Shared.all(), nil
			}
			key, err := text(a[0], "key")
			return p.env.Shared.get(key), err
		}},
		"set": {[]string{"key", "value"}, func(p *program, ctx context.Context, a []script.Value) (any, error) {
			key, err := text(a[0], "key")
			if err != nil {
				return nil, err
			}
			return nil, p.env.Shared.set(ctx, key, orNone(a[1]))
		}},
	},
}

// cloud refuses the name of another cloud than the one connection.
func cloud(name script.Value) error {
	if name == nil {
		return nil
	}
	if s, ok := name.(script.Str); ok && (s == "" || s == defaultCloud) {
		return nil
	}
	return script.Exception("ValueError", "there is one cloud, whose name is "+defaultCloud)
}

// defaultCloud is the name of the connection.
const defaultCloud = "default"

// encoded is a payload: what is a text already, or the JSON of an object.
func encoded(ctx context.Context, v script.Value) ([]byte, error) {
	switch v := v.(type) {
	case script.Str:
		return []byte(v), nil
	case script.Bytes:
		return []byte(v), nil
	}
	b, err := encode(ctx, orNone(v))
	if err != nil {
		err = script.Exception("TypeError", err.Error())
	}
	return b, err
}

// remotePublish publishes to the cloud. What does not get there at once is kept, unless its
// QoS is 0, in the form that wizard_data gives.
func remotePublish(p *program, ctx context.Context, a []script.Value) (any, error) {
	if err := cloud(a[4]); err != nil {
		return nil, err
	}
	payload, err := encoded(ctx, a[1])
	if err != nil {
		return nil, err
	}
	m, err := p.message(a[0], payload, a[2])
	if err != nil {
		return nil, err
	}
	if m.QoS == 0 || p.env.Link.Connected() {
		return p.live(ctx, m), nil
	}
	if d, ok := a[3].(*script.Dict); ok {
		topic, qos := d.GetStr("topic"), d.GetStr("qos")
		if topic == nil {
			topic = a[0]
		}
		if v := d.GetStr("payload"); v != nil {
			if payload, err = encoded(ctx, v); err != nil {
				return nil, err
			}
		}
		if m, err = p.message(topic, payload, qos); err != nil {
			return nil, err
		}
	}
	return mqttlink.Accepted(p.publish(ctx, m)), nil
}

// localPublish publishes on the local bus, which keeps nothing.
func localPublish(p *program, ctx context.Context, a []script.Value) (any, error) {
	payload, err := encoded(ctx, a[1])
	if err != nil {
		return nil, err
	}
	m, err := p.message(a[0], payload, a[2])
	if err != nil {
		return nil, err
	}
	return p.live(ctx, m), nil
}

// statuses are the devices' states: of one that is named, or of all.
func (p *program) statuses(name script.Value) ([]any, error) {
	only := ""
	if name != nil {
		var err error
		if only, err = text(name, "controller"); err != nil {
			return nil, err
		}
	}
	r := p.env.Field().Recall(time.Now(), func(v *collect.Variable) bool { return only == "" || v.Device == only })
	list := []any{}
	for _, one := range controllers(&r) {
		c := one.(*Dict)
		list = append(list, &Dict{{"name", c.Get("name")}, {"health", c.Get("health")}, {"timestamp", c.Get("timestamp")}})
	}
	if only != "" && len(list) == 0 {
		return nil, script.Exception("ValueError", fmt.Sprintf("Controller '%s' not found.", only))
	}
	return list, nil
}
