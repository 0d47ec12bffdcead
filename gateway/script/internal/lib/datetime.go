package lib

import (
	"fmt"
	"strings"
	"time"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// moment is a datetime: a wall clock, and its zone or nil. A date has midnight.
type moment struct {
	t    time.Time // the wall clock, as a time in UTC, of whole microseconds
	zone *timezone
	date bool // it is a date
}

var (
	dateType     = py.NewType("date", py.ObjectType)
	dateTimeType = py.NewType("datetime", dateType)
)

// Type is date or datetime.
func (d moment) Type() *py.Type {
	if d.date {
		return dateType
	}
	return dateTimeType
}

// Attr returns year, month and so on.
func (d moment) Attr(_ *py.Machine, name string) py.Value {
	switch name {
	case "year":
		return py.Int(d.t.Year())
	case "month":
		return py.Int(d.t.Month())
	case "day":
		return py.Int(d.t.Day())
	}
	if d.date {
		return nil
	}
	switch name {
	case "hour":
		return py.Int(d.t.Hour())
	case "minute":
		return py.Int(d.t.Minute())
	case "second":
		return py.Int(d.t.Second())
	case "microsecond":
		return py.Int(d.t.Nanosecond() / 1000)
	case "tzinfo":
		if d.zone != nil {
			return d.zone
		}
		return py.None
	}
	return nil
}

func (d moment) iso(sep, spec string) string {
	s := d.t.Format("2006-01-02")
	if d.date {
		return s
	}
	s += sep
	switch {
	case spec == "hours":
		s += d.t.Format("15")
	case spec == "minutes":
		s += d.t.Format("15:04")
	case spec == "seconds" || spec == "auto" && d.t.Nanosecond() == 0:
		s += d.t.Format("15:04:05")
	case spec == "milliseconds":
		s += d.t.Format("15:04:05.000")
	default:
		s += d.t.Format("15:04:05.000000")
	}
	if d.zone != nil {
		s += d.zone.iso(":")
	}
	return s
}

// Str is str(d).
func (d moment) Str() string { return d.iso(" ", "auto") }

// Repr is repr(d).
func (d moment) Repr() string {
	parts := []int{d.t.Year(), int(d.t.Month()), d.t.Day()}
	if !d.date {
		parts = append(parts, d.t.Hour(), d.t.Minute(), d.t.Second(), d.t.Nanosecond()/1000)
		for len(parts) > 5 && parts[len(parts)-1] == 0 {
			parts = parts[:len(parts)-1]
		}
	}
	s := strings.Trim(strings.ReplaceAll(fmt.Sprint(parts), " ", ", "), "[]")
	if d.zone != nil {
		s += ", tzinfo=" + d.zone.Repr()
	}
	return d.Type().FullName() + "(" + s + ")"
}

// Format is format(d, spec).
func (d moment) Format(m *py.Machine, spec string) string { return strftime(m, d.t, d.zone, spec) }

// Hash is the hash of a key.
func (d moment) Hash() uint32 {
	n := d.utc().UnixMicro()
	return uint32(n) ^ uint32(n>>32)
}

// utc is the instant in UTC; a time without a zone counts as UTC.
func (d moment) utc() time.Time {
	if d.zone == nil {
		return d.t
	}
	return d.t.Add(-time.Duration(d.zone.offset) * time.Microsecond)
}

// Compare compares with another time that has a zone, too, or neither has.
func (d moment) Compare(other py.Value) (int, bool) {
	e, ok := other.(moment)
	if !ok || d.date != e.date || (d.zone == nil) != (e.zone == nil) {
		return 0, false
	}
	return d.utc().Compare(e.utc()), true
}

// Operate adds and subtracts.
func (d moment) Operate(m *py.Machine, op string, other py.Value, reflected bool) py.Value {
	switch o := other.(type) {
	case delta:
		if op == "-" && !reflected {
			return d.plus(m, -o)
		}
		if op == "+" {
			return d.plus(m, o)
		}
	case moment:
		if op == "-" && !reflected && d.date == o.date {
			if (d.zone == nil) != (o.zone == nil) {
				py.Raise(m, py.TypeError, "can't subtract offset-naive and offset-aware datetimes")
			}
			return delta(d.utc().UnixMicro() - o.utc().UnixMicro())
		}
	}
	return nil
}

func (d moment) plus(m *py.Machine, by delta) py.Value {
	if d.date {
		days, _, _ := by.parts()
		by = delta(days * day)
	}
	// Through microseconds: a time.Duration is too short for a difference of centuries.
	d.t = time.UnixMicro(d.t.UnixMicro() + int64(by)).UTC()
	return d.checked(m)
}

func (d moment) checked(m *py.Machine) py.Value {
	if y := d.t.Year(); y < 1 || y > 9999 {
		py.Raise(m, py.OverflowError, "date value out of range")
	}
	return d
}

// made makes a time of its parts, and checks each.
func made(m *py.Machine, n [7]int, zone *timezone, date bool) py.Value {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			py.Raise(m, py.ValueError, format, args...)
		}
	}
	check(n[0] >= 1 && n[0] <= 9999, "year %d is out of range", n[0])
	check(n[1] >= 1 && n[1] <= 12, "month must be in 1..12")
	check(n[2] >= 1 && n[2] <= daysIn(n[0], n[1]), "day is out of range for month")
	check(n[3] >= 0 && n[3] <= 23, "hour must be in 0..23")
	check(n[4] >= 0 && n[4] <= 59, "minute must be in 0..59")
	check(n[5] >= 0 && n[5] <= 59, "second must be in 0..59")
	check(n[6] >= 0 && n[6] <= 999999, "microsecond must be in 0..999999")
	return moment{time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1000, time.UTC), zone, date}
}

