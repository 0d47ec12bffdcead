package expr

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

func (ev *evaluation) call(n *Call) (any, error) {
	if n.Of == nil {
		return nil, fmt.Errorf("there is no function %q; known are the methods of strings and tdm.lib.Math", n.Name)
	}
	args, err := ev.all(n.Args)
	if err != nil {
		return nil, err
	}
	if isMath(n.Of) {
		return mathCall(n.Name, args)
	}
	if isLib(n.Of) {
		return ev.libCall(n.Name, args)
	}
	of, err := ev.node(n.Of)
	if err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case string:
		if err := ev.spend(len(of) / 64); err != nil {
			return nil, err
		}
		return ev.stringCall(of, n.Name, args)
	case []any:
		switch {
		case len(args) == 0 && (n.Name == "size" || n.Name == "length"):
			return int64(len(of)), nil
		case len(args) == 0 && n.Name == "isEmpty":
			return len(of) == 0, nil
		case len(args) == 1 && n.Name == "contains":
			return ev.has(of, args[0])
		}
	case nil:
		return nil, fmt.Errorf("%s of a value that is not there", n.Name)
	}
	if n.Name == "toString" && len(args) == 0 {
		return ev.cast("string", of)
	}
	return nil, fmt.Errorf("a %s has no method %s with %d arguments", typeName(of), n.Name, len(args))
}

