package ops

import (
	"strings"

	"pithings/gateway/script/internal/py"
)

// specials are the methods of the operators.
var specials = map[string]string{
	"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow",
	"&": "and", "|": "or", "^": "xor", "<<": "lshift", ">>": "rshift",
}

// Operand is a value of a module that operators know: times and their differences.
type Operand interface {
	py.Value
	// Operate returns nil for what it does not know. reflected says that the value stands
	// on the right.
	Operate(m *py.Machine, op string, other py.Value, reflected bool) py.Value
}

// Binary is "a op b".
func Binary(m *py.Machine, op string, a, b py.Value) py.Value {
	if v := TryBinary(m, op, a, b); v != nil {
		return v
	}
	operandError(m, op, a, b)
	return nil
}

// Add is "a + b".
func Add(m *py.Machine, a, b py.Value) py.Value {
	switch x := a.(type) {
	case py.Int:
		if y, ok := b.(py.Int); ok {
			return intAdd(m, int64(x), int64(y))
		}
	case py.Float:
		if y, ok := b.(py.Float); ok {
			return x + y
		}
	case py.Str:
		if y, ok := b.(py.Str); ok {
			m.Alloc(16 + len(x) + len(y))
			return x + y
		}
	}
	return Binary(m, "+", a, b)
}

// Sub is "a - b".
func Sub(m *py.Machine, a, b py.Value) py.Value {
	switch x := a.(type) {
	case py.Int:
		if y, ok := b.(py.Int); ok {
			return intSub(m, int64(x), int64(y))
		}
	case py.Float:
		if y, ok := b.(py.Float); ok {
			return x - y
		}
	}
	return Binary(m, "-", a, b)
}

// Mul is "a * b".
func Mul(m *py.Machine, a, b py.Value) py.Value {
	switch x := a.(type) {
	case py.Int:
		if y, ok := b.(py.Int); ok {
			return intMul(m, int64(x), int64(y))
		}
	case py.Float:
		if y, ok := b.(py.Float); ok {
			return x * y
		}
	}
	return Binary(m, "*", a, b)
}

// TryBinary is "a op b", or nil when the operands do not fit.
func TryBinary(m *py.Machine, op string, a, b py.Value) py.Value {
	if a.Type().User || b.Type().User {
		if v := userBinary(m, op, a, b); v != nil {
			return v
		}
	}
	if o, ok := a.(Operand); ok {
		if v := o.Operate(m, op, b, false); v != nil {
			return v
		}
	}
	if o, ok := b.(Operand); ok {
		if v := o.Operate(m, op, a, true); v != nil {
			return v
		}
	}
	if IsNumber(a) && IsNumber(b) {
		return numbers(m, op, a, b)
	}
	return sequences(m, op, a, b)
}

func userBinary(m *py.Machine, op string, a, b py.Value) py.Value {
	name := specials[op]
	left := func() py.Value {
		if v, ok := py.Special(m, a, "__"+name+"__", b); ok && v != py.NotImplemented {
			return v
		}
		return nil
	}
	right := func() py.Value {
		if a.Type() == b.Type() {
			return nil
		}
		if v, ok := py.Special(m, b, "__r"+name+"__", a); ok && v != py.NotImplemented {
			return v
		}
		return nil
	}
	// A derived class goes first.
	if a.Type() != b.Type() && b.Type().Is(a.Type()) {
		left, right = right, left
	}
	if v := left(); v != nil {
		return v
	}
	return right()
}

func operandError(m *py.Machine, op string, a, b py.Value) {
	name := func(v py.Value) string { return v.Type().FullName() }
	plain := strings.TrimSuffix(op, "=")
	if plain == "+" {
		switch a.(type) {
		case py.Str:
			py.Raise(m, py.TypeError, `can only concatenate str (not "%s") to str`, name(b))
		case *py.List:
			py.Raise(m, py.TypeError, `can only concatenate list (not "%s") to list`, name(b))
		case *py.Tuple:
			py.Raise(m, py.TypeError, `can only concatenate tuple (not "%s") to tuple`, name(b))
		case py.Bytes:
			py.Raise(m, py.TypeError, "can't concat %s to bytes", name(b))
		}
	}
	if plain == "*" {
		for _, p := range [][2]py.Value{{a, b}, {b, a}} {
			switch p[0].(type) {
			case py.Str, *py.List, *py.Tuple, py.Bytes:
				py.Raise(m, py.TypeError, "can't multiply sequence by non-int of type '%s'", name(p[1]))
			}
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	py.Raise(m, py.TypeError, "unsupported operand type(s) for %s: '%s' and '%s'", op, name(a), name(b))
}

func numbers(m *py.Machine, op string, a, b py.Value) py.Value {
	_, aFloat := a.(py.Float)
	_, bFloat := b.(py.Float)
	if !aFloat && !bFloat {
		if x, ok := a.(py.Bool); ok {
			if y, ok := b.(py.Bool); ok {
				switch op {
				case "&":
					return x && y
				case "|":
					return x || y
				case "^":
					return py.Bool(x != y)
				}
			}
		}
		return integers(m, op, a, b)
	}
	return floats(m, op, Number(m, a), Number(m, b))
}

// Unary is "-v", "+v" or "~v".
func Unary(m *py.Machine, op string, v py.Value) py.Value {
	name := map[string]string{"-": "__neg__", "+": "__pos__", "~": "__invert__"}[op]
	if r, ok := py.Special(m, v, name); ok {
		return r
	}
	switch x := v.(type) {
	case py.Float:
		if op == "-" {
			return -x
		} else if op == "+" {
			return x
		}
	case py.Int, py.Bool, *py.Big:
		switch op {
		case "-":
			return integers(m, "-", py.Int(0), v)
		case "+":
			return integers(m, "+", py.Int(0), v)
		}
		return integers(m, "-", py.Int(-1), v)
	case Operand:
		if op == "-" {
			if r := x.Operate(m, "*", py.Int(-1), false); r != nil {
				return r
			}
		}
	}
	py.Raise(m, py.TypeError, "bad operand type for unary %s: '%s'", op, v.Type().FullName())
	return nil
}
