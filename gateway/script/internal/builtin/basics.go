package builtin

import (
	"errors"
	"io/fs"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// basics are the functions about objects and texts.
var basics = []def{
	{"len", "obj", func(m *py.Machine, a []py.Value) py.Value { return py.Int(Len(m, a[0])) }},
	{"repr", "obj", func(m *py.Machine, a []py.Value) py.Value { return py.Str(ops.Repr(m, a[0])) }},
	{"ascii", "obj", func(m *py.Machine, a []py.Value) py.Value { return py.Str(ops.ASCII(m, a[0])) }},
	{"format", "value format_spec=", func(m *py.Machine, a []py.Value) py.Value {
		spec := ""
		if a[1] != nil {
			spec = Text(m, a[1], "format() argument 2")
		}
		return py.Str(ops.Format(m, a[0], spec))
	}},
	{"hash", "obj", func(m *py.Machine, a []py.Value) py.Value { return py.Int(py.Hash(m, a[0])) }},
	{"callable", "obj", func(m *py.Machine, a []py.Value) py.Value {
		_, ok := a[0].(py.Callable)
		return py.Bool(ok || a[0].Type().Lookup("__call__") != nil)
	}},
	{"isinstance", "obj class_or_tuple", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(isInstance(m, a[0].Type(), a[1], "isinstance() arg 2 must be a type, a tuple of types, or a union"))
	}},
	{"issubclass", "cls class_or_tuple", func(m *py.Machine, a []py.Value) py.Value {
		t, ok := a[0].(*py.Type)
		if !ok {
			py.Raise(m, py.TypeError, "issubclass() arg 1 must be a class")
		}
		return py.Bool(isInstance(m, t, a[1], "issubclass() arg 2 must be a class, a tuple of classes, or a union"))
	}},
	{"hasattr", "obj name", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(findAttr(m, a[0], Text(m, a[1], "attribute name")) != nil)
	}},
	{"getattr", "obj name default=", func(m *py.Machine, a []py.Value) py.Value {
		name := Text(m, a[1], "attribute name")
		if a[2] == nil {
			return ops.Attr(m, a[0], name)
		}
		if v := findAttr(m, a[0], name); v != nil {
			return v
		}
		return a[2]
	}},
	{"setattr", "obj name value", func(m *py.Machine, a []py.Value) py.Value {
		ops.SetAttr(m, a[0], Text(m, a[1], "attribute name"), a[2])
		return py.None
	}},
	{"delattr", "obj name", func(m *py.Machine, a []py.Value) py.Value {
		ops.DelAttr(m, a[0], Text(m, a[1], "attribute name"))
		return py.None
	}},
	{"chr", "i", func(m *py.Machine, a []py.Value) py.Value {
		i := Integer(m, a[0])
		if i < 0 || i > utf8.MaxRune {
			py.Raise(m, py.ValueError, "chr() arg not in range(0x110000)")
		}
		return py.Str(string(rune(i)))
	}},
	{"ord", "c", func(m *py.Machine, a []py.Value) py.Value {
		if b, ok := py.ToBytes(a[0]); ok && len(b) == 1 {
			return py.Int(b[0])
		}
		s, ok := a[0].(py.Str)
		if !ok {
			py.Raise(m, py.TypeError, "ord() expected string of length 1, but %s found", a[0].Type().FullName())
		}
		r, n := utf8.DecodeRuneInString(string(s))
		if n == 0 || n != len(s) {
			py.Raise(m, py.TypeError, "ord() expected a character, but string of length %d found", utf8.RuneCountInString(string(s)))
		}
		return py.Int(r)
	}},
	{"hex", "number", based("0x", 16)},
	{"oct", "number", based("0o", 8)},
	{"bin", "number", based("0b", 2)},
	{"eval", "source", func(m *py.Machine, a []py.Value) py.Value { return m.Eval(Text(m, a[0], "eval() arg 1")) }},
	{"open", "file mode= buffering= encoding= errors= newline=", open},
}

