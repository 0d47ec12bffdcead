package rule

import (
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/script"
)

// seconds is a time as Python's time.time has it, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func status(good bool) int {
	if good {
		return 1
	}
	return 0
}

// stamp adds a time in seconds and in milliseconds.
func (d *Dict) stamp(t time.Time) {
	d.add("timestamp", t.Unix())
	d.add("timestampMsec", t.UnixMilli())
}

// sampled is when a sample was reported; without a report it is the time of the round.
func sampled(s *collect.Sample, round time.Time) time.Time {
	if s.At.IsZero() {
		return round
	}
	return s.At
}

// data is the data_collect of 1.x: times in seconds with their fraction. It is made as the
// script gets it, in one step: there is one for each round.
func data(r *collect.Round) any {
	d := script.NewDictSize(3)
	d.SetStr("timestamp", script.Float(seconds(r.At)))
	if r.Group != "" { // a recall has no group
		d.SetStr("group_name", script.Str(r.Group))
	}
	values := script.NewDictSize(1)
	d.SetStr("values", values)
	var device *script.Dict
	for i := range r.Samples {
		s := &r.Samples[i]
		if i == 0 || s.Device != r.Samples[i-1].Device {
			device = under(values, r.Samples[i:])
		}
		v, err := script.FromGo(s.Value)
		if err != nil {
			return &Dict{{s.Name, s.Value}} // which toScript refuses, too
		}
		device.SetStr(s.Name, readings.Dict(v, script.Int(status(s.Good))))
	}
	return d
}

var readings = script.NewShape("raw_data", "status")

// under returns the dict of the device of the first sample, which it makes if there is none.
func under(values *script.Dict, samples []collect.Sample) *script.Dict {
	name, n := samples[0].Device, 1
	if d, ok := values.GetStr(name).(*script.Dict); ok {
		return d
	}
	for n < len(samples) && samples[n].Device == name {
		n++
	}
	d := script.NewDictSize(n)
	values.SetStr(name, d)
	return d
}

// message is the message of 2.x to a main function with wizard_api.
func message(r *collect.Round) *Dict {
	d := new(Dict)
	d.stamp(r.At)
	if r.Group != "" {
		d.add("group_name", r.Group)
	}
	values := new(Dict)
	d.add("values", values)
	for _, s := range r.Samples {
		one := &Dict{{"raw_data", s.Value}}
		at := sampled(&s, r.At)
		one.add("timestamp", at.Unix())
		one.add("status", status(s.Good))
		one.add("timestampMsec", at.UnixMilli())
		values.at(s.Device).add(s.Name, one)
	}
	return d
}

// flat is the message of 2.x to a main function without wizard_api.
func flat(r *collect.Round) *Dict {
	d := new(Dict)
	d.stamp(r.At)
	d.add("group", r.Group)
	d.add("measures", measures(r, sampled))
	return d
}

// busMeasures is a round on the local bus, where each value has the time of the round.
func busMeasures(r *collect.Round) *Dict {
	return &Dict{{"group", r.Group}, {"measures", measures(r, func(_ *collect.Sample, round time.Time) time.Time { return round })}}
}

func measures(r *collect.Round, at func(*collect.Sample, time.Time) time.Time) []any {
	list := []any{}
	for _, s := range r.Samples {
		m := &Dict{{"ctrlName", s.Device}, {"name", s.Name}, {"health", status(s.Good)}}
		m.stamp(at(&s, r.At))
		m.add("value", s.Value)
		list = append(list, m)
	}
	return list
}

// controllers is what recall of 2.x returns.
func controllers(r *collect.Round) []any {
	return controllersWith(r, func(*Dict, time.Time) {})
}

// busControllers is what the local bus has of a driver.
func busControllers(r *collect.Round) []any {
	return controllersWith(r, func(measure *Dict, at time.Time) { measure.add("timestampMsec", at.UnixMilli()) })
}

