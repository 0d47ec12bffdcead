package lib

import (
	"time"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/py"
)

// clock is datetime.time: the time of a day.
type clock struct {
	micros int64 // since midnight
	zone   *timezone
}

var clockType = py.NewType("time", py.ObjectType)

func (clock) Type() *py.Type { return clockType }

func clockOf(t time.Time, zone *timezone) clock {
	return clock{int64(t.Hour()*3600+t.Minute()*60+t.Second())*second + int64(t.Nanosecond()/1000), zone}
}

// on is the clock on some day.
func (c clock) on() time.Time { return time.UnixMicro(c.micros).UTC() }

// Attr returns hour, minute and so on.
func (c clock) Attr(m *py.Machine, name string) py.Value {
	switch name {
	case "hour", "minute", "second", "microsecond", "tzinfo":
		return moment{t: c.on(), zone: c.zone}.Attr(m, name)
	}
	return nil
}

func (c clock) iso(spec string) string { return moment{t: c.on(), zone: c.zone}.iso("", spec)[10:] }

// Str is str(c).
func (c clock) Str() string { return c.iso("auto") }

// Repr is repr(c).
func (c clock) Repr() string {
	t := c.on()
	s := "datetime.time(" + pad(t.Hour(), 1) + ", " + pad(t.Minute(), 1)
	if micros := t.Nanosecond() / 1000; t.Second() != 0 || micros != 0 {
		s += ", " + pad(t.Second(), 1)
		if micros != 0 {
			s += ", " + pad(micros, 1)
		}
	}
	return s + ")"
}

// Compare compares with another time of a day.
func (c clock) Compare(other py.Value) (int, bool) {
	o, ok := other.(clock)
	order, _ := delta(c.micros).Compare(delta(o.micros))
	return order, ok
}

// Hash is the hash of a key.
func (c clock) Hash() uint32 { return delta(c.micros).Hash() }

// Format is format(c, spec).
func (c clock) Format(m *py.Machine, spec string) string { return strftime(m, c.on(), c.zone, spec) }

func newClock(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "time", []string{"hour=", "minute=", "second=", "microsecond=", "tzinfo=", "fold="}, false, args)
	n := [7]int{1970, 1, 1}
	for i := range 4 {
		if a[i] != nil {
			n[3+i] = builtin.Integer(m, a[i])
		}
	}
	d, _ := made(m, n, zoneOf(m, a[4]), false).(moment)
	return clockOf(d.t, d.zone)
}

var clockMethods = []def{
	{"isoformat", "self timespec=", func(m *py.Machine, a []py.Value) py.Value {
		spec := "auto"
		if a[1] != nil {
			spec = builtin.Text(m, a[1], "timespec")
		}
		c, _ := a[0].(clock)
		return py.Str(c.iso(spec))
	}},
	{"strftime", "self format", func(m *py.Machine, a []py.Value) py.Value {
		c, _ := a[0].(clock)
		return py.Str(c.Format(m, builtin.Text(m, a[1], "format")))
	}},
}
