package eval

import (
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// handler is a compiled except.
type handler struct {
	types  expr // nil catches all
	set    store
	body   stmt
	line   int
	target string
}

func (c *statements) try(s *syntax.Try) stmt {
	run := c.block(s.Body)
	if len(s.Handlers) > 0 {
		run = c.handle(run, s)
	}
	if s.Finally == nil {
		return run
	}
	final := c.block(s.Finally)
	return func(f *Frame) flow {
		var end flow
		r := guarded(f, func() { end = run(f) })
		ret := f.ret
		if after := final(f); after != onward {
			return after
		}
		if r != nil {
			panic(r)
		}
		f.ret = ret
		return end
	}
}

// guarded runs a part of a frame, and puts the frame in order when an exception ends it.
func guarded(f *Frame, run func()) *py.Raised {
	class, handling := f.class, f.m.Handling
	r := py.Try(f.m, run)
	if r != nil {
		f.class, f.m.Handling = class, handling
	}
	return r
}

func (c *statements) handle(body stmt, s *syntax.Try) stmt {
	handlers := make([]handler, len(s.Handlers))
	for i, h := range s.Handlers {
		c.line = h.Pos()
		handlers[i] = handler{types: c.optional(h.Type), line: h.Pos()}
		if h.Target != nil {
			handlers[i].set = c.storeName(h.Target)
			handlers[i].target = h.Target.ID
		}
		handlers[i].body = c.block(h.Body)
	}
	otherwise := c.block(s.Else)
	return func(f *Frame) flow {
		var end flow
		r := guarded(f, func() { end = body(f) })
		if r == nil {
			if end == onward {
				return otherwise(f)
			}
			return end
		}
		for i := range handlers {
			h := &handlers[i]
			f.at.Line = h.line
			if h.types == nil || matches(f.m, r.Exc, h.types(f)) {
				return h.run(f, r)
			}
		}
		panic(r)
	}
}

// run runs the body of an except. Its name does not outlive it.
func (h *handler) run(f *Frame, r *py.Raised) flow {
	if h.set != nil {
		h.set(f, r.Exc)
	}
	before := f.m.Handling
	f.m.Handling = r
	end := h.body(f)
	f.m.Handling = before
	if h.set != nil {
		if f.class != nil {
			delete(f.class, h.target)
		} else {
			h.set(f, nil)
		}
	}
	return end
}

// matches reports whether an exception is of a class, or of one of a tuple's.
func matches(m *py.Machine, exc *py.Instance, types py.Value) bool {
	switch t := types.(type) {
	case *py.Type:
		if t.Is(py.BaseException) {
			return exc.Class.Is(t)
		}
	case *py.Tuple:
		for _, v := range t.Items {
			if matches(m, exc, v) {
				return true
			}
		}
		return false
	}
	py.Raise(m, py.TypeError, "catching classes that do not inherit from BaseException is not allowed")
	return false
}

func (c *statements) raise(s *syntax.Raise) stmt {
	e, from := c.optional(s.X), c.optional(s.From)
	return func(f *Frame) flow {
		if e == nil {
			if f.m.Handling == nil {
				py.Raise(f.m, py.RuntimeError, "No active exception to reraise")
			}
			panic(f.m.Handling)
		}
		v := e(f)
		if from != nil {
			from(f)
		}
		if t, ok := v.(*py.Type); ok && t.Is(py.BaseException) {
			v = py.Call(f.m, t)
		}
		exc, ok := v.(*py.Instance)
		if !ok || !exc.Class.Is(py.BaseException) {
			py.Raise(f.m, py.TypeError, "exceptions must derive from BaseException")
		}
		py.Throw(f.m, exc)
		return onward
	}
}

// with compiles the first item, with the others and the body inside it.
func (c *statements) with(items []syntax.WithItem, body []syntax.Stmt) stmt {
	manager := c.expr(items[0].X)
	var set store
	if items[0].Target != nil {
		set = c.store(items[0].Target)
	}
	var inner stmt
	if len(items) > 1 {
		inner = c.with(items[1:], body)
	} else {
		inner = c.block(body)
	}
	return func(f *Frame) flow {
		v := manager(f)
		enter, exit := v.Type().Lookup("__enter__"), v.Type().Lookup("__exit__")
		if enter == nil || exit == nil {
			py.Raise(f.m, py.TypeError, "'%s' object does not support the context manager protocol", v.Type().FullName())
		}
		entered := py.Call(f.m, enter, v)
		var end flow
		r := guarded(f, func() {
			if set != nil {
				set(f, entered)
			}
			end = inner(f)
		})
		if r == nil {
			ret := f.ret
			py.Call(f.m, exit, v, py.None, py.None, py.None)
			f.ret = ret
			return end
		}
		if py.Truth(f.m, py.Call(f.m, exit, v, r.Exc.Class, r.Exc, py.None)) {
			return onward
		}
		panic(r)
	}
}