func controllersWith(r *collect.Round, more func(measure *Dict, at time.Time)) []any {
	list := []any{}
	of := map[string]*Dict{}
	for _, s := range r.Samples {
		c := of[s.Device]
		if c == nil {
			c = &Dict{{"name", s.Device}, {"health", 0}, {"timestamp", r.At.Unix()}, {"measures", []any{}}}
			of[s.Device] = c
			list = append(list, c)
		}
		if s.Good {
			c.set("health", 1)
		}
		at := sampled(&s, r.At)
		one := &Dict{{"name", s.Name}, {"health", status(s.Good)}, {"timestamp", at.Unix()}}
		more(one, at)
		one.add("value", s.Value)
		c.set("measures", append(c.Get("measures").([]any), one))
	}
	return list
}

// recalledLater is what recall2 of 2.x hands to its callback.
func recalledLater(r *collect.Round) *Dict {
	values := new(Dict)
	for _, s := range r.Samples {
		values.at(s.Device).add(s.Name, &Dict{{"raw_data", s.Value}, {"timestamp", sampled(&s, r.At).Unix()}, {"status", status(s.Good)}})
	}
	return &Dict{{"timestamp", seconds(r.At)}, {"values", values}}
}

// alarms is the data_collect of the alarms of a group. Its status is the opposite of what
// the local bus has: 0 is an alarm that was triggered.
func alarms(group string, at time.Time, events []collect.AlarmEvent) *Dict {
	values := new(Dict)
	for _, e := range events {
		values.set(e.Name, alarmed(&e))
	}
	return &Dict{{"timestamp", seconds(at)}, {"group_name", group}, {"values", values}}
}

// alarmMessage is the message of 2.x of the alarms of a group, which names their variables.
func alarmMessage(group string, at time.Time, events []collect.AlarmEvent) *Dict {
	values := new(Dict)
	for _, e := range events {
		one := append(Dict{{"ctrlName", e.Device}, {"measureName", e.Variable}}, *alarmed(&e)...)
		values.set(e.Name, &one)
	}
	d := new(Dict)
	d.stamp(at)
	*d = append(*d, Entry{"group_name", group}, Entry{"values", values})
	return d
}

func alarmed(e *collect.AlarmEvent) *Dict {
	current, status := "off", 1
	if e.On {
		current, status = "on", 0
	}
	return &Dict{{"timestamp", e.At.Unix()}, {"current", current}, {"status", status}, {"value", e.Value}, {"alarm_content", e.Content}, {"level", e.Level}}
}

// busAlarm is an alarm on the local bus: its status 1 is one that was triggered.
func busAlarm(e *collect.AlarmEvent) *Dict {
	d := &Dict{{"name", e.Name}, {"ctrlName", e.Device}, {"measureName", e.Variable}, {"priority", e.Level}}
	d.stamp(e.At)
	d.add("status", status(e.On))
	d.add("value", e.Value)
	d.add("alarm_value", e.Trigger)
	d.add("content", e.Content)
	return d
}

// timedOut is what a callback gets when there was no answer in time.
var timedOut = tuple{"error", -110, "timeout"}

// tuple is a tuple of Python.
type tuple []any

// written is the result of write_plc_values: of 1.x, or with the words of 2.x.
func written(results []field.Result, done string) []any {
	list := []any{}
	for _, r := range results {
		result, err := "OK", done
		if r.Error != "" {
			result, err = "Failed", r.Error
		}
		d := new(Dict)
		if done == "" {
			d.add("value", r.Value)
		}
		*d = append(*d, Entry{"device", r.Device}, Entry{"var_name", r.Variable}, Entry{"result", result}, Entry{"error", err})
		list = append(list, d)
	}
	return list
}

// writtenControllers is the result of a request of 2.x that lists controllers.
func writtenControllers(results []field.Result) []any {
	list := []any{}
	of := map[string]*Dict{}
	for _, r := range results {
		c := of[r.Device]
		if c == nil {
			c = &Dict{{"name", r.Device}, {"measures", []any{}}}
			of[r.Device] = c
			list = append(list, c)
		}
		code, reason := 0, "Success"
		if r.Error != "" {
			code, reason = 1, r.Error
		}
		c.set("measures", append(c.Get("measures").([]any), &Dict{{"name", r.Variable}, {"error_code", code}, {"error_reason", reason}}))
	}
	return list
}