var dateParams = []string{"year", "month", "day", "hour=", "minute=", "second=", "microsecond=", "tzinfo=", "fold="}

func newDateTime(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "datetime", dateParams, false, args)
	var n [7]int
	for i := range n {
		if a[i] != nil {
			n[i] = builtin.Integer(m, a[i])
		}
	}
	return made(m, n, zoneOf(m, a[7]), false)
}

func newDate(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "date", dateParams[:3], false, args)
	return made(m, [7]int{builtin.Integer(m, a[0]), builtin.Integer(m, a[1]), builtin.Integer(m, a[2])}, nil, true)
}

// zoneOf is an optional tzinfo.
func zoneOf(m *py.Machine, v py.Value) *timezone {
	if !builtin.Given(v) {
		return nil
	}
	z, ok := v.(*timezone)
	if !ok {
		py.Raise(m, py.TypeError, "tzinfo argument must be None or of a tzinfo subclass, not type '%s'", v.Type().FullName())
	}
	return z
}

// inZone is the wall clock of an instant: of the machine's zone when z is nil.
func inZone(m *py.Machine, t time.Time, z *timezone) moment {
	t = time.UnixMicro(t.UnixMicro()).UTC()
	if z == nil {
		return moment{t: local(t, m.Zone)}
	}
	return moment{t: t.Add(time.Duration(z.offset) * time.Microsecond), zone: z}
}

// instant is the time on the time line: of the machine's zone without a zone.
func (d moment) instant(m *py.Machine) time.Time {
	if d.zone == nil {
		return instant(d.t, m.Zone)
	}
	return d.utc()
}

func midnight(d moment) moment {
	y, mo, dd := d.t.Date()
	return moment{t: time.Date(y, mo, dd, 0, 0, 0, 0, time.UTC), date: true}
}

func of(a []py.Value) moment { d, _ := a[0].(moment); return d }

func fromISO(m *py.Machine, a []py.Value, date bool) py.Value {
	s := builtin.Text(m, a[1], "fromisoformat: argument")
	if date {
		t, err := time.Parse("2006-01-02", s)
		if err != nil {
			py.Raise(m, py.ValueError, "Invalid isoformat string: %s", ops.Repr(m, a[1]))
		}
		return moment{t: t, date: true}
	}
	var d moment
	for _, format := range []string{"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"} {
		text := s
		if len(s) > 10 && strings.Contains(format, "T") {
			text = s[:10] + "T" + s[11:]
		}
		if py.Try(m, func() { d.t, d.zone = strptime(m, text, format) }) == nil {
			return d
		}
	}
	py.Raise(m, py.ValueError, "Invalid isoformat string: %s", ops.Repr(m, a[1]))
	return nil
}

var dateMethods = []def{
	{"isoformat", "self sep= timespec=", func(m *py.Machine, a []py.Value) py.Value {
		sep, spec := "T", "auto"
		if a[1] != nil {
			sep = builtin.Text(m, a[1], "sep")
		}
		if a[2] != nil {
			spec = builtin.Text(m, a[2], "timespec")
		}
		return py.Str(of(a).iso(sep, spec))
	}},
	{"strftime", "self format", func(m *py.Machine, a []py.Value) py.Value {
		return py.Str(strftime(m, of(a).t, of(a).zone, builtin.Text(m, a[1], "format")))
	}},
	{"weekday", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Int((of(a).t.Weekday() + 6) % 7) }},
	{"isoweekday", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Int((of(a).t.Weekday()+6)%7 + 1) }},
	{"isocalendar", "self", func(m *py.Machine, a []py.Value) py.Value {
		y, w := of(a).t.ISOWeek()
		return py.NewTuple(py.Int(y), py.Int(w), py.Int((of(a).t.Weekday()+6)%7+1))
	}},
	{"toordinal", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Int(of(a).t.Unix()/86400 + 719163) }},
	{"timetuple", "self", func(m *py.Machine, a []py.Value) py.Value { return newStructTime(of(a).t, -1) }},
	{"ctime", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Str(of(a).t.Format("Mon Jan _2 15:04:05 2006")) }},
	{"replace", "self year= month= day= hour= minute= second= microsecond= tzinfo= fold=", func(m *py.Machine, a []py.Value) py.Value {
		d := of(a)
		n := [7]int{d.t.Year(), int(d.t.Month()), d.t.Day(), d.t.Hour(), d.t.Minute(), d.t.Second(), d.t.Nanosecond() / 1000}
		for i := range n {
			if a[i+1] != nil {
				n[i] = builtin.Integer(m, a[i+1])
			}
		}
		if a[8] != nil {
			d.zone = zoneOf(m, a[8])
		}
		return made(m, n, d.zone, d.date)
	}},
	{"today", "cls", func(m *py.Machine, a []py.Value) py.Value {
		d := inZone(m, m.Now(), nil)
		if a[0] == py.Value(dateType) {
			return midnight(d)
		}
		return d
	}},
	{"fromisoformat", "cls text", func(m *py.Machine, a []py.Value) py.Value { return fromISO(m, a, a[0] == py.Value(dateType)) }},
	{"fromtimestamp", "cls timestamp tz=", func(m *py.Machine, a []py.Value) py.Value {
		d := inZone(m, fromSeconds(m, a[1]), zoneOf(m, a[2]))
		if a[0] == py.Value(dateType) {
			return midnight(d)
		}
		return d
	}},
}

