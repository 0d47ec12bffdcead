package conf

import (
	"encoding/json"
	"reflect"
	"strconv"
)

// JSON returns the field's value as encoding/json decodes it: a text, a float64, a bool, a list or
// a map. A [Secret] is "[set]" or "".
func (f Field) JSON() (v any) {
	if err := json.Unmarshal(literal(f.Value), &v); err != nil {
		return nil
	}
	return v
}

// Means reports whether v is another way to write the value that the field has: 60s is that of
// 1m. v is as JSON returns it.
func (f Field) Means(v any) bool {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	default:
		return reflect.DeepEqual(v, f.JSON())
	}
	if !f.Scalar() {
		return false
	}
	other := Field{Key: f.Key, Value: reflect.New(f.Value.Type()).Elem(), Tag: f.Tag}
	return other.Set(text) == nil && reflect.DeepEqual(other.Value.Interface(), f.Value.Interface())
}
