package field

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pithings/device"
	"pithings/gateway/collect"
)

// Assignment is a value for a variable, or for an action of a thing.
type Assignment struct {
	Device   string // "": the only device that has the variable
	Variable string // or the name of an action
	Value    any
}

// Result is what became of an assignment.
type Result struct {
	Assignment
	Error string // "": it was written
}

// Write writes values one after the other, by the actions of the things: that which the
// variable names, or the one with a parameter of its name. What is no variable may be an
// action by its name, whose value is its only parameter, or an object of its parameters. An
// error of the context ends it.
func (f *Field) Write(ctx context.Context, all []Assignment) ([]Result, error) {
	var results []Result
	for _, a := range all {
		r := Result{Assignment: a}
		if err := f.write(ctx, &r.Assignment); err != nil {
			r.Error = err.Error()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// wrong is an error in Device Supervisor's words, which scripts compare.
type wrong string

func (w wrong) Error() string { return string(w) }

func (f *Field) write(ctx context.Context, a *Assignment) error {
	v, t, err := f.target(a)
	if err != nil {
		return err
	}
	name, param := t.action(v)
	model, ok := t.Model.Action(name)
	if !ok {
		return wrong(fmt.Sprintf("Variable '%s' is read-only.", a.Variable))
	}
	input, err := arguments(&model, param, unscale(v, a.Value))
	if err != nil {
		return err
	}
	if t.Actor == nil {
		return wrong(fmt.Sprintf("Device '%s' not found.", a.Device))
	}
	_, err = t.Actor.Call(ctx, name, input)
	return err
}

// target finds the variable and its thing. A variable that is none but an action has no
// quantity.
func (f *Field) target(a *Assignment) (collect.Variable, Thing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.vars.Find(a.Device, a.Variable)
	if a.Device == "" {
		switch len(found) {
		case 0:
			return collect.Variable{}, Thing{}, wrong(fmt.Sprintf("Variable '%s' not found.", a.Variable))
		case 1:
			a.Device = f.vars.At(found[0]).Device
		default:
			return collect.Variable{}, Thing{}, wrong(fmt.Sprintf("Variable '%s' is not unique.", a.Variable))
		}
	}
	t, here := f.thing(a.Device)
	if !here {
		return collect.Variable{}, Thing{}, wrong(fmt.Sprintf("Device '%s' not found.", a.Device))
	}
	if len(found) > 0 {
		return *f.vars.At(found[0]).Variable, t, nil
	}
	if _, ok := t.Model.Action(a.Variable); ok {
		return collect.Variable{Device: a.Device, Name: a.Variable, Write: a.Variable, Gain: 1}, t, nil
	}
	return collect.Variable{}, Thing{}, wrong(fmt.Sprintf("Variable '%s' not found.", a.Variable))
}

// action returns the action that writes a variable, and its parameter; "" is its only one.
func (t *Thing) action(v collect.Variable) (name, param string) {
	if v.Write != "" {
		name, param, _ = strings.Cut(v.Write, ".")
		return name, param
	}
	q, ok := t.find(v)
	if !ok {
		return "", ""
	}
	for action, m := range t.Model.Actions {
		if _, has := m.Params[q.Key]; has && (name == "" || action < name) {
			name, param = action, q.Key
		}
	}
	return name, param
}

// Writable reports whether an action of its thing writes a variable.
func (f *Field) Writable(v *collect.Variable) bool {
	t, here := f.thing(v.Device)
	if !here || t.Actor == nil {
		return false
	}
	name, _ := t.action(*v)
	_, ok := t.Model.Action(name)
	return ok
}

// arguments are those of an action for one value.
func arguments(m *device.ActionModel, param string, value any) (map[string]any, error) {
	if all, ok := value.(map[string]any); ok && param == "" {
		return all, nil
	}
	if param == "" {
		if len(m.Params) == 0 {
			return map[string]any{}, nil
		}
		if len(m.Params) > 1 {
			names := make([]string, 0, len(m.Params))
			for p := range m.Params {
				names = append(names, p)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("the action has several parameters: give an object of %s", strings.Join(names, ", "))
		}
		for param = range m.Params {
		}
	}
	return map[string]any{param: fit(m.Params[param], value)}, nil
}

// fit makes a value one of a parameter's type, as far as users of a PLC mean it: a switch
// whose states are texts takes true, false, 1 and 0.
func fit(t device.ValueType, value any) any {
	switch t {
	case device.StringType:
		switch v := value.(type) {
		case string:
			return v
		case bool:
			return onOff(v)
		case int, int64, float64:
			if n, _ := json.Marshal(v); string(n) == "1" || string(n) == "0" {
				return onOff(string(n) == "1")
			} else {
				return string(n)
			}
		}
	case device.BooleanType:
		switch v := value.(type) {
		case int:
			return v != 0
		case int64:
			return v != 0
		case float64:
			return v != 0
		}
	}
	return value
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// unscale undoes a variable's gain and offset.
func unscale(v collect.Variable, value any) any {
	if v.Gain == 0 || v.Gain == 1 && v.Offset == 0 {
		return value
	}
	switch n := value.(type) {
	case int:
		return (float64(n) - v.Offset) / v.Gain
	case int64: // larger than an int on a Pi with 32 bits
		return (float64(n) - v.Offset) / v.Gain
	case float64:
		return (n - v.Offset) / v.Gain
	}
	return value
}
