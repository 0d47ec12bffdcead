package ops

import (
	"fmt"
	"strings"

	"pithings/gateway/script/internal/py"
)

// Traceback is what Python prints above an exception. trace begins with the innermost call.
func Traceback(trace []py.Site) string {
	var b strings.Builder
	b.WriteString("Traceback (most recent call last):\n")
	for i := len(trace) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "  File %q, line %d, in %s\n", trace[i].File, trace[i].Line, trace[i].Function)
	}
	return b.String()
}

// FormatException is traceback.format_exc(): the trace and the exception.
func FormatException(m *py.Machine, r *py.Raised) string {
	s := Traceback(r.Trace) + Describe(m, r)
	m.Alloc(len(s))
	return s + "\n"
}

// Describe is the last line of a traceback: class and text of the exception.
func Describe(m *py.Machine, r *py.Raised) string {
	s := r.Exc.Class.FullName()
	if text := ToStr(m, r.Exc); text != "" {
		s += ": " + text
	}
	return s
}
