package scenario

import (
	"encoding/json"

	"pithings/conf"
)

// Schema returns the JSON Schema (draft 2020-12) of a scenario, for editors.
func Schema() ([]byte, error) {
	root, err := conf.Schema(new(Scenario))
	if err != nil {
		return nil, err
	}
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "scenario of a pithings fleet"
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}
