package syntax

// bindAll notes the names that statements assign in their own scope.
func (s *scope) bindAll(body []Stmt) {
	for _, st := range body {
		s.scopes(st)
	}
	for _, st := range body {
		s.bindStmt(st)
	}
}

// scopes notes global and nonlocal, which count for the whole function.
func (s *scope) scopes(st Stmt) {
	inner := func(bodies ...[]Stmt) {
		for _, b := range bodies {
			for _, x := range b {
				s.scopes(x)
			}
		}
	}
	switch st := st.(type) {
	case *Scope:
		for _, n := range st.Names {
			if _, param := s.names[n]; param && s.kind == functionScope {
				fail(st.Pos(), "name '"+n+"' is parameter and global", "")
			}
			if st.Nonlocal {
				s.nonlocal[n] = true
			} else {
				s.global[n] = true
			}
		}
	case *If:
		inner(st.Then, st.Else)
	case *While:
		inner(st.Body, st.Else)
	case *For:
		inner(st.Body, st.Else)
	case *Try:
		inner(st.Body, st.Else, st.Finally)
		for _, h := range st.Handlers {
			inner(h.Body)
		}
	case *With:
		inner(st.Body)
	}
}

func (s *scope) bindStmt(st Stmt) {
	inner := func(bodies ...[]Stmt) {
		for _, b := range bodies {
			for _, x := range b {
				s.bindStmt(x)
			}
		}
	}
	switch st := st.(type) {
	case *ExprStmt:
		s.bindExpr(st.X)
	case *Assign:
		for _, t := range st.Targets {
			s.bindTarget(t)
		}
		s.bindExpr(st.Value)
	case *Augment:
		s.bindTarget(st.Target)
		s.bindExpr(st.Value)
	case *If:
		s.bindExpr(st.Test)
		inner(st.Then, st.Else)
	case *While:
		s.bindExpr(st.Test)
		inner(st.Body, st.Else)
	case *For:
		s.bindTarget(st.Target)
		s.bindExpr(st.Iter)
		inner(st.Body, st.Else)
	case *Def:
		s.bind(st.Target.ID)
	case *Class:
		s.bind(st.Target.ID)
	case *Try:
		inner(st.Body, st.Else, st.Finally)
		for _, h := range st.Handlers {
			if h.Target != nil {
				s.bind(h.Target.ID)
			}
			inner(h.Body)
		}
	case *With:
		for _, i := range st.Items {
			s.bindExpr(i.X)
			if i.Target != nil {
				s.bindTarget(i.Target)
			}
		}
		inner(st.Body)
	case *Return:
		s.bindExpr(st.X)
	case *Raise:
		s.bindExpr(st.X)
	case *Import:
		s.bind(st.Target.ID)
	case *Delete:
		for _, t := range st.Targets {
			s.bindTarget(t)
		}
	case *Assert:
		s.bindExpr(st.Test)
	}
}

func (s *scope) bindTarget(x Expr) {
	switch x := x.(type) {
	case *Name:
		s.bind(x.ID)
	case *Starred:
		s.bindTarget(x.X)
	case *Sequence:
		for _, i := range x.Items {
			s.bindTarget(i)
		}
	default:
		s.bindExpr(x)
	}
}

// bindExpr finds := in an expression, in comprehensions too: they bind around them.
func (s *scope) bindExpr(x Expr) {
	walk(x, func(x Expr) bool {
		if a, ok := x.(*Assigned); ok {
			s.bind(a.Target.ID)
		}
		_, lambda := x.(*Lambda)
		return !lambda
	})
}

// walk calls f for an expression and those inside it; f returns whether to go inside.
func walk(x Expr, f func(Expr) bool) {
	if x == nil || !f(x) {
		return
	}
	all := func(xs ...Expr) {
		for _, x := range xs {
			walk(x, f)
		}
	}
	switch x := x.(type) {
	case *Format:
		all(x.Parts...)
	case *Field:
		all(x.Value)
		all(x.Spec...)
	case *Sequence:
		all(x.Items...)
	case *DictDisplay:
		all(x.Keys...)
		all(x.Values...)
	case *Comprehension:
		all(x.Key, x.Elem)
		for _, c := range x.Clauses {
			all(c.Iter)
			all(c.Conds...)
		}
	case *Conditional:
		all(x.Test, x.Then, x.Else)
	case *Logic:
		all(x.X, x.Y)
	case *Compare:
		all(x.First)
		all(x.Rest...)
	case *Binary:
		all(x.X, x.Y)
	case *Unary:
		all(x.X)
	case *Attribute:
		all(x.X)
	case *Index:
		all(x.X, x.Key)
	case *Slice:
		all(x.Low, x.High, x.Step)
	case *Call:
		all(x.Func)
		all(x.Args...)
		for _, k := range x.Keywords {
			all(k.Value)
		}
	case *Starred:
		all(x.X)
	case *Assigned:
		all(x.Value)
	}
}
