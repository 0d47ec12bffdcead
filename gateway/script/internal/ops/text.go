package ops

import (
	"strconv"

	"pithings/gateway/script/internal/py"
)

// Texter is a value of a module with texts of its own.
type Texter interface {
	py.Value
	Str() string
	Repr() string
}

// ToStr is str(v).
func ToStr(m *py.Machine, v py.Value) string {
	switch x := v.(type) {
	case py.Str:
		return string(x)
	case *py.Instance:
		return instanceStr(m, x)
	case Texter:
		return x.Str()
	}
	if r, ok := py.Special(m, v, "__str__"); ok {
		return textOf(m, r, "__str__")
	}
	return Repr(m, v)
}

func instanceStr(m *py.Machine, i *py.Instance) string {
	m.Enter() // an exception may be an argument of its own
	defer m.Leave()
	if r, ok := py.Special(m, i, "__str__"); ok {
		return textOf(m, r, "__str__")
	}
	if i.Args == nil {
		return Repr(m, i)
	}
	switch args := i.Args.Items; len(args) {
	case 0:
		return ""
	case 1:
		if i.Class.Is(py.KeyError) {
			return Repr(m, args[0])
		}
		return ToStr(m, args[0])
	default:
		if i.Class.Is(py.OSError) && len(args) >= 2 {
			s := "[Errno " + ToStr(m, args[0]) + "] " + ToStr(m, args[1])
			if len(args) > 2 {
				s += ": " + Repr(m, args[2])
			}
			return s
		}
	}
	return Repr(m, i.Args)
}

func textOf(m *py.Machine, v py.Value, method string) string {
	s, ok := v.(py.Str)
	if !ok {
		py.Raise(m, py.TypeError, "%s returned non-string (type %s)", method, v.Type().FullName())
	}
	return string(s)
}

// Repr is repr(v).
func Repr(m *py.Machine, v py.Value) string {
	buffer := py.Buffer()
	w := writer{m: m, b: *buffer}
	w.value(v)
	s := string(w.b)
	py.Return(buffer, w.b)
	return s
}

// writer makes the text of a value, and counts it while it grows.
type writer struct {
	m    *py.Machine
	b    []byte
	open []py.Value // containers around the present value
	room [8]py.Value
}

func (w *writer) text(s string) {
	w.m.Alloc(len(s))
	w.b = append(w.b, s...)
}

// grown counts what was appended, which is short.
func (w *writer) grown(b []byte) {
	w.m.Alloc(len(b) - len(w.b))
	w.b = b
}

func (w *writer) value(v py.Value) {
	w.m.Step()
	switch x := v.(type) {
	case py.NoneType:
		w.text("None")
	case py.Bool:
		if x {
			w.text("True")
		} else {
			w.text("False")
		}
	case py.Int:
		w.grown(strconv.AppendInt(w.b, int64(x), 10))
	case *py.Big:
		w.text(Decimal(w.m, x))
	case py.Float:
		w.grown(AppendFloat(w.b, float64(x)))
	case py.Str:
		if plain(string(x)) {
			w.m.Alloc(len(x) + 2)
			w.b = appendQuoted(w.b, string(x))
		} else {
			w.text(quote(string(x)))
		}
	case py.Bytes:
		w.text(quoteBytes(string(x)))
	case *py.ByteArray:
		w.text("bytearray(" + quoteBytes(string(x.V)) + ")")
	case py.EllipsisType:
		w.text("Ellipsis")
	case *py.Type:
		w.text("<class '" + typePath(x) + "'>")
	case *py.Module:
		w.text("<module '" + x.Name + "'>")
	case *py.Builtin:
		w.text("<built-in function " + x.Name + ">")
	case *py.Bound:
		w.text("<bound method " + x.Self.Type().Name + ">")
	case *py.Range:
		w.text("range(" + strconv.FormatInt(x.Start, 10) + ", " + strconv.FormatInt(x.Stop, 10))
		if x.Step != 1 {
			w.text(", " + strconv.FormatInt(x.Step, 10))
		}
		w.text(")")
	case Texter:
		w.text(x.Repr())
	case *py.Tuple, *py.List, *py.Dict, *py.Set, *py.View, Grouped:
		w.container(v)
	case *py.Instance:
		w.instance(x)
	default:
		w.text("<" + v.Type().FullName() + " object>")
	}
}

