package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema returns the JSON Schema (draft 2020-12) of the file, for editors. It
// knows keys, types, values and most ranges; relations between keys are checked
// by Load alone. Its bytes are the same at every call.
func Schema() ([]byte, error) {
	root, err := objectSchema(new(Config))
	if err != nil {
		return nil, err
	}
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "pithings configuration"
	root.Defs = map[string]*jsonschema.Schema{}
	things := root.Properties["things"]
	things.Items = &jsonschema.Schema{}
	for _, kind := range Types() {
		s, err := thingSchema(kind)
		if err != nil {
			return nil, err
		}
		root.Defs[kind] = s
		things.Items.OneOf = append(things.Items.OneOf, &jsonschema.Schema{Ref: "#/$defs/" + kind})
	}
	b, err := json.Marshal(root)
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return nil, err
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// thingSchema is the schema of a thing of one type.
func thingSchema(kind string) (*jsonschema.Schema, error) {
	t := newThing(kind)
	s, err := objectSchema(&t)
	if err != nil {
		return nil, err
	}
	part, err := objectSchema(t.part())
	if err != nil {
		return nil, err
	}
	for _, key := range part.PropertyOrder {
		s.Properties[key] = part.Properties[key]
	}
	s.PropertyOrder = append(s.PropertyOrder, part.PropertyOrder...)
	s.Properties["type"] = &jsonschema.Schema{Const: jsonschema.Ptr[any](kind), Description: s.Properties["type"].Description}
	s.Properties["name"].Pattern = thingName.String()
	s.Required = []string{"name", "type"}
	if kind == MotionType {
		s.Required = append(s.Required, "pin")
	}
	topics := closedObject()
	for _, role := range rolesOf(kind) {
		topics.Properties[role] = &jsonschema.Schema{Type: "string", Default: quoted(contracts[kind][role]), Pattern: "^[^+#]+$"}
		topics.PropertyOrder = append(topics.PropertyOrder, role)
	}
	topics.Description = s.Properties["topics"].Description
	s.Properties["topics"] = topics
	return s, nil
}

// closedObject allows no keys but those that are added to it, and none at all
// (null) as the file does.
func closedObject() *jsonschema.Schema {
	return &jsonschema.Schema{
		Types: []string{"object", "null"}, Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
}

func objectSchema(p any) (*jsonschema.Schema, error) {
	s := closedObject()
	for _, f := range fieldsOf(p) {
		one, err := fieldSchema(f)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", f.key, err)
		}
		one.Description = f.tag.Get("jsonschema")
		s.Properties[f.key] = one
		s.PropertyOrder = append(s.PropertyOrder, f.key)
	}
	if _, ok := p.(*Flow); ok {
		s.AnyOf = []*jsonschema.Schema{{Required: []string{"builtin", "things"}}, {Required: []string{"file"}}}
	}
	return s, nil
}

func fieldSchema(f field) (*jsonschema.Schema, error) {
	switch f.value.Interface().(type) {
	case []Thing:
		return &jsonschema.Schema{Types: []string{"array", "null"}}, nil
	case []Flow:
		flow, err := objectSchema(new(Flow))
		return &jsonschema.Schema{Types: []string{"array", "null"}, Items: flow}, err
	case []string:
		return &jsonschema.Schema{Types: []string{"array", "null"}, Items: &jsonschema.Schema{Types: []string{"string", "number"}}}, nil
	case map[string]string:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Types: []string{"string", "number"}}}, nil
	case *MQTT:
		return objectSchema(new(MQTT))
	}
	if !f.scalar() {
		return objectSchema(f.value.Addr().Interface())
	}
	s := scalarSchema(f)
	return s, f.limits(s)
}

// scalarSchema is the schema of a scalar's notation.
func scalarSchema(f field) *jsonschema.Schema {
	switch f.value.Interface().(type) {
	case Duration: // the only number is 0
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(0.0),
			Pattern: `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`}
	case Size:
		return &jsonschema.Schema{Type: "string", Pattern: `^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$`}
	case Bytes:
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Pattern: `^[0-9]+ *([KMGT]iB|[kKMGT]?B)?$`}
	case Rate:
		return &jsonschema.Schema{Type: "string", Pattern: `^(unlimited|[0-9.]+/(s|min|h))$`}
	case Address:
		return &jsonschema.Schema{Enum: []any{"auto", "0x76", "0x77", 0x76, 0x77}}
	case Secret:
		return &jsonschema.Schema{Types: []string{"string", "number"}, WriteOnly: true}
	}
	switch f.value.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	}
	if f.allowed() != nil {
		return &jsonschema.Schema{Type: "string"}
	}
	return &jsonschema.Schema{Types: []string{"string", "number"}} // bus: 1
}

// limits adds what the tags say to s.
func (f field) limits(s *jsonschema.Schema) error {
	number := f.value.Kind() == reflect.Int || f.value.Type() == reflect.TypeFor[float64]()
	literal := func(text string) any {
		if n, err := strconv.ParseFloat(text, 64); number && err == nil {
			return n
		}
		return text
	}
	if def := f.tag.Get("default"); def != "" {
		if number || f.value.Kind() == reflect.Bool {
			s.Default = json.RawMessage(def)
		} else {
			s.Default = quoted(def)
		}
	}
	for _, v := range f.allowed() {
		s.Enum = append(s.Enum, literal(v))
	}
	if low, high := f.tag.Get("min"), f.tag.Get("max"); number && low != "" {
		for _, b := range []struct {
			text string
			to   **float64
		}{{low, &s.Minimum}, {high, &s.Maximum}} {
			n, err := strconv.ParseFloat(b.text, 64)
			if err != nil {
				return err
			}
			*b.to = &n
		}
	}
	return nil
}

func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string cannot fail
	return b
}
