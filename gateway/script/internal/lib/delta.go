package lib

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// delta is a timedelta, in microseconds.
type delta int64

const (
	second = 1_000_000
	day    = 24 * 3600 * second
	// maxDelta bounds a difference at about 10,000 years.
	maxDelta = 3_700_000 * day
)

var (
	deltaType = py.NewType("timedelta", py.ObjectType)
	zoneType  = py.NewType("timezone", py.ObjectType)
)

func (delta) Type() *py.Type { return deltaType }

// parts are days, seconds and microseconds, the last two not negative.
func (d delta) parts() (days, seconds, micros int64) {
	days = int64(d) / day
	rest := int64(d) % day
	if rest < 0 {
		days--
		rest += day
	}
	return days, rest / second, rest % second
}

// Attr returns days, seconds and microseconds.
func (d delta) Attr(_ *py.Machine, name string) py.Value {
	days, seconds, micros := d.parts()
	switch name {
	case "days":
		return py.Int(days)
	case "seconds":
		return py.Int(seconds)
	case "microseconds":
		return py.Int(micros)
	}
	return nil
}

// Str is str(d).
func (d delta) Str() string {
	days, seconds, micros := d.parts()
	s := fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	if micros != 0 {
		s += fmt.Sprintf(".%06d", micros)
	}
	switch days {
	case 0:
		return s
	case 1, -1:
		return fmt.Sprintf("%d day, %s", days, s)
	}
	return fmt.Sprintf("%d days, %s", days, s)
}