func (ev *evaluation) has(list []any, v any) (any, error) {
	for _, item := range list {
		same, err := ev.equal(item, v, 0)
		if err != nil {
			return nil, err
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

// stringCall is a method of Java's String. Places count characters (code
// points), from 0.
func (ev *evaluation) stringCall(s, method string, args []any) (any, error) {
	kinds := make([]byte, len(args))
	texts, places := make([]string, len(args)), make([]int64, len(args))
	for i, a := range args {
		kinds[i] = '?'
		if t, ok := a.(string); ok {
			kinds[i], texts[i] = 's', t
		} else if n, ok := whole(a); ok {
			kinds[i], places[i] = 'i', n
		}
	}
	switch method + "(" + string(kinds) + ")" {
	case "length()":
		return int64(utf8.RuneCountInString(s)), nil
	case "isEmpty()":
		return s == "", nil
	case "isBlank()":
		return strings.TrimSpace(s) == "", nil
	case "toUpperCase()":
		return ev.change(s, strings.ToUpper)
	case "toLowerCase()":
		return ev.change(s, strings.ToLower)
	case "trim()", "strip()":
		return strings.TrimSpace(s), nil
	case "toString()":
		return s, nil
	case "charAt(i)":
		return part(s, places[0], places[0]+1)
	case "substring(i)":
		return part(s, places[0], -1)
	case "substring(ii)":
		if places[1] < 0 {
			return nil, outside(s)
		}
		return part(s, places[0], places[1])
	case "indexOf(s)":
		return place(s, strings.Index(s, texts[0])), nil
	case "indexOf(si)":
		from := min(max(places[1], 0), int64(utf8.RuneCountInString(s)))
		rest, _ := part(s, from, -1)
		i := place(rest, strings.Index(rest, texts[0]))
		if i >= 0 {
			i += from
		}
		return i, nil
	case "lastIndexOf(s)":
		return place(s, strings.LastIndex(s, texts[0])), nil
	case "contains(s)":
		return strings.Contains(s, texts[0]), nil
	case "startsWith(s)":
		return strings.HasPrefix(s, texts[0]), nil
	case "endsWith(s)":
		return strings.HasSuffix(s, texts[0]), nil
	case "equals(s)":
		return s == texts[0], nil
	case "equals(i)", "equals(?)":
		return false, nil
	case "equalsIgnoreCase(s)":
		return strings.EqualFold(s, texts[0]), nil
	case "compareTo(s)":
		return int64(strings.Compare(s, texts[0])), nil
	case "concat(s)":
		return ev.join(s, texts[0])
	case "replace(ss)", "replaceAll(ss)":
		// replaceAll is Java's with a regular expression; without one of its signs
		// it is the same.
		if method == "replaceAll" && strings.ContainsAny(texts[0]+texts[1], `\.[]{}()*+-?^$|`) {
			return nil, fmt.Errorf("replaceAll takes no regular expressions here; write replace")
		}
		size := len(s) + strings.Count(s, texts[0])*(len(texts[1])-len(texts[0]))
		if size > MaxResult {
			return nil, tooLong()
		}
		return ev.made(strings.ReplaceAll(s, texts[0], texts[1]))
	case "split(s)":
		if strings.Count(s, texts[0]) > MaxSteps/4 {
			return nil, fmt.Errorf("%w: split into more than %d pieces", ErrTooMuch, MaxSteps/4)
		}
		if err := ev.charge(s); err != nil { // before it is cut: the list repeats it
			return nil, err
		}
		pieces := []any{}
		for _, p := range strings.Split(s, texts[0]) {
			pieces = append(pieces, p)
		}
		return pieces, nil
	}
	return nil, fmt.Errorf("a string has no method %s with these %d arguments; known are %s", method, len(args), stringMethods)
}

const stringMethods = "length, isEmpty, charAt, substring, indexOf, lastIndexOf, contains, startsWith, endsWith, " +
	"equals, equalsIgnoreCase, compareTo, concat, replace, split, trim, toUpperCase, toLowerCase, toString"

// change makes another text of s. A character may be longer in the other case, by
// half at most: U+0250 and U+2C6F.
func (ev *evaluation) change(s string, to func(string) string) (any, error) {
	if len(s) > MaxResult {
		return nil, tooLong()
	}
	return ev.made(to(s))
}

// place turns a byte's place into a character's.
func place(s string, i int) int64 {
	if i < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(s[:i]))
}

// part is s from one character up to another; to -1 is the end.
func part(s string, from, to int64) (string, error) {
	if from < 0 || to != -1 && from > to {
		return "", outside(s)
	}
	begin, end, n := -1, -1, int64(0)
	for i := range s {
		if n == from {
			begin = i
		}
		if n == to {
			end = i
			break
		}
		n++
	}
	if n == from && begin < 0 {
		begin = len(s)
	}
	if end < 0 && (to == -1 || n == to) {
		end = len(s)
	}
	if begin < 0 || end < 0 {
		return "", outside(s)
	}
	return s[begin:end], nil
}

func outside(s string) error {
	return fmt.Errorf("the place is outside of a text of %d characters", utf8.RuneCountInString(s))
}

// libCall is a function of tdm.lib. Things Graph's guide puts getDate into the header
// x-amz-date, which has the basic form of ISO 8601, in UTC; getTime is Java's
// Date.getTime, milliseconds since 1970.
func (ev *evaluation) libCall(name string, args []any) (any, error) {
	if len(args) > 0 || name != "getDate" && name != "getTime" {
		return nil, fmt.Errorf("the library tdm.lib has no %s with %d arguments; known are getDate() and getTime(), and those of tdm.lib.Math", name, len(args))
	}
	now, _ := ev.scope.Lookup("now")
	fields, _ := now.(map[string]any)
	unix, ok := fields["unix"].(int64)
	switch {
	case !ok:
		return nil, fmt.Errorf("tdm.lib.%s: the time is not known", name)
	case name == "getTime":
		return unix * 1000, nil
	}
	return time.Unix(unix, 0).UTC().Format("20060102T150405Z"), nil
}

// mathFunctions of one argument that give a float.
var mathFunctions = map[string]func(float64) float64{
	"log": math.Log, "log10": math.Log10, "log1p": math.Log1p, "exp": math.Exp, "expm1": math.Expm1,
	"sqrt": math.Sqrt, "cbrt": math.Cbrt, "ceil": math.Ceil, "floor": math.Floor, "rint": math.RoundToEven,
	"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "asin": math.Asin, "acos": math.Acos, "atan": math.Atan,
	"sinh": math.Sinh, "cosh": math.Cosh, "tanh": math.Tanh,
	"toRadians": func(x float64) float64 { return x / 180 * math.Pi },
	"toDegrees": func(x float64) float64 { return x * 180 / math.Pi },
}

// mathCall is a function of tdm.lib.Math, which is Java's Math.
func mathCall(name string, args []any) (any, error) {
	for _, a := range args {
		if !isNumber(a) {
			return nil, fmt.Errorf("the function Math.%s wants numbers, not a %s", name, typeName(a))
		}
	}
	switch {
	case len(args) == 1:
		x := args[0]
		switch name {
		case "abs":
			if compareNumbers(x, int64(0)) < 0 {
				return negate(x)
			}
			return x, nil
		case "signum":
			return float64(compareNumbers(x, int64(0))), nil
		case "round":
			if _, ok := x.(float64); !ok {
				return x, nil
			}
			return castInteger("int64", math.Floor(float(x)+0.5), math.MinInt64, math.MaxInt64)
		}
		if f := mathFunctions[name]; f != nil {
			return finite(f(float(x)))
		}
	case len(args) == 2:
		x, y := args[0], args[1]
		switch name {
		case "pow":
			return finite(math.Pow(float(x), float(y)))
		case "atan2":
			return finite(math.Atan2(float(x), float(y)))
		case "hypot":
			return finite(math.Hypot(float(x), float(y)))
		case "min", "max":
			if (compareNumbers(x, y) < 0) == (name == "min") {
				return x, nil
			}
			return y, nil
		}
	}
	return nil, fmt.Errorf("the library Math has no %s of %d numbers; known are %s", name, len(args), mathNames())
}

func mathNames() string {
	names := []string{"abs", "signum", "round", "pow", "atan2", "hypot", "min", "max"}
	for name := range mathFunctions {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
