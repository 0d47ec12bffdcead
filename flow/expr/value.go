package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// normal brings a value of a scope to the types that expressions know.
func normal(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, int64, uint64, []any, map[string]any:
		return v, nil
	case float64:
		return finite(v)
	case int:
		return int64(v), nil
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint:
		return uint64(v), nil
	case uint8:
		return uint64(v), nil
	case uint16:
		return uint64(v), nil
	case uint32:
		return uint64(v), nil
	case float32:
		return finite(float64(v))
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("a number does not fit into 64 bits")
		}
		return finite(f)
	}
	return nil, fmt.Errorf("a value is a %T, which JSON does not have", v)
}

// Truth reports whether a value counts as true: true, a string that is not empty,
// a number that is not zero, a list, an object.
func Truth(v any) bool {
	v, err := normal(v)
	if err != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case uint64:
		return v != 0
	case float64:
		return v != 0
	}
	return true
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case int64, uint64, float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, uint64, float64:
		return true
	}
	return false
}

// whole returns a number that is an integer.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case float64:
		if v == math.Trunc(v) && v >= -1<<62 && v <= 1<<62 {
			return int64(v), true
		}
	}
	return 0, false
}

// text is a value as text. Numbers of JSON that are whole have no ".0", because
// who wrote 20 in a payload does not want to read 20.0.
func text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", fmt.Errorf("a value that is not there cannot become text; write value ?? 'default'")
	case bool:
		return strconv.FormatBool(v), nil
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	if !Fits(v, MaxResult) {
		return "", tooLong()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("a value cannot become text: %w", err)
	}
	return string(b), nil
}

func tooLong() error {
	return fmt.Errorf("%w: a text of more than %d bytes", ErrTooMuch, MaxResult)
}

// ranges of the integer types that a cast can name.
var ranges = map[string]struct {
	min int64
	max uint64
}{
	"int8": {math.MinInt8, math.MaxInt8}, "int16": {math.MinInt16, math.MaxInt16},
	"int32": {math.MinInt32, math.MaxInt32}, "int": {math.MinInt32, math.MaxInt32}, "integer": {math.MinInt32, math.MaxInt32},
	"int64": {math.MinInt64, math.MaxInt64}, "long": {math.MinInt64, math.MaxInt64},
	"uint8": {0, math.MaxUint8}, "byte": {0, math.MaxUint8}, "uint16": {0, math.MaxUint16},
	"uint32": {0, math.MaxUint32}, "uint": {0, math.MaxUint32}, "uint64": {0, math.MaxUint64}, "ulong": {0, math.MaxUint64},
}

// castable reports whether a name in parentheses, in lower case, is a type.
func castable(typ string) bool {
	switch typ {
	case "string", "bool", "boolean", "float", "float32", "double", "float64", "number",
		"uri", "urn", "arn", "date", "datetime", "duration":
		return true
	}
	_, ok := ranges[typ]
	return ok
}

// cast converts a value. null stays null.
func cast(typ string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if r, ok := ranges[typ]; ok {
		return castInteger(typ, v, r.min, r.max)
	}
	switch typ {
	case "bool", "boolean":
		if s, ok := v.(string); ok {
			if b, err := strconv.ParseBool(strings.ToLower(s)); err == nil {
				return b, nil
			}
			return nil, fmt.Errorf("%s is no boolean", clip(s))
		}
		return Truth(v), nil
	case "float", "float32", "double", "float64", "number":
		f, err := castFloat(v)
		if err != nil {
			return nil, err
		}
		if typ == "float" || typ == "float32" {
			return finite(float64(float32(f)))
		}
		return finite(f)
	}
	s, err := text(v)
	if err == nil && len(s) > MaxResult {
		err = tooLong()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// cast is cast, and counts the text that it makes.
func (ev *evaluation) cast(typ string, v any) (any, error) {
	to, err := cast(typ, v)
	if err != nil {
		return nil, err
	}
	if s, ok := to.(string); ok && s != v {
		return ev.made(s)
	}
	return to, nil
}

func castFloat(v any) (float64, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, fmt.Errorf("%s is no number", clip(v))
		}
		return f, nil
	case int64, uint64, float64:
		return float(v), nil
	}
	return 0, fmt.Errorf("a %s is no number", typeName(v))
}

// castInteger cuts fractions off, as Java does; what does not fit is an error.
func castInteger(typ string, v any, low int64, high uint64) (any, error) {
	if s, ok := v.(string); ok {
		s = strings.TrimSpace(s)
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			v = i
		} else if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			v = u
		}
	}
	switch n := v.(type) {
	case int64:
		if n < low || n > 0 && uint64(n) > high {
			return nil, fmt.Errorf("%d does not fit into %s", n, typ)
		}
		if low == 0 {
			return uint64(n), nil
		}
		return n, nil
	case uint64:
		if n > high {
			return nil, fmt.Errorf("%d does not fit into %s", n, typ)
		}
		if low == 0 {
			return n, nil
		}
		return int64(n), nil
	}
	f, err := castFloat(v)
	if err != nil {
		return nil, err
	}
	f = math.Trunc(f)
	if !(f >= float64(low) && f <= float64(high)) || f >= 1<<64 || low < 0 && f >= 1<<63 {
		return nil, fmt.Errorf("%v does not fit into %s", f, typ)
	}
	if low == 0 {
		return uint64(f), nil
	}
	return int64(f), nil
}
