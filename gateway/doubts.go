package gateway

import (
	"fmt"
	"slices"

	"pithings/conf"
	"pithings/conf/suggest"
	"pithings/gateway/collect"
)

// Doubts reports what is no mistake by itself and does nothing: variables of a device that
// there is not, and alarms that are never triggered. things are the names of the things of
// this process.
func (s *Settings) Doubts(report Report, things []string) {
	devices := slices.Clone(things)
	for i, d := range s.Devices {
		devices = append(devices, d.Name)
		if d.Thing != "" && !slices.Contains(things, d.Thing) {
			report(fmt.Sprintf("devices[%d].thing", i), "device %s: there is no thing %s%s", conf.Quote(d.Name), conf.Quote(d.Thing), suggest.From(d.Thing, things))
		}
	}
	for i, v := range s.Variables {
		if v.Expression == "" && v.Device != "" && !slices.Contains(devices, v.Device) {
			report(fmt.Sprintf("variables[%d].device", i), "there is no device and no thing %s%s", conf.Quote(v.Device), suggest.From(v.Device, devices))
		}
	}
	for i := range s.Alarms {
		s.doubtAlarm(report, i)
	}
}

func (s *Settings) doubtAlarm(report Report, i int) {
	a := &s.Alarms[i]
	at := fmt.Sprintf("alarms[%d]", i)
	if !slices.ContainsFunc(s.Variables, func(v collect.Variable) bool { return v.Device == a.Device && (v.Name == a.Variable || v.Name == "") }) {
		report(at+".variable", "alarm %s is never triggered: there is no variable %s of device %s", conf.Quote(a.Name), conf.Quote(a.Variable), conf.Quote(a.Device))
	}
	const text = "alarm %s: %s never holds, as its operand %s is no number; texts are Eq or Neq"
	if collect.Unordered(a.Condition1, a.Operand1) {
		report(at+".operand1", text, conf.Quote(a.Name), "condition1", conf.Quote(a.Operand1))
	}
	if second := a.Combine == collect.And || a.Combine == collect.Or; !second && a.Condition2 != "" {
		report(at+".condition2", "alarm %s: condition2 is not used; say combine: And or Or", conf.Quote(a.Name))
	} else if second && collect.Unordered(a.Condition2, a.Operand2) {
		report(at+".operand2", text, conf.Quote(a.Name), "condition2", conf.Quote(a.Operand2))
	}
}
