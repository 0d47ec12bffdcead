package shadow

import (
	"errors"
	"fmt"

	"pithings/awsiot/internal/jsonvalue"
)

// answer is what a message of the cloud holds, as far as a device reads it. Metadata, the time
// of each value, is left out.
type answer struct {
	State       map[string]any `json:"state"`
	Version     int64          `json:"version"`
	ClientToken string         `json:"clientToken"`
	Code        int            `json:"code"`
	Message     string         `json:"message"`
}

// parse reads a message. Whatever it returns is bounded.
func parse(op Op, payload []byte) (answer, error) {
	var a answer
	if len(payload) > maxAnswer {
		return a, fmt.Errorf("it has %d bytes, at most %d are read", len(payload), maxAnswer)
	}
	if err := jsonvalue.Decode(payload, &a); err != nil {
		return a, fmt.Errorf("it is not a message of the shadow service: %w", err)
	}
	if depth(a.State) > maxAnswerDepth {
		return a, fmt.Errorf("its state is %d keys deep, at most %d are read", depth(a.State), maxAnswerDepth)
	}
	switch op {
	case GetRejected, UpdateRejected:
		if a.Code == 0 {
			return a, errors.New("a rejection without a code")
		}
	default:
		if a.Version <= 0 {
			return a, errors.New("it has no version")
		}
		for _, part := range []string{"desired", "reported"} {
			if _, err := section(a.State, part); op != UpdateDelta && err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

// section returns desired or reported of a state; nil if it is not there, or null.
func section(state map[string]any, part string) (map[string]any, error) {
	switch v := state[part].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, fmt.Errorf("its %s is no object", part)
}

// apply returns a part of the document after an accepted update.
func apply(part map[string]any, state map[string]any, name string) map[string]any {
	if v, there := state[name]; there && v == nil {
		return map[string]any{} // null removes the whole part
	}
	patch, _ := section(state, name)
	return merge(part, patch)
}
