package expr

import (
	"errors"
	"fmt"
)

// Scope is where an evaluation finds its variables.
type Scope interface {
	// Lookup returns a variable's value, and whether there is such a variable.
	Lookup(name string) (any, bool)
}

// Variables is a Scope of a map.
type Variables map[string]any

// Lookup implements Scope.
func (v Variables) Lookup(name string) (any, bool) {
	value, ok := v[name]
	return value, ok
}

// ErrTooMuch is an evaluation that does more than MaxSteps, MaxResult or MaxBytes allow.
var ErrTooMuch = errors.New("the expression does more than it may")

// Eval computes the expression. The result is nil, a bool, a string, an int64,
// a uint64, a float64, a []any or a map[string]any; lists and objects may be
// those of the scope and are not to be changed.
func (e *Expr) Eval(s Scope) (any, error) {
	ev := evaluation{scope: s, left: MaxSteps, bytes: MaxBytes}
	v, err := ev.node(e.root)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// True computes the expression and reports whether it is true.
func (e *Expr) True(s Scope) (bool, error) {
	v, err := e.Eval(s)
	if err != nil {
		return false, err
	}
	return Truth(v), nil
}

type evaluation struct {
	scope Scope
	left  int // operations
	bytes int // that may still be made
}

// spend counts n operations.
func (ev *evaluation) spend(n int) error {
	ev.left -= n
	if ev.left < 0 {
		return fmt.Errorf("%w: more than %d operations", ErrTooMuch, MaxSteps)
	}
	return nil
}

func (ev *evaluation) node(n Node) (any, error) {
	if err := ev.spend(1); err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case *Literal:
		return n.Value, nil
	case *Name:
		v, ok := ev.scope.Lookup(n.Name)
		if !ok {
			return nil, fmt.Errorf("there is no variable %q", n.Name)
		}
		return normal(v)
	case *List:
		return ev.list(n.Items)
	case *Member:
		return ev.of(n.Of, func(of any) (any, error) { return member(of, n.Key) })
	case *Index:
		return ev.of(n.Of, func(of any) (any, error) { return index(of, int64(n.Place)) })
	case *Filter:
		return ev.filter(n)
	case *Call:
		return ev.call(n)
	case *Unary:
		return ev.of(n.X, func(x any) (any, error) { return unaryOf(n.Op, x) })
	case *Binary:
		return ev.binary(n)
	case *Conditional:
		return ev.of(n.If, func(cond any) (any, error) {
			if Truth(cond) {
				return ev.node(n.Then)
			}
			return ev.node(n.Else)
		})
	case *Cast:
		return ev.of(n.X, func(x any) (any, error) { return ev.cast(n.Type, x) })
	case *Macro:
		parts, err := ev.all(n.Parts)
		if err != nil {
			return nil, err
		}
		return ev.join(parts...)
	}
	return nil, fmt.Errorf("an expression has a %T", n)
}

// of computes a node, and then fn of its value.
func (ev *evaluation) of(n Node, fn func(any) (any, error)) (any, error) {
	v, err := ev.node(n)
	if err != nil {
		return nil, err
	}
	return fn(v)
}

func unaryOf(op string, x any) (any, error) {
	if op == "!" {
		return !Truth(x), nil
	}
	return negate(x)
}

