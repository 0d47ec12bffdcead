package engine

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// values are values that come back from JSON as they were: 3.0 is not 3, because
// expressions divide integers otherwise.
type values map[string]any

// MarshalJSON implements json.Marshaler.
func (v values) MarshalJSON() ([]byte, error) { return json.Marshal(typed(map[string]any(v))) }

// UnmarshalJSON implements json.Unmarshaler.
func (v *values) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return err
	}
	all, _ := untyped(m).(map[string]any)
	*v = all
	return nil
}

// typed writes floating-point numbers with a point.
func typed(v any) any {
	switch v := v.(type) {
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return json.Number(s)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = typed(v[i])
		}
		return out
	case map[string]any:
		if v == nil {
			return nil
		}
		out := make(map[string]any, len(v))
		for key, x := range v {
			out[key] = typed(x)
		}
		return out
	}
	return v
}

// untyped makes numbers of json.Number, in place.
func untyped(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	case []any:
		for i := range v {
			v[i] = untyped(v[i])
		}
	case map[string]any:
		for key, x := range v {
			v[key] = untyped(x)
		}
	}
	return v
}