// printFunction is print, whose arguments are not of the usual kind.
func printFunction() *py.Builtin {
	return &py.Builtin{Name: "print", Raw: func(m *py.Machine, a py.Args) py.Value {
		sep, end := " ", ""
		for _, k := range a.Kw {
			switch {
			case k.Name == "sep" && Given(k.Value):
				sep = Text(m, k.Value, "sep")
			case k.Name == "end" && Given(k.Value):
				end = strings.TrimSuffix(Text(m, k.Value, "end"), "\n")
			}
		}
		var b strings.Builder
		for i, v := range a.Pos {
			if i > 0 {
				b.WriteString(sep)
			}
			s := ops.ToStr(m, v)
			m.Alloc(len(s) + len(sep))
			b.WriteString(s)
		}
		m.Log("print", b.String()+end)
		return py.None
	}}
}

// Len is len(v).
func Len(m *py.Machine, v py.Value) int {
	switch x := v.(type) {
	case py.Str:
		m.Work(len(x) / 256)
		return utf8.RuneCountInString(string(x))
	case py.Bytes:
		return len(x)
	case *py.ByteArray:
		return len(x.V)
	case *py.List:
		return len(x.Items)
	case *py.Tuple:
		return len(x.Items)
	case *py.Dict:
		return x.Len()
	case *py.Set:
		return x.D.Len()
	case *py.View:
		return x.D.Len()
	case *py.Range:
		return size(m, x.N)
	case py.Lengther:
		return x.Len()
	}
	if r, ok := py.Special(m, v, "__len__"); ok {
		n, isInt := py.ToInt(r)
		if !isInt || n < 0 {
			py.Raise(m, py.ValueError, "__len__() should return an integer that is not negative")
		}
		return size(m, n)
	}
	py.Raise(m, py.TypeError, "object of type '%s' has no len()", v.Type().FullName())
	return 0
}

// size is a length that an int of Go holds on every processor.
func size(m *py.Machine, n int64) int {
	if n > math.MaxInt32 {
		py.Raise(m, py.OverflowError, "Python int too large to convert to C ssize_t")
	}
	return int(n)
}

func isInstance(m *py.Machine, t *py.Type, classes py.Value, message string) bool {
	switch c := classes.(type) {
	case *py.Type:
		return t.Is(c)
	case *py.Tuple:
		m.Enter()
		defer m.Leave()
		for _, v := range c.Items {
			if isInstance(m, t, v, message) {
				return true
			}
		}
		return false
	}
	py.Raise(m, py.TypeError, "%s", message)
	return false
}

// findAttr is FindAttr, where a property that raises AttributeError is not there.
func findAttr(m *py.Machine, v py.Value, name string) (found py.Value) {
	if r := py.Try(m, func() { found = ops.FindAttr(m, v, name) }); r != nil && !r.Exc.Class.Is(py.AttributeError) {
		panic(r)
	}
	return found
}

func based(prefix string, base int) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		b := py.ToBig(a[0])
		if b == nil {
			py.Raise(m, py.TypeError, "'%s' object cannot be interpreted as an integer", a[0].Type().FullName())
		}
		m.Alloc(b.BitLen() + 8)
		s := prefix + new(big.Int).Abs(b).Text(base)
		if b.Sign() < 0 {
			s = "-" + s
		}
		return py.Str(s)
	}
}

// fileError raises the exception for an error of the folder.
func fileError(m *py.Machine, err error, name string) {
	errno, class, words := 5, py.OSError, err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		errno, class, words = 2, py.FileNotFoundError, "No such file or directory"
	case errors.Is(err, fs.ErrExist):
		errno, class, words = 17, py.FileExistsError, "File exists"
	case errors.Is(err, fs.ErrPermission):
		errno, class, words = 13, py.PermissionError, "Permission denied"
	}
	py.Throw(m, py.NewException(class, py.Int(errno), py.Str(words), py.Str(name)))
}
