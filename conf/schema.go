package conf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schemer is a type with UnmarshalText that describes its own notation.
type Schemer interface {
	Schema() *jsonschema.Schema
}

// ChangeKeyword is the keyword of the JSON Schema that has a key's Change.
const ChangeKeyword = "x-change"

// Keywords of the JSON Schema for those who make a form of it. JSON Schema has ranges for numbers
// alone, and does not say what a text is.
const (
	SecretKeyword  = "x-secret"  // the key of the secret with which this one is changed
	KindKeyword    = "x-kind"    // of a text: duration, bytes, rate, size
	MinimumKeyword = "x-minimum" // of a value with a unit: 100ms
	MaximumKeyword = "x-maximum"
)

// forForms adds to the schema of a field what a form needs beside types and values.
func forForms(f Field, s *jsonschema.Schema) {
	extra := func(keyword, value string) {
		if value == "" {
			return
		}
		if s.Extra == nil {
			s.Extra = map[string]any{}
		}
		s.Extra[keyword] = value
	}
	extra(SecretKeyword, f.Tag.Get("secret"))
	kind := ""
	switch f.Value.Interface().(type) {
	case Duration:
		kind = "duration"
	case Bytes:
		kind = "bytes"
	case Rate:
		kind = "rate"
	case Size:
		kind = "size"
	default:
		return
	}
	extra(KindKeyword, kind)
	extra(MinimumKeyword, f.Tag.Get("min"))
	extra(MaximumKeyword, f.Tag.Get("max"))
}

// Schema returns the JSON Schema (draft 2020-12) of the struct that p points to. It knows
// keys, types, values and most ranges.
func Schema(p any) (*jsonschema.Schema, error) {
	s := ClosedObject()
	for _, f := range Fields(p) {
		one, err := fieldSchema(f)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", f.Key, err)
		}
		one.Title, one.Description = title(f.Key), f.Doc()
		if change := f.Change(); change != "" {
			one.Extra = map[string]any{ChangeKeyword: change}
		}
		forForms(f, one)
		s.Properties[f.Key] = one
		s.PropertyOrder = append(s.PropertyOrder, f.Key)
		if f.Required() {
			s.Required = append(s.Required, f.Key)
		}
	}
	return s, nil
}

// title is a key in words: Ack timeout.
func title(key string) string {
	words := strings.ReplaceAll(key, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// ClosedObject allows no keys but those that are added to it, and none at all
// (null) as the file does.
func ClosedObject() *jsonschema.Schema {
	return &jsonschema.Schema{
		Types: []string{"object", "null"}, Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
}

func fieldSchema(f Field) (*jsonschema.Schema, error) {
	text := &jsonschema.Schema{Types: []string{"string", "number"}}
	switch {
	case f.Scalar():
		s := scalarSchema(f)
		return s, limits(f, s)
	case f.Value.Kind() == reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: text}, nil
	case f.single():
		s := &jsonschema.Schema{Types: []string{"array", "null"}, Items: text}
		if f.Allowed() != nil {
			s.Items = &jsonschema.Schema{Type: "string"}
			for _, v := range f.Allowed() {
				s.Items.Enum = append(s.Items.Enum, v)
			}
		}
		if def := f.Tag.Get("default"); def != "" {
			s.Default, _ = json.Marshal(strings.Split(def, ",")) // texts cannot fail
		}
		return s, nil
	case f.Value.Kind() == reflect.Slice:
		one, err := Schema(f.element())
		return &jsonschema.Schema{Types: []string{"array", "null"}, Items: one}, err
	case f.Value.Kind() == reflect.Pointer:
		return Schema(f.element())
	}
	return Schema(f.Value.Addr().Interface())
}

// scalarSchema is the schema of a scalar's notation.
func scalarSchema(f Field) *jsonschema.Schema {
	switch x := f.Value.Interface().(type) {
	case Duration: // the only number is 0
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(0.0),
			Pattern: `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`}
	case Size:
		return &jsonschema.Schema{Type: "string", Pattern: `^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$`}
	case Bytes:
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Pattern: `^[0-9]+ *([KMGT]iB|[kKMGT]?B)?$`}
	case Rate:
		return &jsonschema.Schema{Type: "string", Pattern: `^(unlimited|[0-9.]+/(s|min|h))$`}
	case Secret:
		return &jsonschema.Schema{Types: []string{"string", "number"}, WriteOnly: true}
	case Schemer:
		return x.Schema()
	}
	switch f.Value.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	}
	if f.Allowed() != nil {
		return &jsonschema.Schema{Type: "string"}
	}
	return &jsonschema.Schema{Types: []string{"string", "number"}} // bus: 1
}

// limits adds what the tags say to s.
func limits(f Field, s *jsonschema.Schema) error {
	plain := f.text() == nil // and not with a notation of its own
	number := plain && (f.Value.Kind() == reflect.Int || f.Value.Kind() == reflect.Float64)
	if def := f.Tag.Get("default"); def != "" {
		if number || plain && f.Value.Kind() == reflect.Bool {
			s.Default = json.RawMessage(def)
		} else {
			s.Default, _ = json.Marshal(def) // a string cannot fail
		}
	}
	for _, v := range f.Allowed() {
		if n, err := strconv.ParseFloat(v, 64); number && err == nil {
			s.Enum = append(s.Enum, n)
		} else {
			s.Enum = append(s.Enum, v)
		}
	}
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	if !number || low == "" {
		return nil
	}
	least, err := strconv.ParseFloat(low, 64)
	if err != nil {
		return err
	}
	most, err := strconv.ParseFloat(high, 64)
	s.Minimum, s.Maximum = &least, &most
	return err
}
