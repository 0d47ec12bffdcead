package flowyaml

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
	"pithings/flow/expr"
)

// args are named values.
func (r *reader) args(e entry, what string) []flow.Arg {
	var list []flow.Arg
	for _, a := range r.mapping(e.value, what+", "+e.key, nil) {
		list = append(list, flow.Arg{Name: a.key, Value: r.value(a.value, what+", "+a.key), Pos: r.pos(a.at)})
	}
	return list
}

// value is a literal, or an expression if it is text with ${…} in it.
func (r *reader) value(n ast.Node, what string) flow.Value {
	v := r.literal(n, what)
	s, ok := v.(string)
	if !ok {
		return flow.Value{Literal: v}
	}
	value, err := flow.TextValue(s)
	if err != nil {
		r.failf(r.pos(n), err, what)
	}
	return value
}

// expression is a condition. It may be written as a boolean or a number too.
func (r *reader) expression(e entry, what string) *expr.Expr {
	s, ok := scalarText(e.value)
	if !ok || e.null() {
		r.fail(e.at, "%s, %s: an expression is missing", what, e.key)
		return nil
	}
	x, err := expr.Parse(s)
	if err != nil {
		r.failf(r.pos(e.value), err, what+", "+e.key)
		return nil
	}
	return x
}

func (r *reader) boolean(e entry, what string) bool {
	if b, ok := e.value.(*ast.BoolNode); ok {
		return b.Value
	}
	r.fail(e.at, "%s, %s: write true or false", what, e.key)
	return false
}

func (r *reader) duration(e entry, what string) time.Duration {
	d := r.signedDuration(e, what)
	if d < 0 {
		r.fail(e.at, "%s, %s: a duration cannot be negative", what, e.key)
		return 0
	}
	return d
}

func (r *reader) signedDuration(e entry, what string) time.Duration {
	s := strings.ReplaceAll(r.text(e, what), " ", "")
	if s == "" || s == "0" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		r.fail(e.at, "%s, %s: %.40q is no duration; write, for example, 500ms, 30s or 5m", what, e.key, s)
		return 0
	}
	return d
}

func (r *reader) number(e entry, what string) float64 {
	f, err := strconv.ParseFloat(r.text(e, what), 64)
	if err != nil {
		r.fail(e.at, "%s, %s: write a number", what, e.key)
	}
	return f
}

func (r *reader) integer(e entry, what string) int {
	n, err := strconv.Atoi(r.text(e, what))
	if err != nil {
		r.fail(e.at, "%s, %s: write a whole number", what, e.key)
	}
	return n
}
