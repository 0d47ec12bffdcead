package lib

import (
	"math"
	"strings"
	"sync"
	"time"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// structTime is time.struct_time, a named tuple of nine fields.
var structTime = sync.OnceValue(func() *py.Type {
	t := py.NewClass(nil, "struct_time", []*py.Type{py.TupleType}, map[string]py.Value{})
	t.Module = "time"
	fields := &py.Tuple{}
	for i, name := range []string{"tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst"} {
		fields.Items = append(fields.Items, py.Str(name))
		t.Attrs[name] = &py.Wrapped{Kind: py.PropertyType, Func: builtin.Function(name, "self", func(m *py.Machine, a []py.Value) py.Value {
			return ops.Index(m, a[0], py.Int(i))
		})}
	}
	t.Attrs["_fields"] = fields
	return t
})

func newStructTime(t time.Time, dst int) py.Value {
	weekday := (int(t.Weekday()) + 6) % 7
	out := &py.Tuple{Class: structTime()}
	for _, n := range []int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), weekday, t.YearDay(), dst} {
		out.Items = append(out.Items, py.Int(n))
	}
	return out
}

// wall is the time of a struct_time, or of a tuple of as many integers, in UTC.
func wall(m *py.Machine, v py.Value) time.Time {
	t, ok := v.(*py.Tuple)
	if !ok || len(t.Items) != 9 {
		py.Raise(m, py.TypeError, "a time tuple has 9 elements")
	}
	var n [9]int
	for i, x := range t.Items {
		n[i] = builtin.Integer(m, x)
	}
	if n[0] < 1 || n[0] > 9999 || n[1] < 0 || n[1] > 12 || n[2] < 0 || n[2] > 31 || n[3] < 0 || n[3] > 23 || n[4] < 0 || n[4] > 59 || n[5] < 0 || n[5] > 61 {
		py.Raise(m, py.ValueError, "a part of the time is out of range")
	}
	return time.Date(n[0], time.Month(max(n[1], 1)), max(n[2], 1), n[3], n[4], n[5], 0, time.UTC)
}

