package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/awsiot/refuse"
)

// A document says what is to be done, in one of three forms:
//
//	{"action": "diagnose", …}                                       ours, and that of the AWS IoT playground
//	{"operation": "reboot", …}                                      examples of the AWS IoT Device Client
//	{"version": "1.0", "steps": [{"action": {"name": "…", "type": "runHandler",
//	  "input": {"handler": "reboot.sh", "args": […], "path": "default"}}}]}    AWS managed templates, with one step

// parseDocument returns the action that a document names.
func parseDocument(b []byte) (action string, err error) {
	if len(b) > MaxDocument {
		return "", fmt.Errorf("the document has %d bytes, at most %d are allowed", len(b), MaxDocument)
	}
	var d struct {
		Action    json.RawMessage `json:"action"`
		Operation json.RawMessage `json:"operation"`
		Steps     []struct {
			Action struct {
				Type  string `json:"type"`
				Input struct {
					Handler string `json:"handler"`
				} `json:"input"`
			} `json:"action"`
		} `json:"steps"`
	}
	var any any
	if err := errors.Join(jsonvalue.Decode(b, &d), jsonvalue.Decode(b, &any)); err != nil {
		return "", errors.New("the document is no JSON object with an action")
	}
	if tooDeep(any, maxDepth) {
		return "", fmt.Errorf("the document is more than %d levels deep", maxDepth)
	}
	text := d.Action
	if text == nil {
		text = d.Operation
	}
	switch {
	case text != nil:
		if err := json.Unmarshal(text, &action); err != nil || action == "" {
			return "", errors.New(`the document's action is no text: {"action": "diagnose"}`)
		}
	case len(d.Steps) > 1:
		return "", fmt.Errorf("the document has %d steps, and one is supported: make a job of each", len(d.Steps))
	case len(d.Steps) == 1 && d.Steps[0].Action.Type == "runHandler":
		if action = strings.TrimSuffix(d.Steps[0].Action.Input.Handler, ".sh"); action == "" {
			return "", errors.New("the document's step names no handler")
		}
	case len(d.Steps) == 1:
		return "", errors.New("the document's step does not run a handler (type runHandler), and commands are not run")
	default:
		if why := refuse.Job(b); why != "" {
			return "", errors.New(why)
		}
		return "", errors.New(`the document has no action: {"action": "diagnose"}`)
	}
	return action, nil
}

func tooDeep(v any, most int) bool {
	if most == 0 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			if tooDeep(x, most-1) {
				return true
			}
		}
	case []any:
		for _, x := range v {
			if tooDeep(x, most-1) {
				return true
			}
		}
	}
	return false
}

// Decode reads the keys of the document beside its action into the struct that v points to.
// Others are an error, so that one that is mistyped is not taken for one that is left out.
func (j *Job) Decode(v any) error {
	var keys map[string]json.RawMessage
	if err := jsonvalue.Decode(j.Document, &keys); err != nil {
		return err
	}
	delete(keys, "action")
	delete(keys, "operation")
	d := json.NewDecoder(bytes.NewReader(jsonvalue.Encode(keys)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the document of %s: %s", j.Action, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
