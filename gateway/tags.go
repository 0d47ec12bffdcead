package gateway

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/rule"
)

// tags is the configuration as get_tag_config of 1.x has it. What Device Supervisor asks for
// and the gateway does not have is empty, unless an imported file says it.
func tags(s *Settings, f *field.Field) *rule.Dict {
	var devices, groups, warning, vars []any
	all := f.Variables()
	for _, name := range deviceNames(s, all) {
		devices = append(devices, tagDevice(s, name))
	}
	seen := map[string]bool{}
	for _, g := range s.groups() {
		seen[g.Name] = true
		upload := g.Upload
		if upload.Duration == 0 {
			upload = g.Polling
		}
		uploads := whole(upload.Seconds())
		if g.Type == collect.Alarms {
			uploads = ""
		}
		groups = append(groups, tag("group", g.Name, g.Columns, rule.Dict{{Key: "group_name", Value: g.Name}, {Key: "polling_interval", Value: whole(g.Polling.Seconds())},
			{Key: "upload_interval", Value: uploads}, {Key: "group_type", Value: g.Type}}))
	}
	for _, a := range s.Alarms {
		if !seen[a.Group] {
			seen[a.Group] = true
			groups = append(groups, tag("group", a.Group, nil, rule.Dict{{Key: "group_name", Value: a.Group}, {Key: "polling_interval", Value: 0},
				{Key: "upload_interval", Value: ""}, {Key: "group_type", Value: "alarm"}}))
		}
		warning = append(warning, tagAlarm(s, f, &a, all))
	}
	for i := range all {
		vars = append(vars, tagVariable(s, f, &all[i]))
	}
	return &rule.Dict{{Key: "devices", Value: devices}, {Key: "groups", Value: groups}, {Key: "warning", Value: warning}, {Key: "vars", Value: vars}}
}

// deviceNames are the devices of the settings, and the things that variables name.
func deviceNames(s *Settings, all []collect.Sample) (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, d := range s.Devices {
		add(d.Name)
	}
	for _, v := range all {
		add(v.Device)
	}
	return names
}

// deviceOf returns the settings of a device; a thing has none of its own.
func deviceOf(s *Settings, name string) field.Device {
	for _, d := range s.Devices {
		if d.Name == name {
			return d
		}
	}
	return field.Device{Name: name, Thing: name}
}

func tagDevice(s *Settings, name string) *rule.Dict {
	d := deviceOf(s, name)
	return tag("device", name, d.Columns, rule.Dict{{Key: "protocol", Value: d.Protocol}, {Key: "device_name", Value: name},
		{Key: "ip", Value: ""}, {Key: "port", Value: ""}, {Key: "rack", Value: ""}, {Key: "slot", Value: ""}})
}

// variableTags are the keys that a variable and the variable of an alarm have in common.
func variableTags(s *Settings, f *field.Field, v *collect.Sample) rule.Dict {
	readWrite := "read"
	if f.Writable(v.Variable) {
		readWrite = "read/write"
	}
	address := v.Variable.Value
	if address == "" {
		address = v.Name
	}
	return rule.Dict{{Key: "device", Value: v.Device}, {Key: "protocol", Value: deviceOf(s, v.Device).Protocol}, {Key: "data_type", Value: dataType(v.Value)},
		{Key: "register_type", Value: ""}, {Key: "var_name", Value: v.Name}, {Key: "register_addr", Value: ""}, {Key: "read_write", Value: readWrite},
		{Key: "mode", Value: v.Mode}, {Key: "unit", Value: v.Unit}, {Key: "desc", Value: v.Desc}, {Key: "group", Value: v.Group}, {Key: "size", Value: 1},
		{Key: "float_repr", Value: max(v.Decimals, 0)}, {Key: "dbnumber", Value: ""}, {Key: "register_bit", Value: ""}, {Key: "address", Value: address}}
}

func tagVariable(s *Settings, f *field.Field, v *collect.Sample) *rule.Dict {
	return tag("var", v.Device+"."+v.Name, v.Columns, variableTags(s, f, v))
}

func tagAlarm(s *Settings, f *field.Field, a *collect.AlarmRule, all []collect.Sample) *rule.Dict {
	d := rule.Dict{{Key: "warn_name", Value: a.Name}, {Key: "group", Value: a.Group}, {Key: "quotes", Value: 1}, {Key: "device", Value: a.Device},
		{Key: "alarm_content", Value: a.Content}, {Key: "condition1", Value: a.Condition1}, {Key: "operand1", Value: a.Operand1},
		{Key: "combine_method", Value: a.Combine}, {Key: "condition2", Value: a.Condition2}, {Key: "operand2", Value: a.Operand2},
		{Key: "var_name", Value: a.Variable}, {Key: "var_id", Value: id("var", a.Device+"."+a.Variable)}, {Key: "level", Value: a.Level}}
	of := collect.Sample{Variable: &collect.Variable{Device: a.Device, Name: a.Variable, Mode: collect.Realtime}}
	for _, v := range all {
		if v.Device == a.Device && v.Name == a.Variable {
			of = v
		}
	}
	for _, e := range variableTags(s, f, &of) {
		switch e.Key {
		case "device", "group", "var_name":
		default:
			d = append(d, e)
		}
	}
	return tag("warning", a.Name, a.Columns, d)
}

// tag adds the id, and what an imported file says.
func tag(kind, name string, kept map[string]string, d rule.Dict) *rule.Dict {
	columns := Columns(kept)
	own := false
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		key, text := columnKey(column), columns[column]
		own = own || key == "id"
		i := slices.IndexFunc(d, func(e rule.Entry) bool { return e.Key == key })
		switch {
		case i < 0:
			d = append(d, rule.Entry{Key: key, Value: typed(text)})
		case text != "":
			d[i].Value = typed(text)
		}
	}
	if !own {
		d = append(d, rule.Entry{Key: "id", Value: id(kind, name)})
	}
	return &d
}

// columnKey is the key of a column of a CSV file: register_addr of Register Addr.
func columnKey(column string) string {
	if column == "Ip/Serial" {
		return "ip"
	}
	return strings.ReplaceAll(strings.ToLower(column), " ", "_")
}

func typed(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return Text(text)
}

// id is the identifier of an item: 32 hexadecimal digits that stay the same.
func id(kind, name string) string {
	sum := md5.Sum([]byte(kind + "\x00" + name)) // no secret
	return hex.EncodeToString(sum[:])
}

// whole returns a number of seconds as Device Supervisor has it, without a fraction if it
// has none.
func whole(seconds float64) any {
	if n := int(seconds); float64(n) == seconds {
		return n
	}
	return seconds
}

// dataType is the type of the latest value, in the words of Device Supervisor.
func dataType(v any) string {
	switch v.(type) {
	case bool:
		return "BOOL"
	case int, int64:
		return "DINT"
	case string:
		return "STRING"
	}
	return "FLOAT"
}
