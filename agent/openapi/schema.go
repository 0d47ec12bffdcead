package openapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// schemaOf is the schema of the type of v, closed: it allows no keys but those of the type.
func schemaOf(v any) (*jsonschema.Schema, error) {
	known := map[reflect.Type]*jsonschema.Schema{}
	marshalers(reflect.TypeOf(v), known)
	s, err := jsonschema.ForType(reflect.TypeOf(v), &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, fmt.Errorf("schema of %T: %w", v, err)
	}
	return s, nil
}

// marshalers adds the types in t that write themselves: as a text, or as anything.
func marshalers(t reflect.Type, known map[reflect.Type]*jsonschema.Schema) {
	switch _, done := known[t]; {
	case done:
		return
	case t == reflect.TypeFor[time.Time]():
		known[t] = &jsonschema.Schema{Type: "string", Format: "date-time"}
		return
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		known[t] = &jsonschema.Schema{}
		return
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		known[t] = &jsonschema.Schema{Type: "string"}
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		marshalers(t.Elem(), known)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() || f.Anonymous {
				marshalers(f.Type, known)
			}
		}
	}
}

// open lets objects have further keys, as answers of later versions may.
func open(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil {
		return nil
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		open(p)
	}
	open(s.AdditionalProperties)
	open(s.Items)
	return s
}
