package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Value is a key's effective value, where it comes from, and from where it may be changed.
type Value struct {
	Path   string          `json:"key"` // things[0].pin
	Value  json.RawMessage `json:"value"`
	Source string          `json:"source"` // as Places.Origin returns it
	Change Change          `json:"change"`
}

// Values lists every key of the struct that p points to with its effective value, in the
// order of the file. Secrets are "[set]". origin returns where the value at a path comes
// from.
func Values(p any, origin func(path string) string) []Value {
	var all []Value
	walk(p, "", func(path string, f Field) {
		all = append(all, Value{path, literal(f.Value), origin(path), f.Change()})
	}, func(string, string, int) {})
	return all
}

// Show returns the struct that p points to as YAML. Behind each value, and each empty
// list, stands a comment.
func Show(p any, origin func(path string) string, comment func(Value) string) string {
	var b strings.Builder
	line := func(text string, v Value) { fmt.Fprintf(&b, "%-50s # %s\n", text, comment(v)) }
	indent := func(path string) string {
		return strings.Repeat("  ", strings.Count(path, ".")+strings.Count(path, "["))
	}
	item := ""
	walk(p, "", func(path string, f Field) {
		before := indent(path)
		if item != "" {
			before, item = before[:len(before)-2]+"- ", ""
		}
		v := Value{path, literal(f.Value), origin(path), f.Change()}
		line(fmt.Sprintf("%s%s: %s", before, f.Key, v.Value), v)
	}, func(path, key string, n int) {
		switch {
		case key == "-": // the next value begins an item
			item = "- "
		case n == 0:
			line(indent(path)+key+": []", Value{Path: path, Source: origin(path)})
		default:
			fmt.Fprintln(&b, indent(path)+key+":")
		}
	})
	return b.String()
}

// walk calls value for every value of one line, and group before those below a key and,
// with "-", before those of an item of a list; n is 0 for an empty list.
func walk(p any, path string, value func(path string, f Field), group func(path, key string, n int)) {
	for _, f := range Fields(p) {
		at, v := Join(path, f.Key), f.Value
		switch {
		case f.single():
			value(at, f)
		case v.Kind() == reflect.Slice:
			group(at, f.Key, v.Len())
			for i := range v.Len() {
				item := fmt.Sprintf("%s[%d]", at, i)
				group(item, "-", 1)
				walk(v.Index(i).Addr().Interface(), item, value, group)
			}
		case v.Kind() == reflect.Pointer && v.IsNil():
		case v.Kind() == reflect.Pointer:
			group(at, f.Key, 1)
			walk(v.Interface(), at, value, group)
		default:
			group(at, f.Key, 1)
			walk(v.Addr().Interface(), at, value, group)
		}
	}
}

// literal writes a value as JSON, which is YAML, too.
func literal(v reflect.Value) json.RawMessage {
	if s, ok := v.Interface().(Secret); ok && s.IsZero() {
		return json.RawMessage(`""`)
	}
	if v.Kind() == reflect.Map && v.Len() == 0 {
		return json.RawMessage("{}")
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return json.RawMessage("[]")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Interface()); err != nil {
		return json.RawMessage(`"?"`)
	}
	return bytes.TrimSpace(b.Bytes())
}
