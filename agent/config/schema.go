package config

import (
	"bytes"
	"encoding/json"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
	"pithings/things"
)

// Schema returns the JSON Schema (draft 2020-12) of the file, for editors. It
// knows keys, types, values and most ranges; relations between keys are checked
// by Load alone. Its bytes are the same at every call.
func Schema() ([]byte, error) {
	root, err := conf.Schema(new(Config))
	if err != nil {
		return nil, err
	}
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "pithings configuration"
	root.Defs = map[string]*jsonschema.Schema{}
	root.Properties["flows"].Items.AnyOf = []*jsonschema.Schema{{Required: []string{"builtin", "things"}}, {Required: []string{"file"}}}
	list := root.Properties["things"]
	list.Items = &jsonschema.Schema{}
	for _, name := range things.KindNames() {
		s, err := thingSchema(name)
		if err != nil {
			return nil, err
		}
		root.Defs[name] = s
		list.Items.OneOf = append(list.Items.OneOf, &jsonschema.Schema{Ref: "#/$defs/" + name})
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
func thingSchema(name string) (*jsonschema.Schema, error) {
	t := newThing(name)
	s, err := conf.Schema(&t)
	if err != nil {
		return nil, err
	}
	kind := s.Properties["type"]
	kind.Types, kind.Const = nil, jsonschema.Ptr[any](name)
	s.Properties["name"].Pattern = thingName.String()
	topics := conf.ClosedObject()
	for _, role := range rolesOf(name) {
		template, err := json.Marshal(topicsOf(name)[role])
		if err != nil {
			return nil, err
		}
		topics.Properties[role] = &jsonschema.Schema{Type: "string", Default: template, Pattern: "^[^+#]+$"}
		topics.PropertyOrder = append(topics.PropertyOrder, role)
	}
	topics.Description, topics.Extra = s.Properties["topics"].Description, s.Properties["topics"].Extra
	s.Properties["topics"] = topics
	return s, nil
}