// list makes a list. Its items are not copied, but they are counted each time.
func (ev *evaluation) list(nodes []Node) (any, error) {
	values := make([]any, 0, len(nodes))
	for _, n := range nodes {
		v, err := ev.node(n)
		if err != nil {
			return nil, err
		}
		if err := ev.charge(v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (ev *evaluation) all(nodes []Node) ([]any, error) {
	values := make([]any, len(nodes))
	for i, n := range nodes {
		v, err := ev.node(n)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// member is the value of a key; null has none.
func member(of any, key string) (any, error) {
	switch of := of.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return normal(of[key])
	case int64, uint64, float64:
		return nil, fmt.Errorf("a number has no %q; to divide, write blanks around the /", key)
	}
	return nil, fmt.Errorf("a %s has no %q", typeName(of), key)
}

func index(of any, place int64) (any, error) {
	switch of := of.(type) {
	case nil:
		return nil, nil
	case []any:
		if place < 0 || place >= int64(len(of)) {
			return nil, nil
		}
		return normal(of[place])
	}
	return nil, fmt.Errorf("a %s has no element [%d]; a list has", typeName(of), place)
}

// element is the scope inside a filter's brackets.
type element struct {
	keys  map[string]any
	outer Scope
}

func (e element) Lookup(name string) (any, bool) {
	if v, ok := e.keys[name]; ok {
		return v, true
	}
	return e.outer.Lookup(name)
}

func (ev *evaluation) filter(n *Filter) (any, error) {
	of, err := ev.node(n.Of)
	if err != nil {
		return nil, err
	}
	var list []any
	switch of := of.(type) {
	case nil:
		return nil, nil
	case []any:
		list = of
	case map[string]any:
		list = []any{of}
	default:
		return nil, fmt.Errorf("a %s has no elements to choose from", typeName(of))
	}
	outer := ev.scope
	defer func() { ev.scope = outer }()
	for _, item := range list {
		if err := ev.spend(1); err != nil {
			return nil, err
		}
		item, err := normal(item)
		if err != nil {
			return nil, err
		}
		keys, ok := item.(map[string]any)
		if !ok {
			keys = map[string]any{"value": item}
		}
		ev.scope = element{keys, outer}
		v, err := ev.node(n.Condition)
		if err != nil {
			return nil, err
		}
		if place, ok := whole(v); ok {
			return index(of, place)
		}
		if Truth(v) {
			return item, nil
		}
	}
	return nil, nil
}

func (ev *evaluation) binary(n *Binary) (any, error) {
	x, err := ev.node(n.X)
	if err != nil {
		return nil, err
	}
	switch n.Op {
	case "&&", "||":
		if Truth(x) == (n.Op == "||") {
			return n.Op == "||", nil
		}
		y, err := ev.node(n.Y)
		if err != nil {
			return nil, err
		}
		return Truth(y), nil
	case "??":
		if x != nil {
			return x, nil
		}
		return ev.node(n.Y)
	}
	y, err := ev.node(n.Y)
	if err != nil {
		return nil, err
	}
	switch n.Op {
	case "==", "!=":
		same, err := ev.equal(x, y, 0)
		if err != nil {
			return nil, err
		}
		return same == (n.Op == "=="), nil
	case "<", ">", "<=", ">=":
		return order(n.Op, x, y)
	case "+":
		_, xs := x.(string)
		_, ys := y.(string)
		if xs || ys {
			return ev.join(x, y)
		}
	}
	return arithmetic(n.Op, x, y)
}

// equal compares values of any type; values of different types differ, except
// that all numbers are compared as numbers.
func (ev *evaluation) equal(x, y any, depth int) (bool, error) {
	if err := ev.spend(1); err != nil {
		return false, err
	}
	if depth > MaxDepth {
		return false, fmt.Errorf("%w: values are nested more than %d deep", ErrTooMuch, MaxDepth)
	}
	x, err := normal(x)
	if err != nil {
		return false, err
	}
	if y, err = normal(y); err != nil {
		return false, err
	}
	if isNumber(x) && isNumber(y) {
		return compareNumbers(x, y) == 0, nil
	}
	switch x := x.(type) {
	case nil:
		return y == nil, nil
	case bool:
		b, ok := y.(bool)
		return ok && x == b, nil
	case string:
		s, ok := y.(string)
		return ok && x == s, nil
	case []any:
		list, ok := y.([]any)
		if !ok || len(x) != len(list) {
			return false, nil
		}
		for i := range x {
			if same, err := ev.equal(x[i], list[i], depth+1); !same {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		object, ok := y.(map[string]any)
		if !ok || len(x) != len(object) {
			return false, nil
		}
		for key := range x {
			other, ok := object[key]
			if !ok {
				return false, nil
			}
			if same, err := ev.equal(x[key], other, depth+1); !same {
				return false, err
			}
		}
		return true, nil
	}
	return false, nil
}
