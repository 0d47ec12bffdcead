package eval

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// clause is a compiled for of a comprehension.
type clause struct {
	iter  expr
	set   store
	conds []func(f *Frame) bool
}

// comprehension compiles a comprehension, which has a frame of its own.
func (c *compiler) comprehension(x *syntax.Comprehension) expr {
	clauses := make([]clause, len(x.Clauses))
	for i, cl := range x.Clauses {
		clauses[i] = clause{iter: c.expr(cl.Iter), set: c.store(cl.Target)}
		for _, cond := range cl.Conds {
			clauses[i].conds = append(clauses[i].conds, c.cond(cond))
		}
	}
	elem, key := c.expr(x.Elem), c.optional(x.Key)
	slots := x.Slots
	begin := func(f *Frame) (*Frame, func() bool) {
		first := ops.Iterate(f.m, clauses[0].iter(f))
		f.m.AllocN(slots+8, 16)
		inner := f.inner(slots)
		return inner, rounds(inner, clauses, first)
	}
	switch x.Kind {
	case '[':
		return func(f *Frame) py.Value {
			inner, next := begin(f)
			l := &py.List{}
			for next() {
				v := elem(inner)
				f.m.Alloc(32)
				l.Items = append(l.Items, v)
			}
			return l
		}
	case '{':
		return func(f *Frame) py.Value {
			inner, next := begin(f)
			s := &py.Set{}
			for next() {
				s.Add(f.m, elem(inner))
			}
			return s
		}
	case ':':
		return func(f *Frame) py.Value {
			inner, next := begin(f)
			d := py.NewDict()
			for next() {
				k := key(inner)
				d.Set(f.m, k, elem(inner))
			}
			return d
		}
	}
	return func(f *Frame) py.Value {
		inner, next := begin(f)
		return ops.Lazy(f.m, "generator", []py.Value{(*kept)(inner)}, func() (py.Value, bool) {
			if !next() {
				return nil, false
			}
			return elem(inner), true
		})
	}
}

// rounds returns a function that puts the next values into the targets of all clauses.
func rounds(f *Frame, clauses []clause, first func() (py.Value, bool)) func() bool {
	if len(clauses) == 1 {
		c := clauses[0]
		return func() bool { return advance(f, c, first) }
	}
	nexts := make([]func() (py.Value, bool), len(clauses))
	nexts[0] = first
	at := 0
	return func() bool {
		for at >= 0 {
			if !advance(f, clauses[at], nexts[at]) {
				at--
				continue
			}
			if at == len(clauses)-1 {
				return true
			}
			at++
			nexts[at] = ops.Iterate(f.m, clauses[at].iter(f))
		}
		return false
	}
}

// advance takes the next value that the conditions let pass.
func advance(f *Frame, c clause, next func() (py.Value, bool)) bool {
next:
	for {
		v, ok := next()
		if !ok {
			return false
		}
		f.m.Step()
		c.set(f, v)
		for _, cond := range c.conds {
			if !cond(f) {
				continue next
			}
		}
		return true
	}
}
