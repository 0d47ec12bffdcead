package script

import (
	"fmt"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// Problem is why Compile or New refuses a script: Line, Text and Fix.
type Problem = syntax.Problem

// Error is an exception that a script did not catch, or a limit that ended it.
type Error struct {
	Script   string // name of the program
	Line     int    // 0 when no line ran
	Function string // "<module>" for the body of the script
	// Kind is the class of an exception ("ValueError"), or the limit: "steps", "memory",
	// "depth", "time", or "cancelled" for the context of the call.
	Kind string
	Text string // of the exception or of the limit
	// Limit says that a limit ended the script.
	Limit bool
	// Traceback is what Python prints, the innermost call last.
	Traceback string
	cause     error
}

func (e *Error) Error() string {
	at := "script " + e.Script
	if e.Line > 0 {
		at += fmt.Sprintf(", line %d, in %s", e.Line, e.Function)
	}
	if e.Limit {
		return at + ": " + e.Text
	}
	if e.Text == "" {
		return at + ": " + e.Kind
	}
	return at + ": " + e.Kind + ": " + e.Text
}

// Unwrap returns the error of the context, if that ended the script.
func (e *Error) Unwrap() error { return e.cause }

// fault makes an Error of what ended a script, with its callers.
func fault(name string, trace []py.Site) *Error {
	e := &Error{Script: name}
	if len(trace) > 0 {
		e.Line, e.Function = trace[0].Line, trace[0].Function
	}
	e.Traceback = ops.Traceback(trace)
	return e
}

// uncaught makes an Error of an exception. The text of one may itself run a script's code,
// so it is computed under the limits.
func uncaught(m *py.Machine, name string, r *py.Raised) *Error {
	e := fault(name, r.Trace)
	e.Kind = exceptionName(r)
	if again := py.Try(m, func() { e.Text = ops.ToStr(m, r.Exc) }); again != nil {
		e.Text = "<exception str() failed>"
	}
	e.Traceback += strings.TrimSuffix(e.Kind+": "+e.Text, ": ") + "\n"
	return e
}

func exceptionName(r *py.Raised) string { return r.Exc.Class.FullName() }
