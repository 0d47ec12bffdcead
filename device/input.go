package device

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Input says more of a param of an action than its type.
type Input struct {
	Doc      string   // what it is, in one line
	Required bool     // there is no action without it
	Values   []string // all texts that it can be, if they are few
	Format   string   // of a text: one of those below; "": any
}

// The formats of texts.
const (
	DurationFormat = "duration" // "5s", "1h30m"
	AddressFormat  = "uri"
)

// InputError says that an action was not begun, because its input is wrong.
type InputError struct{ Err error }

// Error implements error.
func (e InputError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e InputError) Unwrap() error { return e.Err }

func wrongInput(format string, args ...any) error { return InputError{fmt.Errorf(format, args...)} }

// Check reports what is wrong with an input by the description of the action: a value without a
// param, of another type, or that is none of those that it can be, and one that is missing.
func (a ActionModel) Check(input map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(input)) {
		typ, ok := a.Params[name]
		if !ok {
			return wrongInput("the action takes no %.80q; it takes %s", name, a.takes())
		}
		if !typ.Holds(input[name]) {
			return wrongInput("%q is to be of type %s", name, typ)
		}
		text, isText := input[name].(string)
		if values := a.Inputs[name].Values; values != nil && isText && !slices.Contains(values, text) {
			return wrongInput("%q is to be one of %q", name, values)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Inputs)) {
		if _, given := input[name]; a.Inputs[name].Required && !given {
			return wrongInput("%q is missing", name)
		}
	}
	return nil
}

// takes lists the params for people.
func (a ActionModel) takes() string {
	if len(a.Params) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(a.Params)))
}

// Holds reports whether a value as encoding/json decodes it is of a type.
func (t ValueType) Holds(v any) bool {
	switch v := v.(type) {
	case string:
		return t == StringType || t == AnyType
	case bool:
		return t == BooleanType || t == AnyType
	case float64:
		return t == NumberType || t == AnyType || t == IntegerType && v == math.Trunc(v)
	case map[string]any:
		return t == ObjectType || t == AnyType
	}
	return t == AnyType
}