// local is the wall clock of a zone, as a time in UTC.
func local(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is the time at which the wall clock of a zone shows t.
func instant(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// fromSeconds is the time of a timestamp, rounded to microseconds as CPython does.
func fromSeconds(m *py.Machine, v py.Value) time.Time {
	seconds := float(m, v)
	if math.IsNaN(seconds) {
		py.Raise(m, py.ValueError, "cannot convert float NaN to integer")
	}
	whole, fraction := math.Modf(seconds)
	if whole < -62135596800 || whole > 253402300799 { // the years 1 to 9999
		py.Raise(m, py.ValueError, "year is out of range")
	}
	return time.Unix(int64(whole), int64(math.RoundToEven(fraction*1e6))*1000).UTC()
}

func toSeconds(t time.Time) py.Value {
	return py.Float(float64(t.Unix()) + float64(float64(t.Nanosecond())/1e9))
}

// orNow is the time of an optional timestamp.
func orNow(m *py.Machine, v py.Value) time.Time {
	if builtin.Given(v) {
		return fromSeconds(m, v)
	}
	return m.Now()
}

func isDST(t time.Time) int {
	if t.IsDST() {
		return 1
	}
	return 0
}

func timeModule() map[string]py.Value {
	localtime := func(m *py.Machine, v py.Value) py.Value {
		t := orNow(m, v).In(m.Zone)
		return newStructTime(local(t, m.Zone), isDST(t))
	}
	ascii := func(t time.Time) py.Value { return py.Str(t.Format("Mon Jan _2 15:04:05 2006")) }
	start := time.Now()
	return functions([]def{
		{"time", "", func(m *py.Machine, _ []py.Value) py.Value { return toSeconds(m.Now()) }},
		{"time_ns", "", func(m *py.Machine, _ []py.Value) py.Value { return py.Int(m.Now().UnixNano()) }},
		{"monotonic", "", func(*py.Machine, []py.Value) py.Value { return py.Float(time.Since(start).Seconds()) }},
		{"perf_counter", "", func(*py.Machine, []py.Value) py.Value { return py.Float(time.Since(start).Seconds()) }},
		{"sleep", "secs", func(m *py.Machine, a []py.Value) py.Value {
			seconds := float(m, a[0])
			if !(seconds >= 0) {
				py.Raise(m, py.ValueError, "sleep length must be non-negative")
			}
			m.Sleep(time.Duration(min(seconds, 1e6) * float64(time.Second)))
			return py.None
		}},
		{"gmtime", "secs=", func(m *py.Machine, a []py.Value) py.Value { return newStructTime(orNow(m, a[0]).UTC(), 0) }},
		{"localtime", "secs=", func(m *py.Machine, a []py.Value) py.Value { return localtime(m, a[0]) }},
		{"mktime", "t", func(m *py.Machine, a []py.Value) py.Value { return toSeconds(instant(wall(m, a[0]), m.Zone)) }},
		{"strftime", "format t=", func(m *py.Machine, a []py.Value) py.Value {
			v := a[1]
			if v == nil {
				v = localtime(m, nil)
			}
			return py.Str(strftime(m, wall(m, v), nil, builtin.Text(m, a[0], "format")))
		}},
		{"strptime", "string format=", func(m *py.Machine, a []py.Value) py.Value {
			format := "%a %b %d %H:%M:%S %Y"
			if a[1] != nil {
				format = builtin.Text(m, a[1], "format")
			}
			t, _ := strptime(m, builtin.Text(m, a[0], "the text"), format)
			return newStructTime(t, -1)
		}},
		{"ctime", "secs=", func(m *py.Machine, a []py.Value) py.Value { return ascii(local(orNow(m, a[0]), m.Zone)) }},
		{"asctime", "t=", func(m *py.Machine, a []py.Value) py.Value {
			v := a[0]
			if v == nil {
				v = localtime(m, nil)
			}
			return ascii(wall(m, v))
		}},
	}, map[string]py.Value{"struct_time": structTime()})
}

// strftime writes a time by the codes that C has. zone is nil for a time without one.
func strftime(m *py.Machine, t time.Time, zone *timezone, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		m.Alloc(8)
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		b.WriteString(directive(t, zone, format[i]))
	}
	return b.String()
}

func directive(t time.Time, zone *timezone, code byte) string {
	week := func(first time.Weekday) string {
		day := (int(t.Weekday()) - int(first) + 7) % 7
		return pad((t.YearDay()-1+7-day)/7, 2)
	}
	switch code {
	case 'Y':
		return t.Format("2006")
	case 'C':
		return pad(t.Year()/100, 2)
	case 'U':
		return week(time.Sunday)
	case 'W':
		return week(time.Monday)
	case 'G':
		year, _ := t.ISOWeek()
		return pad(year, 4)
	case 'V':
		_, n := t.ISOWeek()
		return pad(n, 2)
	case 'f':
		return pad(t.Nanosecond()/1000, 6)
	case 'j':
		return pad(t.YearDay(), 3)
	case 'w':
		return pad(int(t.Weekday()), 1)
	case 'u':
		return pad((int(t.Weekday())+6)%7+1, 1)
	case 'z':
		if zone != nil {
			return zone.iso("")
		}
		return ""
	case 'Z':
		if zone != nil {
			return zone.Str()
		}
		return ""
	case '%':
		return "%"
	}
	if layout := layouts[code]; layout != "" {
		return t.Format(layout)
	}
	return "%" + string([]byte{code})
}

var layouts = map[byte]string{
	'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January",
	'p': "PM", 'I': "03", 'e': "_2", 'D': "01/02/06", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'n': "\n", 't': "\t",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
}

func pad(n, width int) string {
	s := ""
	for n > 0 || len(s) == 0 {
		s = string([]byte{byte('0' + n%10)}) + s
		n /= 10
	}
	return strings.Repeat("0", max(width-len(s), 0)) + s
}
