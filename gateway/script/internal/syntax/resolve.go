package syntax

// Resolve finds for every name of a module where its value lives.
func Resolve(body []Stmt, globals *Globals) (err error) {
	defer caught(&err)
	r := &resolver{globals: globals}
	top := &scope{kind: moduleScope}
	top.global, top.nonlocal = map[string]bool{}, map[string]bool{}
	r.stmts(top, body)
	return nil
}

// ResolveExpr does the same for an expression that sees only the module's names.
func ResolveExpr(x Expr, globals *Globals) (err error) {
	defer caught(&err)
	r := &resolver{globals: globals}
	r.expr(&scope{kind: moduleScope}, x)
	return nil
}

type resolver struct {
	globals *Globals
}

// name finds the place of a name as seen from s.
func (r *resolver) name(s *scope, n *Name, binds bool) {
	up := 0
	for c := s; c != nil; c = c.up {
		if c.kind == moduleScope || c.global[n.ID] {
			break
		}
		slot, known := c.names[n.ID]
		if c.kind == classScope {
			if c == s && known {
				n.Place = ClassName
				n.Else = &Name{Line: n.Line, ID: n.ID}
				r.name(c.up, n.Else, false)
				return
			}
			continue
		}
		if known && !c.nonlocal[n.ID] {
			n.Place, n.Slot, n.Up = Outer, slot, up
			if up == 0 {
				n.Place = Local
			}
			return
		}
		up++
	}
	n.Place, n.Slot = Global, r.globals.slot(n.ID, n.Pos())
	if binds {
		r.globals.Names[n.Slot].Bound = true
	}
}

// target resolves what is assigned to.
func (r *resolver) target(s *scope, x Expr) {
	switch x := x.(type) {
	case *Name:
		if s.kind == comprehensionScope {
			s.declare(x.ID)
		}
		r.name(s, x, true)
	case *Starred:
		r.target(s, x.X)
	case *Sequence:
		for _, i := range x.Items {
			r.target(s, i)
		}
	default:
		r.expr(s, x)
	}
}

func (r *resolver) exprs(s *scope, xs []Expr) {
	for _, x := range xs {
		r.expr(s, x)
	}
}

func (r *resolver) expr(s *scope, x Expr) {
	walk(x, func(x Expr) bool {
		switch x := x.(type) {
		case *Name:
			r.name(s, x, false)
		case *Assigned:
			r.name(s, x.Target, true)
		case *Lambda:
			r.function(s, x.Func)
			return false
		case *Comprehension:
			r.comprehension(s, x)
			return false
		}
		return true
	})
}

func (r *resolver) comprehension(s *scope, x *Comprehension) {
	if x.Kind == '(' {
		s.escapes()
	}
	inner := &scope{kind: comprehensionScope, up: s, names: map[string]int{}}
	if s.kind == classScope {
		inner.up = s.up // the names of a class are not seen from inside
	}
	for i := range x.Clauses {
		c := &x.Clauses[i]
		if i == 0 {
			r.expr(s, c.Iter) // is computed outside
			r.target(inner, c.Target)
		} else {
			r.target(inner, c.Target)
			r.expr(inner, c.Iter)
		}
		r.exprs(inner, c.Conds)
	}
	r.expr(inner, x.Key)
	r.expr(inner, x.Elem)
	x.Slots = len(inner.order)
}

func (r *resolver) function(s *scope, f *Function) {
	for _, p := range f.Params {
		r.expr(s, p.Default)
	}
	s.escapes()
	inner := &scope{kind: functionScope, up: s, names: map[string]int{}, global: map[string]bool{}, nonlocal: map[string]bool{}, fn: f}
	for _, p := range f.Params {
		inner.declare(p.Name)
	}
	if f.star != "" {
		f.Star = inner.declare(f.star)
	}
	if f.starstar != "" {
		f.StarStar = inner.declare(f.starstar)
	}
	if f.Expr != nil {
		inner.bindExpr(f.Expr)
		r.expr(inner, f.Expr)
	} else {
		inner.bindAll(f.Body)
		r.stmts(inner, f.Body)
	}
	f.Slots, f.Names = len(inner.order), inner.order
}

func (r *resolver) stmts(s *scope, body []Stmt) {
	for _, st := range body {
		r.stmt(s, st)
	}
}

func (r *resolver) loop(s *scope, body []Stmt) {
	s.loops++
	r.stmts(s, body)
	s.loops--
}

func (r *resolver) stmt(s *scope, st Stmt) {
	switch st := st.(type) {
	case *ExprStmt:
		r.expr(s, st.X)
	case *Assign:
		r.expr(s, st.Value)
		for _, t := range st.Targets {
			r.target(s, t)
		}
	case *Augment:
		r.target(s, st.Target)
		r.expr(s, st.Value)
	case *If:
		r.expr(s, st.Test)
		r.stmts(s, st.Then)
		r.stmts(s, st.Else)
	case *While:
		r.expr(s, st.Test)
		r.loop(s, st.Body)
		r.stmts(s, st.Else)
	case *For:
		r.expr(s, st.Iter)
		r.target(s, st.Target)
		r.loop(s, st.Body)
		r.stmts(s, st.Else)
	case *Def:
		r.function(s, st.Func)
		r.name(s, st.Target, true)
	case *Class:
		r.exprs(s, st.Bases)
		r.name(s, st.Target, true)
		inner := &scope{kind: classScope, up: s, names: map[string]int{}, global: map[string]bool{}, nonlocal: map[string]bool{}}
		inner.bindAll(st.Body)
		r.stmts(inner, st.Body)
	case *Try:
		r.try(s, st)
	case *With:
		for _, i := range st.Items {
			r.expr(s, i.X)
			if i.Target != nil {
				r.target(s, i.Target)
			}
		}
		r.stmts(s, st.Body)
	case *Return:
		if s.kind != functionScope {
			fail(st.Pos(), "'return' outside function", "")
		}
		r.expr(s, st.X)
	case *Raise:
		r.expr(s, st.X)
		r.expr(s, st.From)
	case *Simple:
		if s.loops == 0 && st.Word != "pass" {
			fail(st.Pos(), "'"+st.Word+"' outside loop", "")
		}
	case *Scope:
		r.nonlocal(s, st)
	case *Import:
		r.name(s, st.Target, true)
	case *Delete:
		for _, t := range st.Targets {
			r.target(s, t)
		}
	case *Assert:
		r.expr(s, st.Test)
		r.expr(s, st.Message)
	}
}

func (r *resolver) try(s *scope, st *Try) {
	r.stmts(s, st.Body)
	for _, h := range st.Handlers {
		r.expr(s, h.Type)
		if h.Target != nil {
			r.name(s, h.Target, true)
		}
		r.stmts(s, h.Body)
	}
	r.stmts(s, st.Else)
	r.stmts(s, st.Finally)
}

// nonlocal refuses names that no function around has.
func (r *resolver) nonlocal(s *scope, st *Scope) {
	if !st.Nonlocal {
		return
	}
	for _, n := range st.Names {
		found := false
		for c := s.up; c != nil && !found; c = c.up {
			_, found = c.names[n]
			found = found && c.kind == functionScope
		}
		if !found {
			fail(st.Pos(), "no binding for nonlocal '"+n+"' found", "write global for a name of the module")
		}
	}
}
