package shadow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/awsiot/internal/jsonvalue"
)

// A state is a tree of JSON: objects, arrays, texts, truth values and json.Number, so that
// numbers stay as they were written. In a patch null removes, objects are merged, and
// everything else, arrays too, replaces.

// merge returns the state that a patch makes of another, which is not changed.
func merge(state, patch map[string]any) map[string]any {
	merged := maps.Clone(state)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			inner, _ := merged[key].(map[string]any)
			merged[key] = merge(inner, v)
		default:
			merged[key] = v
		}
	}
	return merged
}

// lay returns want with values on top: as merge, but null stays, as the wish that the key
// be not there.
func lay(want, values map[string]any) map[string]any {
	laid := maps.Clone(want)
	if laid == nil {
		laid = map[string]any{}
	}
	for key, v := range values {
		inner, isObject := v.(map[string]any)
		if isObject {
			before, _ := laid[key].(map[string]any)
			v = lay(before, inner)
		}
		laid[key] = v
	}
	return laid
}

// diff returns the patch that makes have what want says; nil: nothing is missing. What want
// does not name stays. An object without content is as good as none: brokers drop it.
func diff(want, have map[string]any) map[string]any {
	var patch map[string]any
	set := func(key string, v any) {
		if patch == nil {
			patch = map[string]any{}
		}
		patch[key] = v
	}
	for key, w := range want {
		h, there := have[key]
		inner, isObject := w.(map[string]any)
		before, wasObject := h.(map[string]any)
		switch {
		case isObject:
			if p := diff(inner, before); p != nil {
				set(key, p)
			} else if there && !wasObject {
				set(key, nil)
			}
		case w == nil:
			if there && (!wasObject || len(before) > 0) {
				set(key, nil)
			}
		case !equal(w, h):
			set(key, w)
		}
	}
	return patch
}

// exact returns want with null for each key of have that want does not name.
func exact(want, have map[string]any) map[string]any {
	all := maps.Clone(want)
	if all == nil {
		all = map[string]any{}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			all[key] = nil
		}
	}
	return all
}

// equal reports whether two values mean the same: 1 and 1.0 do.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(a, b))
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	_, errA := a.Int64()
	_, errB := b.Int64()
	if errA == nil && errB == nil { // as text they differ, but for -0
		return strings.TrimPrefix(string(a), "-") == "0" && strings.TrimPrefix(string(b), "-") == "0"
	}
	x, errA := a.Float64()
	y, errB := b.Float64()
	return errA == nil && errB == nil && x == y
}

// normal returns a state as decode does, whatever Go types hold it.
func normal(values map[string]any) (map[string]any, error) {
	b, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	state := map[string]any{}
	if err := jsonvalue.Decode(b, &state); err != nil {
		return nil, err
	}
	if state == nil { // null
		state = map[string]any{}
	}
	return state, nil
}

// clone returns a copy that shares nothing that can be changed.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, x := range v {
			c[key] = clone(x)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, x := range v {
			c[i] = clone(x)
		}
		return c
	}
	return v
}
