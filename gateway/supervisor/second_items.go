package supervisor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/collect"
	"pithings/gateway/field"
)

// The JSON of 2.x (manual of 2.x, quickfaas.config.get; API documentation, global profile).

var deviceKeys = []key[field.Device]{
	text(func(d *field.Device) *string { return &d.Name }, "name"),
	text(func(d *field.Device) *string { return &d.Protocol }, "protocol"),
}

// modes are the upload types of 2.x.
var modes = map[string]string{"periodic": collect.Realtime, "onchange": collect.OnChange, "never": collect.Never}

var variableKeys = []key[collect.Variable]{
	text(func(v *collect.Variable) *string { return &v.Name }, "name"),
	text(func(v *collect.Variable) *string { return &v.Device }, "ctrlName"),
	text(func(v *collect.Variable) *string { return &v.Group }, "group"),
	text(func(v *collect.Variable) *string { return &v.Unit }, "unit"),
	text(func(v *collect.Variable) *string { return &v.Desc }, "desc"),
	{[]string{"uploadType"}, func(v *collect.Variable, raw json.RawMessage) error {
		if v.Mode = modes[plain(raw)]; v.Mode == "" {
			return fmt.Errorf("%.100q is none of periodic, onchange, never", plain(raw))
		}
		return nil
	}, func(v *collect.Variable) json.RawMessage {
		for name, mode := range modes {
			if mode == v.Mode {
				return rawText(name)
			}
		}
		return nil
	}},
}

var groupKeys = []key[collect.Group]{
	text(func(g *collect.Group) *string { return &g.Name }, "name"),
	{[]string{"uploadInterval"}, func(g *collect.Group, raw json.RawMessage) (err error) {
		g.Upload = conf.Duration{}
		g.Polling, err = interval(plain(raw), minPolling)
		return err
	}, func(g *collect.Group) json.RawMessage { return json.RawMessage(inSeconds(cmp.Or(g.Upload, g.Polling))) }},
}

// operators are the conditions of 2.x.
var operators = map[string]string{"eq": collect.Eq, "neq": collect.Neq, "gt": collect.Gt, "egt": collect.Gne, "elt": collect.Lne, "lt": collect.Lt}

// condition joins an object with operator and value.
func condition(of func(a *collect.AlarmRule) (condition, operand *string), name string) key[collect.AlarmRule] {
	return key[collect.AlarmRule]{[]string{name}, func(a *collect.AlarmRule, raw json.RawMessage) error {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			return fmt.Errorf("it is no object with op and value")
		}
		c, operand := of(a)
		if len(o) == 0 || plain(o["op"]) == "" || plain(o["op"]) == "none" {
			return nil // a second condition that there is not
		}
		op := plain(o["op"])
		*c, *operand = cmp.Or(operators[strings.ToLower(op)], spelled(op, conditions)), plain(o["value"])
		if !slices.Contains(conditions, *c) {
			return fmt.Errorf("the operator %.100q is none of eq, neq, gt, egt, elt, lt", op)
		}
		return nil
	}, func(a *collect.AlarmRule) json.RawMessage {
		c, operand := of(a)
		for op, name := range operators {
			if name == *c {
				value := rawText(*operand)
				if _, err := strconv.ParseFloat(*operand, 64); err == nil && gateway.IsJSON(*operand) {
					value = json.RawMessage(*operand)
				}
				return json.RawMessage(fmt.Sprintf(`{"op":%q,"value":%s}`, op, value))
			}
		}
		return nil
	}}
}

var alarmKeys = []key[collect.AlarmRule]{
	text(func(a *collect.AlarmRule) *string { return &a.Name }, "name"),
	text(func(a *collect.AlarmRule) *string { return &a.Device }, "ctrlName"),
	text(func(a *collect.AlarmRule) *string { return &a.Variable }, "measureName"),
	text(func(a *collect.AlarmRule) *string { return &a.Content }, "content"),
	count(func(a *collect.AlarmRule) *int { return &a.Level }, 1, 5, "alarmLevel", "priority"),
	condition(func(a *collect.AlarmRule) (c, o *string) { return &a.Condition1, &a.Operand1 }, "cond1"),
	{[]string{"condOp"}, func(a *collect.AlarmRule, raw json.RawMessage) error {
		a.Combine = cmp.Or(spelled(plain(raw), combinations), none)
		return nil
	}, func(a *collect.AlarmRule) json.RawMessage { return rawText(strings.ToLower(a.Combine)) }},
	condition(func(a *collect.AlarmRule) (c, o *string) { return &a.Condition2, &a.Operand2 }, "cond2"),
}

