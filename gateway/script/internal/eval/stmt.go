package eval

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// statements compiles statements.
type statements struct{ *compiler }

// block compiles statements that run one after the other.
func (c *statements) block(body []syntax.Stmt) stmt {
	defer c.deeper()()
	stmts := make([]stmt, 0, len(body))
	lines := make([]int, 0, len(body))
	for _, s := range body {
		if e, ok := s.(*syntax.ExprStmt); ok {
			if _, constant := e.X.(*syntax.Const); constant {
				continue // a text that comments
			}
		}
		c.line = s.Pos()
		if compiled := c.stmt(s); compiled != nil {
			stmts, lines = append(stmts, compiled), append(lines, s.Pos())
		}
	}
	return func(f *Frame) flow {
		for i, s := range stmts {
			f.at.Line = lines[i]
			f.m.Step()
			if end := s(f); end != onward {
				return end
			}
		}
		return onward
	}
}

// stmt compiles a statement; nil does nothing.
func (c *statements) stmt(s syntax.Stmt) stmt {
	switch s := s.(type) {
	case *syntax.ExprStmt:
		e := c.expr(s.X)
		return func(f *Frame) flow { e(f); return onward }
	case *syntax.Assign:
		return c.assign(s)
	case *syntax.Augment:
		return c.augment(s)
	case *syntax.If:
		return c.conditional(s)
	case *syntax.While:
		return c.while(s)
	case *syntax.For:
		return c.loop(s)
	case *syntax.Def:
		return c.def(s)
	case *syntax.Class:
		return c.classDef(s)
	case *syntax.Try:
		return c.try(s)
	case *syntax.With:
		return c.with(s.Items, s.Body)
	case *syntax.Return:
		e := c.optional(s.X)
		if e == nil {
			return func(f *Frame) flow { f.ret = py.None; return returned }
		}
		return func(f *Frame) flow { f.ret = e(f); return returned }
	case *syntax.Raise:
		return c.raise(s)
	case *syntax.Simple:
		switch s.Word {
		case "break":
			return func(*Frame) flow { return broken }
		case "continue":
			return func(*Frame) flow { return continued }
		}
	case *syntax.Import:
		return c.importStmt(s)
	case *syntax.Delete:
		return c.removeAll(s.Targets)
	case *syntax.Assert:
		test, message := c.cond(s.Test), c.optional(s.Message)
		return func(f *Frame) flow {
			if test(f) {
				return onward
			}
			exc := py.NewException(py.AssertionError)
			if message != nil {
				exc.Args.Items = []py.Value{message(f)}
			}
			py.Throw(f.m, exc)
			return onward
		}
	}
	return nil
}

func (c *statements) assign(s *syntax.Assign) stmt {
	v := c.expr(s.Value)
	if len(s.Targets) == 1 {
		set := c.store(s.Targets[0])
		return func(f *Frame) flow { set(f, v(f)); return onward }
	}
	var sets []store
	for _, t := range s.Targets {
		sets = append(sets, c.store(t))
	}
	return func(f *Frame) flow {
		r := v(f)
		for _, set := range sets {
			set(f, r)
		}
		return onward
	}
}

// augment compiles "target op= value"; what the target stands on is computed once.
func (c *statements) augment(s *syntax.Augment) stmt {
	v, op := c.expr(s.Value), s.Op
	switch t := s.Target.(type) {
	case *syntax.Attribute:
		object, name := c.expr(t.X), t.Name
		return func(f *Frame) flow {
			o := object(f)
			old := ops.Attr(f.m, o, name)
			ops.SetAttr(f.m, o, name, ops.InPlace(f.m, op, old, v(f)))
			return onward
		}
	case *syntax.Index:
		object, key := c.expr(t.X), c.expr(t.Key)
		return func(f *Frame) flow {
			o := object(f)
			k := key(f)
			old := ops.Index(f.m, o, k)
			ops.SetIndex(f.m, o, k, ops.InPlace(f.m, op, old, v(f)))
			return onward
		}
	}
	load, set := c.expr(s.Target), c.store(s.Target)
	return func(f *Frame) flow {
		old := load(f)
		set(f, ops.InPlace(f.m, op, old, v(f)))
		return onward
	}
}

