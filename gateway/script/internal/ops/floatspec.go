package ops

import (
	"math"
	"strconv"
	"strings"

	"pithings/gateway/script/internal/py"
)

func (sp *spec) float(m *py.Machine, v py.Value) string {
	f := Number(m, v)
	digits := sp.digits(m, v, math.Abs(f))
	negative := math.Signbit(f) && !math.IsNaN(f)
	switch {
	case strings.IndexByte("iInN", digits[0]) >= 0: // inf or nan, also of a percentage
		sp.group = 0
	case sp.noMinus && isZero(digits):
		negative = false
	}
	return sp.padNumber(sp.signed(negative), digits)
}

// isZero reports whether a number has been rounded to zero.
func isZero(s string) bool {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		s = s[:i]
	}
	return !strings.ContainsAny(s, "123456789")
}

// digits is a float that is not negative.
func (sp *spec) digits(m *py.Machine, v py.Value, f float64) string {
	p := sp.precision
	if p < 0 {
		p = 6
	}
	percent := ""
	if sp.verb == '%' {
		f, percent = f*100, "%"
	}
	m.Alloc(p + 330)
	var s string
	switch sp.verb {
	case 'f', 'F', '%':
		s = sp.pointed(strconv.FormatFloat(f, 'f', p, 64))
	case 'e', 'E':
		s = sp.pointed(strconv.FormatFloat(f, 'e', p, 64))
	case 'g', 'G', 'n':
		s = sp.pointed(general(f, p, false, sp.alternate))
	case 0:
		if s = FloatRepr(f); sp.precision >= 0 {
			s = general(f, p, true, sp.alternate)
		}
		s = sp.pointed(s)
	default:
		sp.unknown(m, v)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		s = FloatRepr(f)
	}
	if sp.verb == 'F' || sp.verb == 'E' || sp.verb == 'G' {
		s = strings.ToUpper(s)
	}
	return s + percent
}

// pointed gives the alternate form of a number its point.
func (sp *spec) pointed(s string) string {
	if !sp.alternate || strings.Contains(s, ".") {
		return s
	}
	if i := strings.IndexByte(s, 'e'); i >= 0 {
		return s[:i] + "." + s[i:]
	}
	return s + "."
}

// general is the format 'g': p significant digits, without zeros at the end. A float that has
// to look like one keeps a digit behind the point, and has an exponent where there is none
// left for it: 134 with three digits is 1.34e+02. See format_float_short of CPython's
// Python/pystrtod.c.
func general(f float64, p int, isFloat, keepZeros bool) string {
	p = max(p, 1)
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return ""
	}
	before := p // digits before the point at most
	if isFloat {
		before--
	}
	s := strconv.FormatFloat(f, 'e', p-1, 64)
	exponent, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exponent < -4 || exponent >= before {
		digits, e, _ := strings.Cut(s, "e")
		if !keepZeros {
			digits = trimZeros(digits)
		}
		return digits + "e" + e
	}
	s = strconv.FormatFloat(f, 'f', p-1-exponent, 64)
	if !keepZeros {
		s = trimZeros(s)
	}
	if isFloat && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