func typePath(t *py.Type) string {
	if t.User {
		return "__main__." + t.Name
	}
	return t.FullName()
}

// Grouped is a container of a module: its text is Before, the items of Group, and After.
type Grouped interface {
	py.Value
	Group() (before string, items []py.Value, after string)
}

func (w *writer) container(v py.Value) {
	for _, o := range w.open {
		if o == v {
			w.text(ellipsisOf(v))
			return
		}
	}
	w.m.Enter()
	if w.open == nil {
		w.open = w.room[:0] // it is rarely longer
	}
	w.open = append(w.open, v)
	defer func() {
		w.open = w.open[:len(w.open)-1]
		w.m.Leave()
	}()
	if r, ok := py.Special(w.m, v, "__repr__"); ok {
		w.text(textOf(w.m, r, "__repr__"))
		return
	}
	switch x := v.(type) {
	case *py.List:
		w.items("[", x.Items, "]")
	case *py.Tuple:
		w.tuple(x)
	case *py.Dict:
		w.dict(x)
	case *py.Set:
		switch {
		case x.Frozen && x.D.Len() == 0:
			w.text("frozenset()")
		case x.Frozen:
			w.items("frozenset({", x.D.Keys(), "})")
		case x.D.Len() == 0:
			w.text("set()")
		default:
			w.items("{", x.D.Keys(), "}")
		}
	case *py.View:
		w.items(x.Type().Name+"([", Collect(w.m, Iterate(w.m, x)), "])")
	case Grouped:
		w.items(x.Group())
	}
}

func ellipsisOf(v py.Value) string {
	switch v.(type) {
	case *py.List:
		return "[...]"
	case *py.Dict:
		return "{...}"
	}
	return "(...)"
}

func (w *writer) items(before string, items []py.Value, after string) {
	w.text(before)
	for i, v := range items {
		if i > 0 {
			w.text(", ")
		}
		w.value(v)
	}
	w.text(after)
}

func (w *writer) tuple(t *py.Tuple) {
	if names := FieldNames(t.Class); names != nil {
		w.text(t.Class.FullName() + "(")
		for i, v := range t.Items {
			if i > 0 {
				w.text(", ")
			}
			if i < len(names) {
				w.text(names[i] + "=")
			}
			w.value(v)
		}
		w.text(")")
		return
	}
	if len(t.Items) == 1 {
		w.items("(", t.Items, ",)")
		return
	}
	w.items("(", t.Items, ")")
}

// FieldNames returns the names of the fields of a named tuple's class, or nil.
func FieldNames(class *py.Type) []string {
	if class == nil {
		return nil
	}
	fields, ok := class.Lookup("_fields").(*py.Tuple)
	if !ok {
		return nil
	}
	var names []string
	for _, f := range fields.Items {
		s, _ := f.(py.Str)
		names = append(names, string(s))
	}
	return names
}

func (w *writer) dict(d *py.Dict) {
	before, after := "{", "}"
	pairs := d.Class != nil && d.Class.Name == "OrderedDict"
	switch {
	case d.Class == nil:
	case d.Len() == 0 && d.Factory == nil:
		w.text(d.Class.Name + "()")
		return
	case pairs:
		before, after = "OrderedDict([", "])"
	case d.Factory != nil:
		w.text("defaultdict(")
		w.value(d.Factory)
		before, after = ", {", "})"
	case d.Class.User:
	default:
		before, after = d.Class.Name+"({", "})"
	}
	w.text(before)
	for i, first := 0, true; ; first = false {
		key, v, next := d.At(i)
		if key == nil {
			break
		}
		i = next
		if !first {
			w.text(", ")
		}
		if pairs {
			w.items("(", []py.Value{key, v}, ")")
			continue
		}
		w.value(key)
		w.text(": ")
		w.value(v)
	}
	w.text(after)
}

func (w *writer) instance(i *py.Instance) {
	w.m.Enter()
	defer w.m.Leave()
	if r, ok := py.Special(w.m, i, "__repr__"); ok {
		w.text(textOf(w.m, r, "__repr__"))
		return
	}
	if i.Args == nil {
		w.text("<" + typePath(i.Class) + " object>")
		return
	}
	w.items(i.Class.Name+"(", i.Args.Items, ")")
}