func (c *statements) conditional(s *syntax.If) stmt {
	// elif is a loop here, so that a long chain is not a deep one.
	type branch struct {
		test func(f *Frame) bool
		then stmt
		line int
	}
	var branches []branch
	var otherwise stmt
	for {
		c.line = s.Pos()
		branches = append(branches, branch{c.cond(s.Test), c.block(s.Then), s.Pos()})
		if len(s.Else) == 1 {
			if next, ok := s.Else[0].(*syntax.If); ok {
				s = next
				continue
			}
		}
		if len(s.Else) > 0 {
			otherwise = c.block(s.Else)
		}
		break
	}
	return func(f *Frame) flow {
		for i := range branches {
			b := &branches[i]
			f.at.Line = b.line
			if b.test(f) {
				return b.then(f)
			}
		}
		if otherwise != nil {
			return otherwise(f)
		}
		return onward
	}
}

func (c *statements) while(s *syntax.While) stmt {
	test, body, line := c.cond(s.Test), c.block(s.Body), s.Pos()
	otherwise := c.block(s.Else)
	return func(f *Frame) flow {
		for {
			f.at.Line = line
			f.m.Step()
			if !test(f) {
				return otherwise(f)
			}
			switch end := body(f); end {
			case broken:
				return onward
			case returned:
				return returned
			}
		}
	}
}

func (c *statements) loop(s *syntax.For) stmt {
	iter, set, line := c.expr(s.Iter), c.store(s.Target), s.Pos()
	body, otherwise := c.block(s.Body), c.block(s.Else)
	pair := c.pair(s.Target)
	return func(f *Frame) flow {
		over := iter(f)
		if v, ok := over.(*py.View); ok && v.Kind == 'i' && pair != nil {
			return pairs(f, v.D, pair, body, otherwise, line)
		}
		next := ops.Iterate(f.m, over)
		for {
			v, ok := next()
			if !ok {
				return otherwise(f)
			}
			f.m.Step()
			set(f, v)
			switch end := body(f); end {
			case broken:
				return onward
			case returned:
				return returned
			}
			f.at.Line = line
		}
	}
}

// pair compiles a target of two, of which none is starred; nil for others.
func (c *statements) pair(x syntax.Expr) func(f *Frame, key, value py.Value) {
	two, ok := x.(*syntax.Sequence)
	if !ok || len(two.Items) != 2 {
		return nil
	}
	for _, x := range two.Items {
		if _, starred := x.(*syntax.Starred); starred {
			return nil
		}
	}
	first, second := c.store(two.Items[0]), c.store(two.Items[1])
	return func(f *Frame, key, value py.Value) {
		first(f, key)
		second(f, value)
	}
}

// pairs is a loop over the items of a dict into two targets: that of every script over a group.
// It makes no tuples, but counts them.
func pairs(f *Frame, d *py.Dict, set func(f *Frame, key, value py.Value), body, otherwise stmt, line int) flow {
	for next := ops.Pairs(f.m, d); ; {
		key, value := next()
		if key == nil {
			return otherwise(f)
		}
		f.m.Step()
		set(f, key, value)
		switch end := body(f); end {
		case broken:
			return onward
		case returned:
			return returned
		}
		f.at.Line = line
	}
}

func (c *statements) importStmt(s *syntax.Import) stmt {
	set := c.storeName(s.Target)
	module, item, whole, top := s.Module, s.Item, s.Whole, s.Target.ID
	if item == "" && !whole {
		return func(f *Frame) flow {
			importModule(f.m, module)
			set(f, importModule(f.m, top))
			return onward
		}
	}
	return func(f *Frame) flow {
		m := f.m.Import(module)
		if item == "" {
			set(f, importModule(f.m, module))
			return onward
		}
		var v py.Value
		if m != nil {
			v = m.Items[item]
		} else if whole := f.m.Import(module + "." + item); whole == nil {
			importModule(f.m, module) // raises
		}
		if v == nil {
			if sub := f.m.Import(module + "." + item); sub != nil {
				v = sub
			}
		}
		if v == nil {
			py.Raise(f.m, py.ImportError, "cannot import name '%s' from '%s'", item, module)
		}
		set(f, v)
		return onward
	}
}

func importModule(m *py.Machine, name string) *py.Module {
	mod := m.Import(name)
	if mod == nil {
		py.Raise(m, py.ModuleNotFoundError, "No module named '%s'", name)
	}
	return mod
}
