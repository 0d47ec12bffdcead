package eval

import (
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// Program is a compiled script.
type Program struct {
	File    string
	Names   *syntax.Globals
	Imports []*syntax.Import
	body    stmt
	stack   int
	builtin func(name string) py.Value
}

// Compile reads a script. builtin returns what a name means that the script does not
// assign, or nil. The error is a *syntax.Problem.
func Compile(file, source string, builtin func(name string) py.Value) (*Program, error) {
	body, err := syntax.Parse(source)
	if err != nil {
		return nil, err
	}
	p := &Program{File: file, Names: syntax.NewGlobals(), builtin: builtin}
	if err := syntax.Resolve(body, p.Names); err != nil {
		return nil, err
	}
	p.Imports = syntax.Imports(body)
	c := &compiler{file: file, builtin: builtin}
	p.body = (&statements{c}).block(body)
	p.stack = c.stack()
	return p, nil
}

// Start returns a runtime with no variables yet.
func (p *Program) Start(m *py.Machine) *Runtime {
	rt := &Runtime{M: m, Globals: make([]py.Value, len(p.Names.Names)), names: p.Names, file: p.File, builtin: p.builtin}
	m.Eval = rt.eval
	return rt
}

// Run runs the body of the script.
func (p *Program) Run(rt *Runtime) {
	rt.top(p.stack, func(f *Frame) { p.body(f) })
}

// top runs code that takes so many bytes of stack in a frame of the module.
func (r *Runtime) top(stack int, run func(f *Frame)) {
	r.M.EnterCall(stack)
	f := &Frame{m: r.M, rt: r}
	f.site = py.Site{Caller: r.M.Site, File: r.file, Function: "<module>"}
	f.at = &f.site
	r.M.Site = f.at
	run(f)
	r.M.Site = f.site.Caller
	r.M.LeaveCall(stack)
}

// eval evaluates an expression among the variables of the module.
func (r *Runtime) eval(source string) (v py.Value) {
	r.M.AllocN(len(source), 64)
	x, err := syntax.ParseExpr(source)
	if err == nil {
		if !r.own {
			r.names, r.own = r.names.Clone(), true
		}
		err = syntax.ResolveExpr(x, r.names)
	}
	if err != nil {
		py.Raise(r.M, py.SyntaxErrorType, "invalid syntax (<string>, line 1)")
	}
	for len(r.Globals) < len(r.names.Names) {
		r.Globals = append(r.Globals, nil)
	}
	c := &compiler{file: "<string>", builtin: r.builtin, line: 1}
	e := c.expr(x)
	r.top(c.stack(), func(f *Frame) { v = e(f) })
	return v
}

// Kept estimates the bytes that the variables of the module keep.
func (r *Runtime) Kept() int { return 16*len(r.Globals) + py.Size(r.Globals...) }
