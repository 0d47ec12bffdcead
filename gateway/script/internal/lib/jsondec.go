package lib

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// decoder reads JSON as CPython's json does, with its errors.
type decoder struct {
	m          *py.Machine
	s          string
	at         int
	hook       py.Value // object_hook=
	pairs      py.Value // object_pairs_hook=
	parseFloat py.Value
	parseInt   py.Value
}

func loads(m *py.Machine, a []py.Value) py.Value {
	d := &decoder{m: m, hook: optional(a[1]), pairs: optional(a[2]), parseFloat: optional(a[3]), parseInt: optional(a[4])}
	switch x := a[0].(type) {
	case py.Str:
		d.s = string(x)
	case py.Bytes, *py.ByteArray:
		d.s, _ = py.ToBytes(x)
		if !utf8.ValidString(d.s) {
			py.Raise(m, py.UnicodeDecodeError, "'utf-8' codec can't decode the bytes")
		}
	default:
		py.Raise(m, py.TypeError, "the JSON object must be str, bytes or bytearray, not %s", x.Type().Name)
	}
	if strings.HasPrefix(d.s, "\ufeff") {
		d.fail("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0)
	}
	m.Work(len(d.s) / 64)
	d.space()
	v := d.value()
	d.space()
	if d.at < len(d.s) {
		d.fail("Extra data", d.at)
	}
	return v
}

// Parse is json.loads(s).
func Parse(m *py.Machine, s string) py.Value {
	return loads(m, []py.Value{py.Str(s), nil, nil, nil, nil})
}

func optional(v py.Value) py.Value {
	if !builtin.Given(v) {
		return nil
	}
	return v
}

// fail raises JSONDecodeError for a place in the text, which counts characters.
func (d *decoder) fail(message string, at int) {
	before := d.s[:min(at, len(d.s))]
	char := utf8.RuneCountInString(before)
	line := 1 + strings.Count(before, "\n")
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	exc := py.NewException(py.JSONDecodeError, py.Str(message+": line "+strconv.Itoa(line)+" column "+strconv.Itoa(column)+" (char "+strconv.Itoa(char)+")"))
	for name, v := range map[string]py.Value{"msg": py.Str(message), "doc": py.Str(d.s), "pos": py.Int(char), "lineno": py.Int(line), "colno": py.Int(column)} {
		exc.Attrs.Set(name, v)
	}
	py.Throw(d.m, exc)
}

func (d *decoder) peek() byte {
	if d.at < len(d.s) {
		return d.s[d.at]
	}
	return 0
}

func (d *decoder) space() {
	for strings.IndexByte(" \t\n\r", d.peek()) >= 0 && d.at < len(d.s) {
		d.at++
	}
}

func (d *decoder) value() py.Value {
	d.m.Step()
	switch c := d.peek(); {
	case c == '"':
		s := d.string()
		return py.Str(s)
	case c == '{':
		return d.object()
	case c == '[':
		return d.array()
	case c == '-' || c >= '0' && c <= '9':
		if v := d.number(); v != nil {
			return v
		}
	}
	for word, v := range words {
		if strings.HasPrefix(d.s[d.at:], word) {
			d.at += len(word)
			return v
		}
	}
	d.fail("Expecting value", d.at)
	return nil
}

var words = func() map[string]py.Value {
	inf, _ := strconv.ParseFloat("inf", 64)
	return map[string]py.Value{
		"null": py.None, "true": py.Bool(true), "false": py.Bool(false),
		"NaN": py.Float(inf - inf), "Infinity": py.Float(inf), "-Infinity": py.Float(-inf),
	}
}()

// number returns nil for what is none.
func (d *decoder) number() py.Value {
	i := d.at
	digits := func() bool {
		from := i
		for i < len(d.s) && d.s[i] >= '0' && d.s[i] <= '9' {
			i++
		}
		return i > from
	}
	if d.s[i] == '-' {
		i++
	}
	if i < len(d.s) && d.s[i] == '0' {
		i++
	} else if !digits() {
		return nil
	}
	whole := true
	if i+1 < len(d.s) && d.s[i] == '.' && d.s[i+1] >= '0' && d.s[i+1] <= '9' {
		i++
		digits()
		whole = false
	}
	if i < len(d.s) && d.s[i]|0x20 == 'e' {
		before := i
		if i++; i < len(d.s) && (d.s[i] == '+' || d.s[i] == '-') {
			i++
		}
		if digits() {
			whole = false
		} else {
			i = before
		}
	}
	text := d.s[d.at:i]
	d.at = i
	d.m.Alloc(16)
	switch {
	case !whole && d.parseFloat != nil:
		return py.Call(d.m, d.parseFloat, py.Str(text))
	case !whole:
		f, _ := strconv.ParseFloat(text, 64)
		return py.Float(f)
	case d.parseInt != nil:
		return py.Call(d.m, d.parseInt, py.Str(text))
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return py.Int(n)
	}
	if len(text) > 4300 {
		py.Raise(d.m, py.ValueError, "Exceeds the limit (4300 digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", len(text))
	}
	d.m.Alloc(len(text))
	b, _ := new(big.Int).SetString(text, 10)
	return py.NewInt(b)
}

func (d *decoder) string() string {
	begin := d.at
	d.at++
	var b strings.Builder
	for {
		from := d.at
		for d.at < len(d.s) && d.s[d.at] != '"' && d.s[d.at] != '\\' && d.s[d.at] >= ' ' {
			d.at++
		}
		d.m.Alloc(d.at - from + 1)
		b.WriteString(d.s[from:d.at])
		if d.at >= len(d.s) {
			d.fail("Unterminated string starting at", begin)
		}
		switch d.s[d.at] {
		case '"':
			d.at++
			d.m.Alloc(16)
			return b.String()
		case '\\':
			b.WriteRune(d.escaped(begin))
		default:
			d.fail("Invalid control character at", d.at)
		}
	}
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (d *decoder) escaped(begin int) rune {
	at := d.at
	if d.at++; d.at >= len(d.s) {
		d.fail("Unterminated string starting at", begin)
	}
	c := d.s[d.at]
	d.at++
	if c != 'u' {
		r, known := escapes[c]
		if !known {
			d.fail("Invalid \\escape", at)
		}
		return r
	}
	r := d.unit()
	if r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(d.s[d.at:], `\u`) {
		before := d.at
		d.at += 2
		if low := d.unit(); low >= 0xdc00 && low < 0xe000 {
			return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
		}
		d.at = before
	}
	return r
}

// unit reads four hexadecimal digits.
func (d *decoder) unit() rune {
	if d.at+4 <= len(d.s) {
		if n, err := strconv.ParseUint(d.s[d.at:d.at+4], 16, 16); err == nil {
			d.at += 4
			return rune(n)
		}
	}
	d.fail("Invalid \\uXXXX escape", d.at-1)
	return 0
}

func (d *decoder) array() py.Value {
	d.m.Enter()
	defer d.m.Leave()
	d.m.Alloc(40)
	l := &py.List{}
	d.at++
	if d.space(); d.peek() == ']' {
		d.at++
		return l
	}
	for {
		v := d.value()
		d.m.Alloc(32)
		l.Items = append(l.Items, v)
		d.space()
		switch d.peek() {
		case ']':
			d.at++
			return l
		case ',':
			d.at++
			d.space()
		default:
			d.fail("Expecting ',' delimiter", d.at)
		}
	}
}

func (d *decoder) object() py.Value {
	d.m.Enter()
	defer d.m.Leave()
	d.m.Alloc(80)
	o := py.NewDict()
	var pairs []py.Value
	d.at++
	if d.space(); d.peek() == '}' {
		d.at++
		return d.hooked(o, pairs)
	}
	for {
		if d.peek() != '"' {
			d.fail("Expecting property name enclosed in double quotes", d.at)
		}
		key := py.Str(d.string())
		if d.space(); d.peek() != ':' {
			d.fail("Expecting ':' delimiter", d.at)
		}
		d.at++
		d.space()
		v := d.value()
		if d.pairs != nil {
			d.m.Alloc(96)
			pairs = append(pairs, py.NewTuple(key, v))
		} else {
			o.Set(d.m, key, v)
		}
		d.space()
		switch d.peek() {
		case '}':
			d.at++
			return d.hooked(o, pairs)
		case ',':
			d.at++
			d.space()
		default:
			d.fail("Expecting ',' delimiter", d.at)
		}
	}
}

func (d *decoder) hooked(o *py.Dict, pairs []py.Value) py.Value {
	switch {
	case d.pairs != nil:
		return py.Call(d.m, d.pairs, py.NewList(pairs...))
	case d.hook != nil:
		return py.Call(d.m, d.hook, o)
	}
	return o
}

func jsonModule() map[string]py.Value {
	py.JSONDecodeError.Module = "json.decoder"
	return functions([]def{
		{"dumps", dumpParams, dumps},
		{"dump", "obj fp " + strings.TrimPrefix(dumpParams, "obj "), func(m *py.Machine, a []py.Value) py.Value {
			s := dumps(m, append([]py.Value{a[0]}, a[2:]...))
			return py.Call(m, ops.Attr(m, a[1], "write"), s)
		}},
		{"loads", "s object_hook= object_pairs_hook= parse_float= parse_int=", loads},
		{"load", "fp object_hook= object_pairs_hook= parse_float= parse_int=", func(m *py.Machine, a []py.Value) py.Value {
			s := py.Call(m, ops.Attr(m, a[0], "read"))
			return loads(m, append([]py.Value{s}, a[1:]...))
		}},
	}, map[string]py.Value{"JSONDecodeError": py.JSONDecodeError})
}
