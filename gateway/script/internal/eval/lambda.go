package eval

import (
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// signature compiles what lambda and def have in common: all but the body.
func (c *compiler) signature(x *syntax.Function, line int) *code {
	k := &code{Function: x, qualified: c.prefix + x.Name, file: c.file, line: line}
	k.plain = x.Star < 0 && x.StarStar < 0 && x.Pos == len(x.Params)
	for _, p := range x.Params {
		if p.Default != nil {
			k.defaults = make([]expr, len(x.Params))
		}
	}
	if k.defaults != nil {
		for i, p := range x.Params {
			k.defaults[i] = c.optional(p.Default)
		}
	}
	return k
}

// inside returns the compiler for the body of a function.
func (c *compiler) inside(name string) *compiler {
	return &compiler{file: c.file, builtin: c.builtin, prefix: c.prefix + name + ".<locals>.", line: c.line}
}

func (c *compiler) lambda(x *syntax.Lambda) expr {
	k := c.signature(x.Func, x.Pos())
	inner := c.inside(x.Func.Name)
	k.result = inner.expr(x.Func.Expr)
	k.stack = inner.stack()
	return k.closure
}

// closure makes a function in a frame.
func (k *code) closure(f *Frame) py.Value {
	f.m.Alloc(96 + 16*len(k.defaults))
	fn := &Func{code: k, rt: f.rt, up: f}
	if k.defaults != nil {
		fn.defaults = make([]py.Value, len(k.defaults))
		for i, d := range k.defaults {
			if d != nil {
				fn.defaults[i] = d(f)
			}
		}
	}
	return fn
}