// Repr is repr(d).
func (d delta) Repr() string {
	var parts []string
	days, seconds, micros := d.parts()
	for _, p := range []struct {
		name string
		n    int64
	}{{"days", days}, {"seconds", seconds}, {"microseconds", micros}} {
		if p.n != 0 {
			parts = append(parts, p.name+"="+strconv.FormatInt(p.n, 10))
		}
	}
	if len(parts) == 0 {
		return "datetime.timedelta(0)"
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
}

// Truth is false for a difference of nothing.
func (d delta) Truth() bool { return d != 0 }

// Hash is the hash of a key.
func (d delta) Hash() uint32 { return uint32(d) ^ uint32(d>>32) }

// Abs is abs(d).
func (d delta) Abs() py.Value {
	if d < 0 {
		return -d
	}
	return d
}

// Compare compares with another difference.
func (d delta) Compare(other py.Value) (int, bool) {
	e, ok := other.(delta)
	switch {
	case d < e:
		return -1, ok
	case d > e:
		return 1, ok
	}
	return 0, ok
}

// Operate is arithmetic with differences and numbers.
func (d delta) Operate(m *py.Machine, op string, other py.Value, reflected bool) py.Value {
	if e, ok := other.(delta); ok {
		if reflected {
			d, e = e, d
		}
		return d.with(m, op, e)
	}
	f, isFloat := other.(py.Float)
	n, isInt := py.ToInt(other)
	switch {
	case op == "*" && isInt:
		return checkedDelta(m, float64(d)*float64(n), int64(d)*n)
	case op == "*" && isFloat:
		x := math.RoundToEven(float64(d) * float64(f))
		return checkedDelta(m, x, int64(x))
	case reflected || !isInt && !isFloat:
		return nil
	case op == "/":
		y, _ := py.ToFloat(other)
		if y == 0 {
			py.Raise(m, py.ZeroDivisionError, "division by zero")
		}
		x := math.RoundToEven(float64(d) / y)
		return checkedDelta(m, x, int64(x))
	case op == "//" && isInt:
		q, ok := ops.Binary(m, "//", py.Int(d), py.Int(n)).(py.Int)
		if ok {
			return delta(q)
		}
	}
	return nil
}

func (d delta) with(m *py.Machine, op string, e delta) py.Value {
	switch op {
	case "+":
		return checkedDelta(m, float64(d)+float64(e), int64(d+e))
	case "-":
		return checkedDelta(m, float64(d)-float64(e), int64(d-e))
	case "/":
		return ops.Binary(m, "/", py.Int(d), py.Int(e))
	case "//":
		return ops.Binary(m, "//", py.Int(d), py.Int(e))
	case "%":
		if r, ok := ops.Binary(m, "%", py.Int(d), py.Int(e)).(py.Int); ok {
			return delta(r)
		}
	}
	return nil
}

// checkedDelta is exact, unless the float near it is out of range.
func checkedDelta(m *py.Machine, near float64, exact int64) py.Value {
	if !(math.Abs(near) <= maxDelta) {
		py.Raise(m, py.OverflowError, "days=%.0f; must have magnitude <= %d", near/day, int64(maxDelta/day))
	}
	return delta(exact)
}

func newDelta(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	params := []string{"days=", "seconds=", "microseconds=", "milliseconds=", "minutes=", "hours=", "weeks="}
	units := []int64{day, second, 1, 1000, 60 * second, 3600 * second, 7 * day}
	total, rest := int64(0), 0.0
	for i, v := range py.Bind(m, "timedelta", params, false, args) {
		if v == nil {
			continue
		}
		f := float(m, v)
		checkedDelta(m, f*float64(units[i]), 0)
		if n, ok := py.ToInt(v); ok {
			total += n * units[i]
			continue
		}
		whole, fraction := math.Modf(f)
		total += int64(whole) * units[i]
		rest += float64(fraction * float64(units[i]))
	}
	total += int64(math.RoundToEven(rest))
	return checkedDelta(m, float64(total), total)
}

func deltaMethods() []def {
	return []def{
		{"total_seconds", "self", func(m *py.Machine, a []py.Value) py.Value {
			d, _ := a[0].(delta)
			return ops.Binary(m, "/", py.Int(d), py.Int(second))
		}},
	}
}

// timezone is a fixed offset from UTC.
type timezone struct {
	offset delta
	name   string
}

var utc = &timezone{name: "UTC"}

func newZone(offset delta, name string) *timezone {
	if offset == 0 && name == "" {
		return utc
	}
	return &timezone{offset, name}
}

func (*timezone) Type() *py.Type { return zoneType }

// iso is the offset as +hh:mm, with sep between the parts.
func (z *timezone) iso(sep string) string {
	sign, d := "+", int64(z.offset)
	if d < 0 {
		sign, d = "-", -d
	}
	s := fmt.Sprintf("%s%02d%s%02d", sign, d/second/3600, sep, d/second/60%60)
	if d/second%60 != 0 {
		s += fmt.Sprintf("%s%02d", sep, d/second%60)
	}
	return s
}

// Str is the name: UTC, or UTC and the offset.
func (z *timezone) Str() string {
	if z.name != "" {
		return z.name
	}
	return "UTC" + z.iso(":")
}

// Repr is repr(z).
func (z *timezone) Repr() string {
	if z == utc {
		return "datetime.timezone.utc"
	}
	s := "datetime.timezone(" + z.offset.Repr()
	if z.name != "" {
		s += ", '" + z.name + "'"
	}
	return s + ")"
}

// Compare compares offsets.
func (z *timezone) Compare(other py.Value) (int, bool) {
	o, ok := other.(*timezone)
	if !ok {
		return 0, false
	}
	return z.offset.Compare(o.offset)
}

// Hash is the hash of a key.
func (z *timezone) Hash() uint32 { return z.offset.Hash() }

func newTimezone(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "timezone", []string{"offset", "name="}, false, args)
	d, ok := a[0].(delta)
	if !ok {
		py.Raise(m, py.TypeError, "timezone() argument 1 must be datetime.timedelta, not %s", a[0].Type().FullName())
	}
	if d <= -day || d >= day {
		py.Raise(m, py.ValueError, "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24).")
	}
	name := ""
	if a[1] != nil {
		name = builtin.Text(m, a[1], "name")
	}
	return newZone(d, name)
}
