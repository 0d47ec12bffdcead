package ops

import (
	"strings"

	"pithings/gateway/script/internal/py"
)

// Percent is "format % arg".
func Percent(m *py.Machine, format string, arg py.Value) string {
	p := &percent{m: m, format: format, arg: arg}
	if t, ok := arg.(*py.Tuple); ok {
		p.args, p.tuple = t.Items, true
	} else {
		p.args = []py.Value{arg}
	}
	return p.fill()
}

type percent struct {
	m      *py.Machine
	format string
	at     int
	arg    py.Value
	args   []py.Value
	tuple  bool
	used   int
	named  bool // fields took their values by name
	out    strings.Builder
}

func (p *percent) fill() string {
	for p.at < len(p.format) {
		n := strings.IndexByte(p.format[p.at:], '%')
		if n < 0 {
			n = len(p.format) - p.at
		}
		p.write(p.format[p.at : p.at+n])
		if p.at += n; p.at < len(p.format) {
			p.at++
			p.field()
		}
	}
	if p.used < len(p.args) && !p.named {
		_, isDict := p.arg.(*py.Dict)
		if p.tuple || !isDict {
			py.Raise(p.m, py.TypeError, "not all arguments converted during string formatting")
		}
	}
	return p.out.String()
}

func (p *percent) write(s string) {
	p.m.Alloc(len(s))
	p.out.WriteString(s)
}

func (p *percent) next() py.Value {
	if p.used >= len(p.args) {
		py.Raise(p.m, py.TypeError, "not enough arguments for format string")
	}
	p.used++
	return p.args[p.used-1]
}

func (p *percent) peek() byte {
	if p.at >= len(p.format) {
		py.Raise(p.m, py.ValueError, "incomplete format")
	}
	return p.format[p.at]
}

// name reads "(key)" and returns the value under it, or nil.
func (p *percent) name() py.Value {
	if p.peek() != '(' {
		return nil
	}
	end := strings.IndexByte(p.format[p.at:], ')')
	if end < 0 {
		py.Raise(p.m, py.ValueError, "incomplete format key")
	}
	key := p.format[p.at+1 : p.at+end]
	p.at += end + 1
	switch p.arg.(type) {
	case *py.Tuple, py.Str, py.Int, py.Float, py.Bool, py.NoneType, *py.List:
		py.Raise(p.m, py.TypeError, "format requires a mapping")
	}
	p.named = true
	return Index(p.m, p.arg, py.Str(key))
}

func (p *percent) field() {
	v := p.name()
	sp := spec{fill: " ", precision: -1}
	zero := false
flags:
	for {
		switch c := p.peek(); c {
		case '-':
			sp.align = '<'
		case '0':
			zero = true
		case '#':
			sp.alternate = true
		case '+':
			sp.sign = c
		case ' ':
			if sp.sign == 0 {
				sp.sign = c
			}
		default:
			break flags
		}
		p.at++
	}
	if sp.width = p.number(); sp.width < 0 {
		sp.width, sp.align = -sp.width, '<'
	}
	if p.peek() == '.' {
		p.at++
		sp.precision = max(p.number(), 0)
	}
	for p.peek() == 'l' || p.peek() == 'h' || p.peek() == 'L' {
		p.at++
	}
	verb := p.peek()
	p.at++
	if verb == '%' {
		p.write("%")
		return
	}
	if v == nil {
		v = p.next()
	}
	if zero && sp.align == 0 && strings.IndexByte("srac", verb) < 0 {
		sp.align, sp.fill = '=', "0"
	}
	p.write(p.convert(sp, verb, v))
}

func (p *percent) number() int {
	if p.peek() == '*' {
		p.at++
		n, ok := py.ToInt(p.next())
		if !ok {
			py.Raise(p.m, py.TypeError, "* wants int")
		}
		n = min(max(n, -maxWidth), maxWidth)
		p.m.Alloc(int(max(n, -n)))
		return int(n)
	}
	n := 0
	for ; p.peek() >= '0' && p.peek() <= '9'; p.at++ {
		n = min(n*10+int(p.peek()-'0'), maxWidth)
	}
	p.m.Alloc(n)
	return n
}

func (p *percent) convert(sp spec, verb byte, v py.Value) string {
	switch verb {
	case 's':
		return sp.pad(cut(ToStr(p.m, v), sp.precision), '>')
	case 'r':
		return sp.pad(cut(Repr(p.m, v), sp.precision), '>')
	case 'a':
		return sp.pad(cut(ASCII(p.m, v), sp.precision), '>')
	case 'c':
		if s, ok := v.(py.Str); ok && len([]rune(s)) == 1 {
			return sp.pad(string(s), '>')
		}
		if n, ok := py.ToInt(v); ok && n >= 0 && n < 0x110000 {
			return sp.pad(string(rune(n)), '>')
		}
		py.Raise(p.m, py.TypeError, "%%c requires int or char")
	case 'd', 'i', 'u', 'x', 'X', 'o':
		return p.integer(sp, verb, v)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if !IsNumber(v) {
			py.Raise(p.m, py.TypeError, "must be real number, not %s", v.Type().FullName())
		}
		sp.verb = verb
		return sp.float(p.m, v)
	}
	py.Raise(p.m, py.ValueError, "unsupported format character '%c' (0x%x) at index %d", verb, verb, p.at-1)
	return ""
}

func (p *percent) integer(sp spec, verb byte, v py.Value) string {
	if f, ok := v.(py.Float); ok && (verb == 'd' || verb == 'i' || verb == 'u') {
		v = Truncate(p.m, float64(f))
	}
	if py.ToBig(v) == nil {
		kind := "a real number"
		if strings.IndexByte("xXo", verb) >= 0 {
			kind = "an integer"
		}
		py.Raise(p.m, py.TypeError, "%%%c format: %s is required, not %s", verb, kind, v.Type().FullName())
	}
	if sp.verb = verb; verb == 'i' || verb == 'u' {
		sp.verb = 'd'
	}
	b := py.ToBig(v)
	prefix, digits := sp.whole(p.m, b)
	if missing := sp.precision - len(digits); missing > 0 { // of an integer: so many digits
		digits = strings.Repeat("0", missing) + digits
	}
	return sp.padNumber(sp.signed(b.Sign() < 0)+prefix, digits)
}
