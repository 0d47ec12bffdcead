package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/device"
	"pithings/flow/expr"
)

// RequestText computes the request of an action that sends no JSON object. Numbers and
// booleans are written as in JSON, and so are lists and objects; a param that the
// step does not give is an error, because no thing knows what to do without it.
func RequestText(a device.ActionModel, args Values) (string, error) {
	v, err := filled(a.Request, params{spelled(a, args), a.Params})
	if err != nil {
		return "", fmt.Errorf("request: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return "", fmt.Errorf("request: %v is null; give the step a value for it", a.Request)
	case string:
		return v, bounded(v)
	default:
		b, err := json.Marshal(v)
		return string(b), err
	}
}

// RequestPayload computes the request's payload from a step's arguments, for an action
// that sends an object. An argument that is no param but has the name of one of the
// request's keys goes there as it is. Names are compared without regard to case.
func RequestPayload(a device.ActionModel, args Values) (Values, error) {
	args = spelled(a, args)
	request := a.RequestKeys()
	if request == nil {
		return args, bounded(args)
	}
	out := Values{}
	for _, key := range slices.Sorted(maps.Keys(request)) {
		if v, given := args[key]; given && a.Params[key] == "" {
			out[key] = v
			continue
		}
		var err error
		if out[key], err = filled(request[key], params{args, a.Params}); err != nil {
			return nil, fmt.Errorf("request, %s: %w", key, err)
		}
	}
	return out, bounded(out)
}

// filled computes the texts with ${…} in a value, however deep.
func filled(v any, scope expr.Scope) (any, error) {
	switch v := v.(type) {
	case string:
		text, err := TextValue(v)
		if err != nil {
			return nil, err
		}
		return text.Eval(scope)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = filled(item, scope); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			var err error
			if out[key], err = filled(item, scope); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		return out, nil
	}
	return v, nil
}

// maxRequestDepth is how deep lists and objects of a request may be nested.
const maxRequestDepth = 32

// checkRequest says what is wrong with what a request holds.
func checkRequest(what string, v any) error { return checkNested(what, v, maxRequestDepth) }

func checkNested(what string, v any, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s: more than %d levels", what, maxRequestDepth)
	}
	switch v := v.(type) {
	case string:
		if _, err := TextValue(v); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	case []any:
		for _, item := range v {
			if err := checkNested(what, item, depth-1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "" {
				return fmt.Errorf("%s: a key is empty; for a message that is no JSON write the text alone, as in request: \"TOGGLE\"", what)
			}
			if err := checkNested(what+", "+key, v[key], depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// bounded refuses what together is more than one expression may make.
func bounded(v any) error {
	if !expr.Fits(v, expr.MaxBytes) {
		return fmt.Errorf("the request has more than %d bytes", expr.MaxBytes)
	}
	return nil
}

// spelled returns arguments under the names of the params, or else of the
// request's keys.
func spelled(a device.ActionModel, args Values) Values {
	out := make(Values, len(args))
	for name, v := range args {
		out[cmp.Or(spelling(a.Params, name), spelling(a.RequestKeys(), name), name)] = v
	}
	return out
}

// spelling is how m has a name; "" if it does not.
func spelling[T any](m map[string]T, name string) string {
	if _, ok := m[name]; ok {
		return name
	}
	for key := range m {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return ""
}

// params is the scope of a request's texts: a param that the step does not give
// is null.
type params struct {
	args  Values
	names map[string]device.ValueType
}

// Lookup implements expr.Scope.
func (p params) Lookup(name string) (any, bool) {
	v, given := p.args[name]
	_, declared := p.names[name]
	return v, given || declared
}
