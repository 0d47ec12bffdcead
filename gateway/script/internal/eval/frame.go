package eval

import (
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// Runtime is one script at work: its machine and its variables.
type Runtime struct {
	M       *py.Machine
	Globals []py.Value
	names   *syntax.Globals
	own     bool // names is a copy, because eval has added some
	file    string
	builtin func(name string) py.Value
}

// Lookup returns a variable of the module, or nil.
func (r *Runtime) Lookup(name string) py.Value {
	if i := r.names.Slot(name); i >= 0 && i < len(r.Globals) {
		return r.Globals[i]
	}
	return nil
}

// Frame has the local variables of a call, or of a comprehension.
type Frame struct {
	m     *py.Machine
	rt    *Runtime
	at    *py.Site // where its function is
	slots []py.Value
	up    *Frame // of the function around the definition
	fn    *Func
	ret   py.Value
	class map[string]py.Value // attributes of the class whose body runs
	site  py.Site
}

// inner returns the frame of a comprehension.
func (f *Frame) inner(slots int) *Frame {
	return &Frame{m: f.m, rt: f.rt, at: f.at, up: f, fn: f.fn, slots: make([]py.Value, slots)}
}

// flow is how a statement ends.
type flow uint8

const (
	onward flow = iota
	broken
	continued
	returned
)

type (
	expr  func(f *Frame) py.Value
	stmt  func(f *Frame) flow
	store func(f *Frame, v py.Value)
)
