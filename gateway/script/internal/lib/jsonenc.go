package lib

import (
	"bytes"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// dumpParams are those of json.dumps.
var dumpParams = "obj skipkeys= ensure_ascii= check_circular= allow_nan= cls= indent= separators= default= sort_keys="

// encoder writes JSON as CPython's json does.
type encoder struct {
	m         *py.Machine
	b         []byte
	ascii     bool
	skipKeys  bool
	allowNaN  bool
	sortKeys  bool
	indent    string
	lines     bool     // indent was given
	item, key string   // separators
	other     py.Value // default=
	open      []py.Value
	space     [8]py.Value // of open, which is rarely longer
}

// DumpDefault is json.dumps(v).
func DumpDefault(m *py.Machine, v py.Value) []byte {
	buffer := py.Buffer()
	e := &encoder{m: m, b: *buffer, ascii: true, allowNaN: true, item: ", ", key: ": "}
	e.value(v)
	text := bytes.Clone(e.b)
	py.Return(buffer, e.b)
	return text
}

func dumps(m *py.Machine, a []py.Value) py.Value {
	option := func(v py.Value, absent bool) bool {
		if v == nil {
			return absent
		}
		return py.Truth(m, v)
	}
	e := &encoder{m: m, ascii: option(a[2], true), skipKeys: option(a[1], false), allowNaN: option(a[4], true), sortKeys: option(a[9], false), item: ", ", key: ": "}
	if builtin.Given(a[5]) {
		py.Raise(m, py.TypeError, "json.dumps(cls=…) is not supported: use default=")
	}
	if builtin.Given(a[8]) {
		e.other = a[8]
	}
	if builtin.Given(a[6]) {
		e.lines, e.item = true, ","
		if s, ok := a[6].(py.Str); ok {
			e.indent = string(s)
		} else {
			n := max(builtin.Integer(m, a[6]), 0)
			m.Alloc(n)
			e.indent = strings.Repeat(" ", n)
		}
	}
	if builtin.Given(a[7]) {
		pair := ops.Items(m, a[7])
		if len(pair) != 2 {
			py.Raise(m, py.ValueError, "separators must be a pair: (',', ':')")
		}
		e.item, e.key = builtin.Text(m, pair[0], "a separator"), builtin.Text(m, pair[1], "a separator")
	}
	buffer := py.Buffer()
	e.b = *buffer
	e.value(a[0])
	s := py.Str(e.b)
	py.Return(buffer, e.b)
	return s
}

func (e *encoder) text(s string) {
	e.m.Alloc(len(s))
	e.b = append(e.b, s...)
}

// grown counts what was appended, which is short.
func (e *encoder) grown(b []byte) {
	e.m.Alloc(len(b) - len(e.b))
	e.b = b
}

func (e *encoder) value(v py.Value) {
	e.m.Step()
	switch x := v.(type) {
	case py.NoneType:
		e.text("null")
	case py.Bool:
		if x {
			e.text("true")
		} else {
			e.text("false")
		}
	case py.Int:
		e.grown(strconv.AppendInt(e.b, int64(x), 10))
	case *py.Big:
		e.text(ops.Decimal(e.m, x))
	case py.Float:
		if f := float64(x); math.IsInf(f, 0) || math.IsNaN(f) {
			e.text(e.float(f))
		} else {
			e.grown(ops.AppendFloat(e.b, f))
		}
	case py.Str:
		e.string(string(x))
	case *py.List:
		e.array(v, x.Items)
	case *py.Tuple:
		e.array(v, x.Items)
	case *py.Dict:
		e.object(x)
	default:
		if e.other == nil {
			py.Raise(e.m, py.TypeError, "Object of type %s is not JSON serializable", v.Type().Name)
		}
		e.enter(v)
		e.value(py.Call(e.m, e.other, v))
		e.leave()
	}
}

func (e *encoder) float(f float64) string {
	if !math.IsInf(f, 0) && !math.IsNaN(f) {
		return ops.FloatRepr(f)
	}
	if !e.allowNaN {
		py.Raise(e.m, py.ValueError, "Out of range float values are not JSON compliant")
	}
	return map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[ops.FloatRepr(f)]
}

const hexDigits = "0123456789abcdef"

func (e *encoder) string(s string) {
	e.m.Alloc(len(s) + 2)
	e.b = append(e.b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f || c == 0x7f && !e.ascii {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && !e.ascii {
			i += n
			continue
		}
		e.b = append(e.b, s[from:i]...)
		e.text(escape(r))
		i += n
		from = i
	}
	e.b = append(append(e.b, s[from:]...), '"')
}

func escape(r rune) string {
	switch r {
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	case '\f':
		return `\f`
	case '\b':
		return `\b`
	}
	unit := func(r rune) string {
		return `\u` + string([]byte{hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15]})
	}
	if r > 0xffff {
		r -= 0x10000
		return unit(0xd800+r>>10) + unit(0xdc00+r&0x3ff)
	}
	return unit(r)
}

func (e *encoder) enter(v py.Value) {
	for _, o := range e.open {
		if o == v {
			py.Raise(e.m, py.ValueError, "Circular reference detected")
		}
	}
	e.m.Enter()
	if e.open == nil {
		e.open = e.space[:0]
	}
	e.open = append(e.open, v)
}

func (e *encoder) leave() {
	e.open = e.open[:len(e.open)-1]
	e.m.Leave()
}

// newline begins a line of an indented text.
func (e *encoder) newline() {
	if e.lines {
		e.text("\n")
		for range e.open {
			e.text(e.indent)
		}
	}
}

func (e *encoder) array(v py.Value, items []py.Value) {
	if len(items) == 0 {
		e.text("[]")
		return
	}
	e.enter(v)
	e.text("[")
	for i, x := range items {
		if i > 0 {
			e.text(e.item)
		}
		e.newline()
		e.value(x)
	}
	e.leave()
	e.newline()
	e.text("]")
}

func (e *encoder) object(d *py.Dict) {
	if d.Len() == 0 {
		e.text("{}")
		return
	}
	e.m.AllocN(d.Len(), 16)
	if !e.sortKeys && e.other == nil {
		e.entries(d)
		return
	}
	keys := d.Keys()
	if e.sortKeys {
		e.m.Work(len(keys))
		sort.SliceStable(keys, func(i, j int) bool { return ops.Less(e.m, keys[i], keys[j]) })
	}
	e.enter(d)
	e.text("{")
	first := true
	for _, key := range keys {
		name, ok := e.name(key)
		if !ok {
			continue
		}
		e.begin(name, first)
		first = false
		v := d.Get(e.m, key)
		if v == nil {
			py.Raise(e.m, py.RuntimeError, "dictionary changed size during iteration")
		}
		e.value(v)
	}
	e.leave()
	if !first {
		e.newline()
	}
	e.text("}")
}

// begin writes what stands before a value of a dict.
func (e *encoder) begin(name string, first bool) {
	if !first {
		e.text(e.item)
	}
	e.newline()
	e.string(name)
	e.text(e.key)
}

// entries writes a dict that nothing can change meanwhile, as no code of the script runs.
func (e *encoder) entries(d *py.Dict) {
	e.enter(d)
	e.text("{")
	first := true
	for i := 0; ; {
		key, v, next := d.At(i)
		if key == nil {
			break
		}
		i = next
		name, ok := e.name(key)
		if !ok {
			continue
		}
		e.begin(name, first)
		first = false
		e.value(v)
	}
	e.leave()
	if !first {
		e.newline()
	}
	e.text("}")
}

// name is a key as JSON has it; ok is false for one to be skipped.
func (e *encoder) name(key py.Value) (name string, ok bool) {
	switch k := key.(type) {
	case py.Str:
		return string(k), true
	case py.Bool:
		if k {
			return "true", true
		}
		return "false", true
	case py.NoneType:
		return "null", true
	case py.Int, *py.Big:
		return ops.Repr(e.m, key), true
	case py.Float:
		return e.float(float64(k)), true
	}
	if e.skipKeys {
		return "", false
	}
	py.Raise(e.m, py.TypeError, "keys must be str, int, float, bool or None, not %s", key.Type().Name)
	return "", false
}