var dateTimeMethods = []def{
	{"now", "cls tz=", func(m *py.Machine, a []py.Value) py.Value { return inZone(m, m.Now(), zoneOf(m, a[1])) }},
	{"utcnow", "cls", func(m *py.Machine, a []py.Value) py.Value { return moment{t: inZone(m, m.Now(), utc).t} }},
	{"utcfromtimestamp", "cls timestamp", func(m *py.Machine, a []py.Value) py.Value { return moment{t: fromSeconds(m, a[1])} }},
	{"strptime", "cls text format", func(m *py.Machine, a []py.Value) py.Value {
		t, zone := strptime(m, builtin.Text(m, a[1], "strptime() argument 1"), builtin.Text(m, a[2], "strptime() argument 2"))
		return moment{t: t, zone: zone}
	}},
	{"combine", "cls date time", func(m *py.Machine, a []py.Value) py.Value {
		d, ok := a[1].(moment)
		c, ok2 := a[2].(clock)
		if !ok || !ok2 {
			py.Raise(m, py.TypeError, "combine() wants a date and a time")
		}
		d = midnight(d)
		return moment{t: d.t.Add(time.Duration(c.micros) * time.Microsecond), zone: c.zone}
	}},
	{"timestamp", "self", func(m *py.Machine, a []py.Value) py.Value { return toSeconds(of(a).instant(m)) }},
	{"date", "self", func(m *py.Machine, a []py.Value) py.Value { return midnight(of(a)) }},
	{"time", "self", func(m *py.Machine, a []py.Value) py.Value { return clockOf(of(a).t, nil) }},
	{"timetz", "self", func(m *py.Machine, a []py.Value) py.Value { return clockOf(of(a).t, of(a).zone) }},
	{"utctimetuple", "self", func(m *py.Machine, a []py.Value) py.Value { return newStructTime(of(a).utc(), 0) }},
	{"astimezone", "self tz=", func(m *py.Machine, a []py.Value) py.Value {
		t, z := of(a).instant(m), zoneOf(m, a[1])
		if z == nil {
			name, offset := t.In(m.Zone).Zone()
			z = newZone(delta(int64(offset)*second), name)
		}
		return inZone(m, t, z)
	}},
	{"utcoffset", "self", func(m *py.Machine, a []py.Value) py.Value {
		if z := of(a).zone; z != nil {
			return z.offset
		}
		return py.None
	}},
	{"tzname", "self", func(m *py.Machine, a []py.Value) py.Value {
		if z := of(a).zone; z != nil {
			return py.Str(z.Str())
		}
		return py.None
	}},
}

func datetimeModule() map[string]py.Value {
	for _, t := range []*py.Type{dateType, dateTimeType, deltaType, zoneType, clockType} {
		t.Module = "datetime"
	}
	dateType.New, dateTimeType.New, deltaType.New, zoneType.New, clockType.New = newDate, newDateTime, newDelta, newTimezone, newClock
	methods(dateType, dateMethods)
	methods(dateTimeType, dateTimeMethods)
	methods(deltaType, deltaMethods())
	methods(clockType, clockMethods)
	zoneType.Attrs = map[string]py.Value{"utc": utc}
	deltaType.Attrs["max"], deltaType.Attrs["min"] = delta(maxDelta), delta(-maxDelta)
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	dateTimeType.Attrs["min"], dateTimeType.Attrs["max"] = moment{t: first}, moment{t: last}
	return map[string]py.Value{
		"datetime": dateTimeType, "date": dateType, "time": clockType, "timedelta": deltaType, "timezone": zoneType,
		"UTC": utc, "MINYEAR": py.Int(1), "MAXYEAR": py.Int(9999),
	}
}
