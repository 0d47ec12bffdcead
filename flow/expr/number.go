package expr

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
)

var errOverflow = errors.New("the result does not fit into 64 bits")

// finite refuses what JSON cannot hold.
func finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("the result is no number (a division by zero, or beyond the largest number)")
	}
	return f, nil
}

func float(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func negate(x any) (any, error) {
	switch x := x.(type) {
	case int64:
		if x == math.MinInt64 {
			return nil, errOverflow
		}
		return -x, nil
	case uint64:
		if x > 1<<63 {
			return nil, errOverflow
		}
		return int64(-x), nil
	case float64:
		return -x, nil
	}
	return nil, fmt.Errorf("- wants a number, not a %s", typeName(x))
}

// compareNumbers compares exactly, whatever the types.
func compareNumbers(x, y any) int {
	switch a := x.(type) {
	case int64:
		switch b := y.(type) {
		case int64:
			return cmp.Compare(a, b)
		case uint64:
			if a < 0 {
				return -1
			}
			return cmp.Compare(uint64(a), b)
		}
	case uint64:
		switch b := y.(type) {
		case int64:
			return -compareNumbers(y, x)
		case uint64:
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := y.(float64); ok {
			return cmp.Compare(a, b)
		}
		return -compareNumbers(y, x)
	}
	// An integer and a float: beyond 2^53 the float type would round.
	i, f := new(big.Float), new(big.Float)
	switch a := x.(type) {
	case int64:
		i.SetInt64(a)
	case uint64:
		i.SetUint64(a)
	}
	return i.Cmp(f.SetFloat64(float(y)))
}

// order compares two numbers or two strings.
func order(op string, x, y any) (any, error) {
	var c int
	xs, xok := x.(string)
	ys, yok := y.(string)
	switch {
	case isNumber(x) && isNumber(y):
		c = compareNumbers(x, y)
	case xok && yok:
		c = cmp.Compare(xs, ys)
	default:
		return nil, fmt.Errorf("%s compares two numbers or two strings, not a %s and a %s", op, typeName(x), typeName(y))
	}
	switch op {
	case "<":
		return c < 0, nil
	case ">":
		return c > 0, nil
	case "<=":
		return c <= 0, nil
	}
	return c >= 0, nil
}

func arithmetic(op string, x, y any) (any, error) {
	if !isNumber(x) || !isNumber(y) {
		hint := ""
		if op == "+" {
			hint = " or a string"
		}
		return nil, fmt.Errorf("%s wants two numbers%s, not a %s and a %s", op, hint, typeName(x), typeName(y))
	}
	if zero := compareNumbers(y, int64(0)) == 0; zero && (op == "/" || op == "%") {
		return nil, errors.New("division by zero")
	}
	_, xf := x.(float64)
	_, yf := y.(float64)
	if xf || yf {
		return floats(op, float(x), float(y))
	}
	a, xi := x.(int64)
	b, yi := y.(int64)
	if xi && yi {
		return ints(op, a, b)
	}
	return mixed(op, x, y)
}

func floats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return finite(x + y)
	case "-":
		return finite(x - y)
	case "*":
		return finite(x * y)
	case "/":
		return finite(x / y)
	}
	return finite(math.Mod(x, y))
}

func ints(op string, x, y int64) (any, error) {
	var r int64
	switch op {
	case "+":
		if r = x + y; (r > x) != (y > 0) {
			return nil, errOverflow
		}
	case "-":
		if r = x - y; (r < x) != (y > 0) {
			return nil, errOverflow
		}
	case "*":
		if r = x * y; x != 0 && (r/x != y || x == -1 && y == math.MinInt64) {
			return nil, errOverflow
		}
	case "/":
		if x == math.MinInt64 && y == -1 {
			return nil, errOverflow
		}
		r = x / y
	case "%":
		if y != -1 {
			r = x % y
		}
	}
	return r, nil
}

// mixed computes with an unsigned number in the game: the result is unsigned if
// it can be, else signed.
func mixed(op string, x, y any) (any, error) {
	a, b, r := integer(x), integer(y), new(big.Int)
	switch op {
	case "+":
		r.Add(a, b)
	case "-":
		r.Sub(a, b)
	case "*":
		r.Mul(a, b)
	case "/":
		r.Quo(a, b)
	case "%":
		r.Rem(a, b)
	}
	switch {
	case r.IsUint64():
		return r.Uint64(), nil
	case r.IsInt64():
		return r.Int64(), nil
	}
	return nil, errOverflow
}

func integer(v any) *big.Int {
	if u, ok := v.(uint64); ok {
		return new(big.Int).SetUint64(u)
	}
	return big.NewInt(v.(int64))
}
