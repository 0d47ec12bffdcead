package eval

import (
	"math/big"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// compiler turns nodes into closures.
type compiler struct {
	file    string
	builtin func(name string) py.Value
	prefix  string // of qualified names
	line    int    // of the present statement
	depth   int    // of the present node, which is how deep evaluation recurses
	deepest int
}

// stackCost is what a level of recursion is counted with, in bytes.
const stackCost = 400

// deeper counts a level while a node is compiled; call what it returns at its end.
func (c *compiler) deeper() func() {
	c.depth++
	c.deepest = max(c.deepest, c.depth)
	return func() { c.depth-- }
}

// stack is how many bytes the code compiled so far may take of the stack.
func (c *compiler) stack() int { return stackCost * (c.deepest + 2) }

// expr compiles an expression.
func (c *compiler) expr(x syntax.Expr) expr {
	defer c.deeper()()
	e := c.node(x)
	if line := x.Pos(); line != c.line {
		if _, constant := x.(*syntax.Const); !constant {
			return func(f *Frame) py.Value {
				f.at.Line = line
				return e(f)
			}
		}
	}
	return e
}

func (c *compiler) exprs(xs []syntax.Expr) []expr {
	out := make([]expr, len(xs))
	for i, x := range xs {
		out[i] = c.expr(x)
	}
	return out
}

// optional compiles an expression that may be nil.
func (c *compiler) optional(x syntax.Expr) expr {
	if x == nil {
		return nil
	}
	return c.expr(x)
}

func (c *compiler) node(x syntax.Expr) expr {
	switch x := x.(type) {
	case *syntax.Const:
		v := constant(x.Value)
		return func(*Frame) py.Value { return v }
	case *syntax.Name:
		return c.load(x)
	case *syntax.Format:
		return c.format(x)
	case *syntax.Sequence:
		return c.sequence(x)
	case *syntax.DictDisplay:
		return c.dict(x)
	case *syntax.Comprehension:
		return c.comprehension(x)
	case *syntax.Lambda:
		return c.lambda(x)
	case *syntax.Conditional:
		test, then, otherwise := c.cond(x.Test), c.expr(x.Then), c.expr(x.Else)
		return func(f *Frame) py.Value {
			if test(f) {
				return then(f)
			}
			return otherwise(f)
		}
	case *syntax.Logic:
		return c.logic(x)
	case *syntax.Compare:
		return c.compare(x)
	case *syntax.Binary:
		return c.binary(x)
	case *syntax.Unary:
		return c.unary(x)
	case *syntax.Attribute:
		return c.attribute(x)
	case *syntax.Index:
		return c.index(x)
	case *syntax.Slice:
		return c.slice(x)
	case *syntax.Call:
		return c.call(x)
	case *syntax.Assigned:
		v, set := c.expr(x.Value), c.store(x.Target)
		return func(f *Frame) py.Value {
			r := v(f)
			set(f, r)
			return r
		}
	}
	return func(f *Frame) py.Value {
		py.Raise(f.m, py.SyntaxErrorType, "can't use starred expression here")
		return nil
	}
}

func constant(v any) py.Value {
	switch v := v.(type) {
	case bool:
		return py.Bool(v)
	case int64:
		return py.Int(v)
	case *big.Int:
		return py.NewInt(v)
	case float64:
		return py.Float(v)
	case string:
		return py.Str(v)
	case syntax.Bytes:
		return py.Bytes(v)
	case syntax.Dots:
		return py.Ellipsis
	}
	return py.None
}

// cond compiles an expression of which only the truth counts.
func (c *compiler) cond(x syntax.Expr) func(f *Frame) bool {
	if u, ok := x.(*syntax.Unary); ok && u.Op == "not" {
		e := c.cond(u.X)
		return func(f *Frame) bool { return !e(f) }
	}
	e := c.expr(x)
	return func(f *Frame) bool {
		v := e(f)
		if b, ok := v.(py.Bool); ok {
			return bool(b)
		}
		return py.Truth(f.m, v)
	}
}

func (c *compiler) logic(x *syntax.Logic) expr {
	a, b, or := c.expr(x.X), c.expr(x.Y), x.Or
	return func(f *Frame) py.Value {
		if v := a(f); py.Truth(f.m, v) == or {
			return v
		}
		return b(f)
	}
}

func (c *compiler) compare(x *syntax.Compare) expr {
	first, line := c.expr(x.First), x.Pos()
	if len(x.Ops) == 1 {
		op, second := x.Ops[0], c.expr(x.Rest[0])
		return func(f *Frame) py.Value {
			a := first(f)
			b := second(f)
			return py.Bool(ops.Compare(f.m, op, a, b))
		}
	}
	rest := c.exprs(x.Rest)
	return func(f *Frame) py.Value {
		a := first(f)
		for i, op := range x.Ops {
			b := rest[i](f)
			f.at.Line = line
			if !ops.Compare(f.m, op, a, b) {
				return py.Bool(false)
			}
			a = b
		}
		return py.Bool(true)
	}
}

func (c *compiler) binary(x *syntax.Binary) expr {
	a, b, op := c.expr(x.X), c.expr(x.Y), x.Op
	switch op {
	case "+":
		return func(f *Frame) py.Value { v := a(f); return ops.Add(f.m, v, b(f)) }
	case "-":
		return func(f *Frame) py.Value { v := a(f); return ops.Sub(f.m, v, b(f)) }
	case "*":
		return func(f *Frame) py.Value { v := a(f); return ops.Mul(f.m, v, b(f)) }
	}
	return func(f *Frame) py.Value { v := a(f); return ops.Binary(f.m, op, v, b(f)) }
}

func (c *compiler) unary(x *syntax.Unary) expr {
	if x.Op == "not" {
		test := c.cond(x.X)
		return func(f *Frame) py.Value { return py.Bool(!test(f)) }
	}
	e, op := c.expr(x.X), x.Op
	return func(f *Frame) py.Value { return ops.Unary(f.m, op, e(f)) }
}

func (c *compiler) format(x *syntax.Format) expr {
	parts := make([]func(f *Frame) string, len(x.Parts))
	for i, p := range x.Parts {
		switch p := p.(type) {
		case *syntax.Const:
			s, _ := p.Value.(string)
			parts[i] = func(*Frame) string { return s }
		case *syntax.Field:
			parts[i] = c.field(p)
		}
	}
	return func(f *Frame) py.Value {
		var b strings.Builder
		for _, p := range parts {
			s := p(f)
			f.m.Alloc(len(s))
			b.WriteString(s)
		}
		return py.Str(b.String())
	}
}

func (c *compiler) field(x *syntax.Field) func(f *Frame) string {
	v, convert := c.expr(x.Value), x.Convert
	var spec expr
	if len(x.Spec) > 0 {
		spec = c.format(&syntax.Format{Line: x.Line, Parts: x.Spec})
	}
	return func(f *Frame) string {
		r := v(f)
		switch convert {
		case 'r':
			r = py.Str(ops.Repr(f.m, r))
		case 'a':
			r = py.Str(ops.ASCII(f.m, r))
		case 's':
			r = py.Str(ops.ToStr(f.m, r))
		}
		if spec == nil {
			return ops.ToStr(f.m, r)
		}
		return ops.Format(f.m, r, string(spec(f).(py.Str)))
	}
}

// items compiles the elements of a display, some of which may be starred.
func (c *compiler) items(xs []syntax.Expr) func(f *Frame) []py.Value {
	elems := make([]expr, len(xs))
	stars := make([]bool, len(xs))
	starred := false
	for i, x := range xs {
		if s, ok := x.(*syntax.Starred); ok {
			stars[i], starred = true, true
			x = s.X
		}
		elems[i] = c.expr(x)
	}
	if !starred {
		return func(f *Frame) []py.Value {
			out := make([]py.Value, len(elems))
			for i, e := range elems {
				out[i] = e(f)
			}
			return out
		}
	}
	return func(f *Frame) []py.Value {
		var out []py.Value
		for i, e := range elems {
			if v := e(f); stars[i] {
				more := ops.Items(f.m, v)
				f.m.AllocN(len(more), 32)
				out = append(out, more...)
			} else {
				out = append(out, v)
			}
		}
		return out
	}
}

func (c *compiler) sequence(x *syntax.Sequence) expr {
	items := c.items(x.Items)
	cost := 48 + 16*len(x.Items)
	switch x.Kind {
	case '(':
		return func(f *Frame) py.Value { f.m.Alloc(cost); return &py.Tuple{Items: items(f)} }
	case '[':
		return func(f *Frame) py.Value { f.m.Alloc(cost); return &py.List{Items: items(f)} }
	}
	return func(f *Frame) py.Value {
		f.m.Alloc(cost + 80)
		s := &py.Set{}
		for _, v := range items(f) {
			s.Add(f.m, v)
		}
		return s
	}
}

func (c *compiler) dict(x *syntax.DictDisplay) expr {
	keys := make([]expr, len(x.Keys))
	for i, k := range x.Keys {
		keys[i] = c.optional(k)
	}
	values := c.exprs(x.Values)
	if record := constantKeys(x.Keys, values); record != nil {
		return record
	}
	return func(f *Frame) py.Value {
		f.m.Alloc(80)
		d := py.NewDict()
		for i, key := range keys {
			if key == nil {
				v := values[i](f)
				if _, ok := v.(*py.Dict); !ok {
					py.Raise(f.m, py.TypeError, "'%s' object is not a mapping", v.Type().FullName())
				}
				ops.Update(f.m, d, v)
				continue
			}
			k := key(f)
			d.Set(f.m, k, values[i](f))
		}
		return d
	}
}

// constantKeys compiles a dict display whose keys are texts, as nearly all are: their hashes
// are known, and so is how many there are. It returns nil for others.
func constantKeys(xs []syntax.Expr, values []expr) expr {
	keys, hashes := make([]py.Value, len(xs)), make([]uint32, len(xs))
	for i, x := range xs {
		text, ok := constantText(x)
		if !ok {
			return nil
		}
		keys[i], hashes[i] = py.Str(text), py.HashText(text)
	}
	if len(keys) == 0 {
		return nil
	}
	return func(f *Frame) py.Value {
		f.m.Alloc(80)
		d := py.NewDictOf(f.m, len(keys))
		for i, key := range keys {
			d.SetHashed(f.m, key, values[i](f), hashes[i])
		}
		return d
	}
}
