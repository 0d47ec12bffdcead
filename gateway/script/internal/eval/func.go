package eval

import (
	"fmt"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// code is a compiled function. It is shared by all that def makes of it.
type code struct {
	*syntax.Function
	qualified string // Class.method, for messages
	file      string
	line      int
	defaults  []expr
	body      stmt // of def
	result    expr // of lambda
	plain     bool // it has positional parameters only
	stack     int  // bytes that a call takes
}

// Func is a function that a script defined.
type Func struct {
	code     *code
	rt       *Runtime
	up       *Frame
	defaults []py.Value // for each parameter, nil where it has none
	owner    *py.Type   // the class it is a method of, for super()
}

var _ ops.Function = (*Func)(nil)

// Type is function.
func (*Func) Type() *py.Type { return py.FunctionType }

// IsFunction says that it becomes a method when it is found in a class.
func (*Func) IsFunction() {}

// Params is the number of positional parameters, and names are theirs.
func (fn *Func) Params() (names []string) {
	names = make([]string, 0, fn.code.Pos)
	for _, p := range fn.code.Params[:fn.code.Pos] {
		names = append(names, p.Name)
	}
	return names
}

// Attr returns __name__ and __doc__.
func (fn *Func) Attr(_ *py.Machine, name string) py.Value {
	switch name {
	case "__name__":
		return py.Str(fn.code.Name)
	case "__qualname__":
		return py.Str(fn.code.qualified)
	case "__doc__":
		if fn.code.Doc == "" {
			return py.None
		}
		return py.Str(fn.code.Doc)
	}
	return nil
}

// Str is the text of a function.
func (fn *Func) Str() string { return fn.Repr() }

// Repr is the text of a function.
func (fn *Func) Repr() string { return "<function " + fn.code.qualified + ">" }

// Each calls f for what the function keeps alive: defaults and the variables around it.
func (fn *Func) Each(f func(py.Value)) int {
	n := 96 + 16*len(fn.defaults)
	for _, d := range fn.defaults {
		if d != nil {
			f(d)
		}
	}
	if fn.up != nil {
		f((*kept)(fn.up))
	}
	return n
}

// kept is a frame that outlives its call, as a container.
type kept Frame

func (*kept) Type() *py.Type { return py.ObjectType }

// Each calls f for the variables.
func (k *kept) Each(f func(py.Value)) int {
	for _, v := range k.slots {
		if v != nil {
			f(v)
		}
	}
	if k.up != nil {
		f((*kept)(k.up))
	}
	return 160 + 16*len(k.slots)
}

// Call runs the function.
func (fn *Func) Call(m *py.Machine, a py.Args) py.Value {
	slots := make([]py.Value, fn.code.Slots)
	fn.bind(m, slots, a)
	return fn.run(m, slots)
}

// run runs the function with its parameters in slots.
func (fn *Func) run(m *py.Machine, slots []py.Value) py.Value {
	m.Step()
	c := fn.code
	m.EnterCall(c.stack)
	f := &Frame{m: m, rt: fn.rt, slots: slots, up: fn.up, fn: fn}
	f.site = py.Site{Caller: m.Site, File: c.file, Function: c.Name, Line: c.line}
	f.at = &f.site
	m.Site = f.at
	var v py.Value
	if c.result != nil {
		v = c.result(f)
	} else {
		c.body(f)
		if v = f.ret; v == nil {
			v = py.None
		}
	}
	m.Site = f.site.Caller
	m.LeaveCall(c.stack)
	return v
}

// bind puts arguments into the slots of the parameters.
func (fn *Func) bind(m *py.Machine, slots []py.Value, a py.Args) {
	c := fn.code
	n := min(len(a.Pos), c.Pos)
	copy(slots, a.Pos[:n])
	if c.Star >= 0 {
		m.AllocN(len(a.Pos)-n+2, 16)
		slots[c.Star] = &py.Tuple{Items: append([]py.Value(nil), a.Pos[n:]...)}
	} else if len(a.Pos) > n {
		fn.tooMany(m, len(a.Pos))
	}
	var rest *py.Dict
	if c.StarStar >= 0 {
		m.Alloc(80)
		rest = py.NewDict()
		slots[c.StarStar] = rest
	}
	for _, k := range a.Kw {
		fn.keyword(m, slots, rest, k)
	}
	var missing []string
	for i := range c.Params {
		if slots[i] == nil && fn.defaults != nil {
			slots[i] = fn.defaults[i]
		}
		if slots[i] == nil {
			if i >= c.Pos && len(missing) > 0 {
				break
			}
			missing = append(missing, "'"+c.Params[i].Name+"'")
		}
	}
	if len(missing) > 0 {
		kind := "positional"
		if slots[:c.Pos] != nil && !containsNil(slots[:c.Pos]) {
			kind = "keyword-only"
		}
		py.Raise(m, py.TypeError, "%s() missing %d required %s argument%s: %s", c.qualified, len(missing), kind, ending(len(missing)), listed(missing))
	}
}

func containsNil(vs []py.Value) bool {
	for _, v := range vs {
		if v == nil {
			return true
		}
	}
	return false
}

func (fn *Func) keyword(m *py.Machine, slots []py.Value, rest *py.Dict, k py.Kw) {
	c := fn.code
	for i := c.PosOnly; i < len(c.Params); i++ {
		if c.Params[i].Name == k.Name {
			if slots[i] != nil {
				py.Raise(m, py.TypeError, "%s() got multiple values for argument '%s'", c.qualified, k.Name)
			}
			slots[i] = k.Value
			return
		}
	}
	if rest == nil {
		py.Raise(m, py.TypeError, "%s() got an unexpected keyword argument '%s'", c.qualified, k.Name)
	}
	rest.Set(m, py.Str(k.Name), k.Value)
}

func (fn *Func) tooMany(m *py.Machine, given int) {
	c := fn.code
	least := 0
	for i := range c.Params[:c.Pos] {
		if fn.defaults == nil || fn.defaults[i] == nil {
			least++
		}
	}
	takes := fmt.Sprintf("%d positional argument%s", c.Pos, ending(c.Pos))
	if least < c.Pos {
		takes = fmt.Sprintf("from %d to %d positional arguments", least, c.Pos)
	}
	were := "were"
	if given == 1 {
		were = "was"
	}
	py.Raise(m, py.TypeError, "%s() takes %s but %d %s given", c.qualified, takes, given, were)
}

func ending(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// listed joins names as Python does: 'a', 'b', and 'c'.
func listed(names []string) string {
	switch n := len(names); n {
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	default:
		return strings.Join(names[:n-1], ", ") + ", and " + names[n-1]
	}
}