// defaultLabel is the label of alarms, and the group of measures, that there always is.
const defaultLabel = "default"

// alarmGroup is the group of alarms with a label. Groups of measures may have the same name.
func alarmGroup(label string, collects func(name string) bool) string {
	switch {
	case label == "" || label == defaultLabel:
		return "alarm"
	case collects(label):
		return "alarm_" + label
	}
	return label
}

func (im *importer) controller(it item) {
	var d field.Device
	if err := take(&d, it.object, deviceKeys); err != nil {
		im.add(it.at, "%w", err)
		return
	}
	if disabled(it.object) {
		im.note(it.at, "device %s is disabled in the file, and works here: take it out of devices, variables and things if it is not to", d.Name)
	}
	if im.once(it.at, "device", d.Name) {
		d.Columns = im.pack(it)
		im.s.Devices = append(im.s.Devices, d)
	}
}

func (im *importer) group(it item) {
	var g collect.Group
	conf.Fill(&g)
	if err := take(&g, it.object, groupKeys); err != nil {
		im.add(it.at, "group %s: %w", g.Name, err)
		return
	}
	if im.once(it.at, "group", g.Name) {
		g.Columns = im.pack(it)
		im.s.Groups = append(im.s.Groups, g)
	}
}

// scaled is the transformType of gain and offset.
const scaled = "2"

func (im *importer) measure(it item) error {
	var v collect.Variable
	conf.Fill(&v)
	if _, ok := it.object["uploadType"]; !ok {
		return fmt.Errorf(`its uploadType: "" is none of periodic, onchange, never`)
	}
	if err := take(&v, it.object, variableKeys); err != nil {
		return err
	}
	v.Group = cmp.Or(v.Group, defaultLabel)
	if v.Name != "" && v.Device == "" {
		return fmt.Errorf("it has no ctrlName")
	}
	switch kind := plain(it.object["transformType"]); kind {
	case scaled:
		for _, f := range []struct {
			key string
			to  *float64
		}{{"gain", &v.Gain}, {"offset", &v.Offset}} {
			n, err := number(it.object[f.key])
			if err != nil {
				return fmt.Errorf("its %s: %w", f.key, err)
			}
			*f.to = n
		}
	case "", "0", "none":
	default:
		im.note(it.at.key("transformType"), "the conversion %s of measure %s is kept for an export, and not done here: use gain and offset, or an expression", kind, v.Name)
	}
	if zone := plain(it.object["deadZonePercent"]); zone != "" && zone != "0" && v.Mode == collect.OnChange {
		im.note(it.at.key("deadZonePercent"), "the dead zone of measure %s is kept for an export, and not used here: set dead_zone, in the variable's unit", v.Name)
	}
	if v.Name == "" {
		return fmt.Errorf("it has no name")
	}
	if im.once(it.at, "variable", v.Device+"\x00"+v.Name) {
		v.Columns = im.pack(it)
		im.s.Variables = append(im.s.Variables, v)
	}
	return nil
}

func (im *importer) alarm(it item, collects func(string) bool) error {
	var a collect.AlarmRule
	conf.Fill(&a)
	if err := take(&a, it.object, alarmKeys); err != nil {
		return fmt.Errorf("alarm %s: %w", a.Name, err)
	}
	a.Group = alarmGroup(plain(it.object["alarmLable"]), collects)
	if err := checkAlarm(&a); err != nil {
		return err
	}
	if im.once(it.at, "alarm", a.Name) {
		a.Columns = im.pack(it)
		im.s.Alarms = append(im.s.Alarms, a)
	}
	return nil
}

func inSeconds(d conf.Duration) string {
	return strconv.FormatFloat(time.Duration(d.Duration).Seconds(), 'f', -1, 64)
}
