package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/quietlog"
)

// arguments checks the parameters of an action and returns what it is called with: the
// request of its model, or the parameters as they are. A key of that request may also be
// given by its own name. Names are compared without regard to case.
//
// Which parameters an action needs is for the action to say: a model does not.
func arguments(a device.ActionModel, given device.Values) (device.Values, error) {
	request := a.RequestKeys()
	known := slices.Sorted(maps.Keys(a.Params))
	for _, key := range slices.Sorted(maps.Keys(request)) {
		if !slices.Contains(known, key) {
			known = append(known, key)
		}
	}
	args := make(device.Values, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 {
			return nil, fault(InvalidParameters, "there is no parameter %q%s; %s", quietlog.Short(name), suggest.From(name, known), parameters(a.Params))
		}
		if _, twice := args[known[i]]; twice {
			return nil, fault(InvalidParameters, "parameter %s is given twice", known[i])
		}
		if t := a.Params[known[i]]; !is(t, given[name]) {
			return nil, fault(InvalidParameters, "parameter %s is %s; give %s", known[i], described(given[name]), article(t))
		}
		args[known[i]] = given[name]
	}
	if request == nil {
		return args, nil
	}
	return filled(a, args)
}

// filled puts parameters into the request of a model. Each of its keys is a parameter,
// ${name}, or a value; texts with parameters inside are for flows, which compute them.
func filled(a device.ActionModel, args device.Values) (device.Values, error) {
	out := device.Values{}
	for key, template := range a.RequestKeys() {
		if v, given := args[key]; given && a.Params[key] == "" {
			out[key] = v
			continue
		}
		text, isText := template.(string)
		if !isText || !strings.Contains(text, "${") {
			out[key] = template
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}")
		if text != "${"+name+"}" || strings.ContainsAny(name, "${}") {
			return nil, fault(NotAvailable, "its request has %s, which only flows compute", text)
		}
		if v, given := args[name]; given {
			out[key] = v
		}
	}
	return out, nil
}

// parameters lists the parameters of an action, in words.
func parameters(params map[string]device.ValueType) string {
	if len(params) == 0 {
		return "it takes none"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		all = append(all, fmt.Sprintf("%s (%s)", name, cmp.Or(params[name], device.AnyType)))
	}
	return "it takes " + strings.Join(all, ", ")
}

// is reports whether a value of JSON has a type.
func is(t device.ValueType, v any) bool {
	switch t {
	case device.StringType:
		_, ok := v.(string)
		return ok
	case device.BooleanType:
		_, ok := v.(bool)
		return ok
	case device.NumberType:
		_, ok := v.(float64)
		return ok
	case device.IntegerType:
		n, ok := v.(float64)
		return ok && n == math.Trunc(n) && math.Abs(n) <= 1<<53
	case device.ObjectType:
		_, ok := v.(map[string]any)
		return ok
	}
	return true
}

func article(t device.ValueType) string {
	if t == device.IntegerType || t == device.ObjectType {
		return "an " + string(t)
	}
	return "a " + string(t)
}

// described is a value in a few words.
func described(v any) string {
	switch v := v.(type) {
	case string:
		return "the text " + fmt.Sprintf("%q", quietlog.Short(v))
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case nil:
		return "null"
	default:
		b, _ := json.Marshal(v)
		return string(b)
	}
}
